"""The embedded default: messages go to a file on this machine, so that nothing leaves a laptop by accident."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from notifiers.base import (
    UNSUBSCRIBE_SLOT,
    Accepted,
    BadSignature,
    CallbackAnswer,
    CallbackRequest,
    Channel,
    Clock,
    Failure,
    Inbound,
    Message,
    NotifierError,
    Query,
    Receipt,
    Settle,
    utc_now,
)
from notifiers.text import count

NAME = "console"
OUTBOX = "outbox.jsonl"
IN_FLIGHT = 256
_log = logging.getLogger(__name__)


class ConsoleOutbox:
    """Appends each message, as its reader would get it, to `outbox.jsonl` (mode 0600); the log gets ids only."""

    name = NAME
    callbacks: Mapping[str, CallbackAnswer] = {}
    window = IN_FLIGHT

    def __init__(self, channel: Channel, directory: Path, *, now: Clock = utc_now) -> None:
        self.channel = channel
        self._path = directory / OUTBOX
        self._now = now
        self._descriptor: int | None = None

    async def open(self) -> None:
        self._descriptor = await asyncio.to_thread(self._open)

    async def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    async def send(self, messages: Sequence[Message], settle: Settle) -> None:
        if self._descriptor is None:
            raise RuntimeError("ConsoleOutbox.open() comes before sending")
        at = self._now().isoformat()
        lines = [self._line(message, at).encode() for message in messages]
        try:
            # One write in append mode: the web's and the sender's lines never mix.
            written, code = _append(self._descriptor, b"".join(lines)), "OSError"
        except OSError as error:
            written, code = 0, type(error).__name__
        for message, line in zip(messages, lines, strict=True):
            written -= len(line)
            if written < 0:
                settle(message, NotifierError(Failure.NO_CONNECTION, sent="no", code=code))
                continue
            _log.info("outbox delivery=%d attempt=%d channel=%s", message.delivery_id, message.attempt, self.channel)
            segments = count(message.body).segments if self.channel is Channel.SMS else None
            settle(message, Accepted(f"console-{message.delivery_id}-{message.attempt}", NAME, segments, "sent"))

    async def reconcile(self, queries: Sequence[Query]) -> list[Receipt]:
        """Those of `queries` that the file holds."""
        asked = {(query.delivery_id, query.attempt) for query in queries}
        try:
            held = await asyncio.to_thread(self._held, asked)
        except OSError as error:
            raise NotifierError(Failure.NO_CONNECTION, sent="no", code=type(error).__name__) from None
        at = self._now()
        return [
            Receipt(NAME, f"console-{delivery}-{attempt}", delivery, attempt, "written", "sent", at)
            for delivery, attempt in sorted(held)
        ]

    def parse_callback(self, request: CallbackRequest) -> list[Receipt | Inbound]:
        """Nobody calls back from a file: raises `BadSignature`."""
        raise BadSignature(f"{NAME}: {request.path}")

    def _open(self) -> int:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)

    def _held(self, asked: set[tuple[int, int]]) -> set[tuple[int, int]]:
        with self._path.open(encoding="utf-8", errors="replace") as lines:
            entries = (entry for line in lines if (entry := _entry(line)) is not None)
            found = {(entry["delivery"], entry["attempt"]) for entry in entries if entry["channel"] == self.channel}
        return found & asked

    def _line(self, message: Message, at: str) -> str:
        entry = {
            "at": at,
            "channel": self.channel,
            "delivery": message.delivery_id,
            "attempt": message.attempt,
            "campaign": message.campaign,
            "locale": message.locale,
            "to": message.to,
            "subject": message.subject,
            "body": message.body.replace(UNSUBSCRIBE_SLOT, message.unsubscribe_url or ""),
            "unsubscribe_url": message.unsubscribe_url,
        }
        known = {name: value for name, value in entry.items() if value is not None}
        return json.dumps(known, ensure_ascii=False) + "\n"


def _append(descriptor: int, lines: bytes) -> int:
    """How many bytes of `lines` are in the file: on a full disk fewer than all. What a full disk or a kill tore off
    before them stays on a line of its own."""
    end = os.fstat(descriptor).st_size
    gap = b"\n" if end and os.pread(descriptor, 1, end - 1) != b"\n" else b""
    return max(os.write(descriptor, gap + lines) - len(gap), 0)


def _entry(line: str) -> dict[str, Any] | None:
    """None for what was torn off; whoever was to get that has it on a later line."""
    try:
        entry: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return entry
