"""A real sender process that is killed (SIGKILL) at one step of a delivery. Run by test_crash.py, never by the product.

    python -m tests.jobs.crashing_sender DATABASE_URL DATA_DIR LEDGER STEP CHANNEL
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from notifiers.base import Accepted, Channel, Message, Query, Receipt, Settle
from notifiers.fake import FakeNotifier
from statuspage.clock import FrozenClock
from statuspage.db import make_engine, make_sessions
from statuspage.jobs import lane, recheck, settle, turn, window
from statuspage.jobs.options import EngineOptions
from statuspage.jobs.sender import Sender
from tests.databases import NOW
from tests.outbox import settings

STEPS = ("claim", "recheck", "mark", "during_send", "send", "settle")
WINDOW = 20
OPTIONS = EngineOptions(
    window=WINDOW,
    claim_size=50,
    poll_seconds=0.02,
    idle_poll_seconds=0.05,
    flush_seconds=0.01,
    quiet_end=EngineOptions.quiet_start,
)
TOOK_BEFORE_DEATH = 30
"""Messages that go out well before the step at which the process dies."""


class Ledger(FakeNotifier):
    """A provider that never forgets what it took: one line a message, written before the answer."""

    def __init__(self, channel: Channel, path: Path, *, die_after: int | None = None) -> None:
        super().__init__(channel)
        self._path = path
        self._die_after = die_after
        self.taken = 0

    async def send(self, messages: Sequence[Message], answer: Settle) -> None:
        for message in messages:
            if self.taken == self._die_after:
                die()
            with self._path.open("a") as lines:
                lines.write(json.dumps([message.delivery_id, message.attempt, message.to]) + "\n")
            self.taken += 1
            answer(message, Accepted(f"ledger-{message.delivery_id}-{message.attempt}", "fake", 1))
            await asyncio.sleep(0)

    async def reconcile(self, queries: Sequence[Query]) -> list[Receipt]:
        """Knows nothing of `queries`, like a mail relay."""
        del queries
        return []


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("nobody outlives SIGKILL")


def arm(step: str, notifier: Ledger) -> None:
    """Put the death where `step` says, once some messages have gone."""

    def late(work: Callable[..., Any], *, when: Callable[..., bool] = lambda *_: True) -> Callable[..., Any]:
        def deadly(*given: Any, **named: Any) -> Any:
            result = work(*given, **named)
            if notifier.taken >= TOOK_BEFORE_DEATH and when(result, *given):
                die()
            return result

        return deadly

    def early(work: Callable[..., Any], *, when: Callable[..., bool]) -> Callable[..., Any]:
        def deadly(*given: Any, **named: Any) -> Any:
            if notifier.taken >= TOOK_BEFORE_DEATH and when(*given):
                die()
            return work(*given, **named)

        return deadly

    patched: Any
    if step == "claim":
        patched = turn.Turn
        patched._claim = late(turn.Turn._claim, when=lambda result, *_: result is not None)
    elif step == "recheck":
        patched = window
        patched.recheck = late(recheck.recheck)
    elif step == "mark":
        patched = lane.Lane
        patched._hand_over = early(lane.Lane._hand_over, when=lambda _self, following, *_: bool(following.messages))
    elif step == "send":
        patched = turn
        patched.settle = early(settle.settle, when=lambda _session, _channel, settled, *_: bool(settled))
    elif step == "settle":
        patched = turn.Turn
        patched.take = late(turn.Turn.take, when=lambda _result, _self, settled, *_: bool(settled))


def main() -> None:
    url, folder, ledger, step, channel = sys.argv[1:]
    die_after = TOOK_BEFORE_DEATH + 7 if step == "during_send" else None
    notifier = Ledger(Channel(channel), Path(ledger), die_after=die_after)
    arm(step, notifier)
    sessions = make_sessions(make_engine(url))
    sender = Sender(settings(Path(folder)), sessions, {Channel(channel): [notifier]}, FrozenClock(NOW), options=OPTIONS)
    asyncio.run(sender.run())


if __name__ == "__main__":
    main()
