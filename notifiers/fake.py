"""A notifier that does what a script says: for tests, and for drills, which must reach nobody."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Callable, Mapping, Sequence

from notifiers.base import (
    Accepted,
    BadSignature,
    CallbackAnswer,
    CallbackRequest,
    Channel,
    Failure,
    Inbound,
    Message,
    NotifierError,
    Query,
    Receipt,
    Settle,
)

NAME = "fake"
CALLBACK_PATH = "/callbacks/fake/status"
IN_FLIGHT = 256

Script = Callable[[Message], Accepted | NotifierError]


class FakeNotifier:
    """Takes everything at once unless `script` decides otherwise; `delay` seconds pass before each window settles.

    `sent` holds what was taken or is unknown, in order; `receipts` is what `reconcile` finds. Without a
    `callback_secret` every callback is refused.
    """

    name = NAME
    callbacks: Mapping[str, CallbackAnswer] = {CALLBACK_PATH: CallbackAnswer()}
    window = IN_FLIGHT

    def __init__(
        self, channel: Channel, *, script: Script | None = None, delay: float = 0.0, callback_secret: str | None = None
    ) -> None:
        self.channel = channel
        self.sent: list[Message] = []
        self.receipts: list[Receipt] = []
        self._script = script
        self._delay = delay
        self._secret = callback_secret

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def send(self, messages: Sequence[Message], settle: Settle) -> None:
        try:
            await asyncio.sleep(self._delay)
        except asyncio.CancelledError:
            for message in messages:
                settle(message, NotifierError(Failure.NOT_STARTED, sent="no"))
            raise
        if self._script is None:
            self.sent += messages
            for message in messages:
                settle(message, Accepted(f"fake-{message.delivery_id}-{message.attempt}", NAME))
            return
        for message in messages:
            outcome = self._script(message)
            if isinstance(outcome, Accepted) or outcome.sent == "unknown":
                self.sent.append(message)
            settle(message, outcome)

    async def reconcile(self, queries: Sequence[Query]) -> list[Receipt]:
        asked = {(query.delivery_id, query.attempt) for query in queries}
        return [receipt for receipt in self.receipts if (receipt.delivery_id, receipt.attempt) in asked]

    def parse_callback(self, request: CallbackRequest) -> list[Receipt | Inbound]:
        """Reads [{"delivery_id", "attempt", "status"}, …], where `status` is one of our own states."""
        signature = request.header("X-Fake-Signature")
        if self._secret is None or signature is None or not hmac.compare_digest(signature, self._secret):
            raise BadSignature(NAME)
        return [
            Receipt(
                provider=NAME,
                provider_id=f"fake-{entry['delivery_id']}-{entry['attempt']}",
                delivery_id=entry["delivery_id"],
                attempt=entry["attempt"],
                status=entry["status"],
                state=entry["status"],
                at=request.received_at,
            )
            for entry in json.loads(request.body)
        ]
