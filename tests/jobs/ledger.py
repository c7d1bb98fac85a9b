"""A provider that never forgets what it took, in a file that outlives the sender."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from notifiers.base import Accepted, Channel, Message, Query, Receipt, Settle
from notifiers.fake import NAME, FakeNotifier
from notifiers.verp import Verp


class Line(NamedTuple):
    """One message that a provider took. `message_id` is the mail's; "-" of an SMS."""

    channel: str
    delivery_id: int
    attempt: int
    message_id: str
    process: int


def read(path: Path) -> list[Line]:
    """The ledger in the order in which the provider took the messages."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [Line(one[0], int(one[1]), int(one[2]), one[3], int(one[4])) for one in map(str.split, lines)]


class Ledger(FakeNotifier):
    """Writes a line for each message before anything is answered.

    `on_half` and `on_taken` run when half of a window, or all of it, has been taken and nothing was answered yet. With
    `tells` it can be asked what became of a message.
    """

    def __init__(
        self,
        channel: Channel,
        path: Path,
        *,
        on_half: Callable[[Channel], Awaitable[None]] | None = None,
        on_taken: Callable[[Channel], Awaitable[None]] | None = None,
        tells: bool = False,
    ) -> None:
        super().__init__(channel)
        self._path = path
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._verp = Verp("of the ledger alone", "status.demo.example")
        self._on_half, self._on_taken, self._tells = on_half, on_taken, tells

    async def close(self) -> None:
        os.close(self._file)

    async def send(self, messages: Sequence[Message], settle: Settle) -> None:
        for place, message in enumerate(messages):
            if place == len(messages) // 2 and self._on_half is not None:
                await self._on_half(self.channel)
            line = Line(self.channel, message.delivery_id, message.attempt, self._message_id(message), os.getpid())
            os.write(self._file, (" ".join(map(str, line)) + "\n").encode())
        if self._on_taken is not None:
            await self._on_taken(self.channel)
        for message in messages:
            settle(message, Accepted(self._provider_id(message), NAME))

    async def reconcile(self, queries: Sequence[Query]) -> list[Receipt]:
        if not self._tells:
            return []
        asked = {(query.delivery_id, query.attempt): query for query in queries}
        found = [asked[key] for line in read(self._path) if (key := (line.delivery_id, line.attempt)) in asked]
        return [
            Receipt(NAME, f"found-{one.delivery_id}", one.delivery_id, one.attempt, "found", "accepted", one.since)
            for one in found
        ]

    def _message_id(self, message: Message) -> str:
        return self._verp.message_id(message.delivery_id) if self.channel is Channel.EMAIL else "-"

    def _provider_id(self, message: Message) -> str:
        """As the real ones do: a mail is known by its Message-ID, an SMS gets an id of the provider's making."""
        if self.channel is Channel.EMAIL:
            return self._message_id(message)
        return f"sms-{message.delivery_id}-{message.attempt}-{os.getpid()}"
