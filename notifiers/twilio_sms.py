"""SMS by Twilio: its asynchronous SDK, one POST per attempt, our delivery id in the callback's address."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from notifiers.base import (
    Accepted,
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
    text_hash,
    utc_now,
)
from notifiers.text import count, normalise
from notifiers.twilio_account import TwilioAccount
from notifiers.twilio_callbacks import ANSWERS, TwilioCallbacks
from notifiers.twilio_codes import STATES, verdict
from notifiers.window import Window, deliver_each

if TYPE_CHECKING:
    from notifiers.twilio_http import Sighting, TwilioApi

NAME = "twilio"
IN_FLIGHT = 64
ANSWER_SECONDS = 20.0
VALID_SECONDS = 7200
"""How long Twilio may keep a notice queued when the message does not say: an old outage notice is worse than none."""
SHORTEST_VALID = 6
LONGEST_VALID = 36000
CLOCKS_APART = timedelta(seconds=60)
ASKED_AT_ONCE = 8
LISTED = 100
"""How many of a number's newest messages are searched for one whose answer was lost."""


class TwilioSms:
    """Twilio's Messages resource. There is no idempotency key: what was posted and not answered is unknown."""

    name = NAME
    channel = Channel.SMS
    callbacks: Mapping[str, CallbackAnswer] = ANSWERS

    def __init__(
        self,
        account: TwilioAccount,
        public_url: str,
        *,
        window: int = IN_FLIGHT,
        answer_seconds: float = ANSWER_SECONDS,
        now: Clock = utc_now,
    ) -> None:
        """`public_url` is where Twilio reaches us; an attempt is unknown after `answer_seconds` of silence."""
        self.window = window
        self._account = account
        self._answer_seconds = answer_seconds
        self._now = now
        self._webhooks = TwilioCallbacks(NAME, account, public_url)
        self._sender = (
            {"messaging_service_sid": account.messaging_service_sid}
            if account.messaging_service_sid
            else {"from_": account.sender}
        )
        self._api: TwilioApi | None = None
        self._allowed = float(window)
        self._slowed_at = float("-inf")

    @property
    def in_flight(self) -> int:
        """How many are posted at a time now: the window, less while Twilio answers 429."""
        return int(self._allowed)

    async def open(self) -> None:
        from notifiers.twilio_http import TwilioApi

        self._api = TwilioApi(self._account, self.window, self._answer_seconds)

    async def close(self) -> None:
        api, self._api = self._api, None
        if api is not None:
            await api.close()

    async def send(self, messages: Sequence[Message], settle: Settle) -> None:
        api = self._opened()

        async def post(message: Message) -> Accepted | NotifierError:
            return await self._post(api, message)

        workers = min(self.in_flight, len(messages))
        await Window(messages, settle).run(lambda window: deliver_each(window, post), workers)

    async def reconcile(self, queries: Sequence[Query]) -> list[Receipt]:
        api = self._opened()
        receipts: list[Receipt] = []
        adopted: set[str] = set()
        for begin in range(0, len(queries), ASKED_AT_ONCE):
            asked = queries[begin : begin + ASKED_AT_ONCE]
            found = await asyncio.gather(*(self._find(api, query, adopted) for query in asked))
            receipts += [receipt for receipt in found if receipt is not None]
        return receipts

    def parse_callback(self, request: CallbackRequest) -> list[Receipt | Inbound]:
        return self._webhooks.parse(request)

    def _opened(self) -> TwilioApi:
        if self._api is None:
            raise RuntimeError("TwilioSms.open() comes before sending")
        return self._api

    async def _post(self, api: TwilioApi, message: Message) -> Accepted | NotifierError:
        body = normalise(message.body)
        seconds = VALID_SECONDS if message.valid_for is None else message.valid_for
        if seconds < SHORTEST_VALID:
            return NotifierError(Failure.EXPIRED, permanent=True, code="stale")
        try:
            sid = await api.create(
                to=message.to,
                body=body,
                status_callback=self._webhooks.status_url(message.delivery_id, message.attempt),
                validity_period=min(seconds, LONGEST_VALID),
                **self._sender,
            )
        except NotifierError as error:
            if error.reason is Failure.RATE_LIMITED:
                self._slow_down()
            return error
        self._allowed = min(float(self.window), self._allowed + 1.0 / self._allowed)
        return Accepted(sid, NAME, count(body).segments)

    def _slow_down(self) -> None:
        """Halves what is in flight, once a second at most: a full window is refused as one."""
        moment = time.monotonic()
        if moment - self._slowed_at >= 1.0:
            self._slowed_at = moment
            self._allowed = max(1.0, self._allowed / 2)

    async def _find(self, api: TwilioApi, query: Query, adopted: set[str]) -> Receipt | None:
        if query.provider_id is not None:
            known = await api.fetch(query.provider_id)
            return None if known is None else self._receipt(query, known)
        listed = await api.newest(query.to, LISTED)
        earliest = query.since - CLOCKS_APART
        matching = [
            one
            for one in listed
            if one.sid not in adopted and one.created_at >= earliest and text_hash(one.body) == query.text_hash
        ]
        if not matching:
            return None
        found = min(matching, key=lambda one: (one.created_at, one.sid))
        adopted.add(found.sid)
        return self._receipt(query, found)

    def _receipt(self, query: Query, found: Sighting) -> Receipt | None:
        state = STATES.get(found.status)
        if state is None:
            return None
        row = verdict(found.error_code) if found.error_code else None
        return Receipt(
            provider=NAME,
            provider_id=found.sid,
            delivery_id=query.delivery_id,
            attempt=query.attempt,
            status=found.status,
            state="expired" if row and row.reason is Failure.EXPIRED else state,
            at=self._now(),
            error_code=str(found.error_code) if found.error_code else None,
            reason=row.reason if row else None,
            permanent=row.permanent if row else False,
        )
