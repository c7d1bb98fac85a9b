"""The words every notifier speaks: a message goes in, an outcome, a receipt or an inbound word comes out."""

from __future__ import annotations

import hashlib
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal, NamedTuple, Protocol

UNSUBSCRIBE_SLOT = "{unsubscribe_url}"
"""Stands in `Message.body` and `Message.html` of a mail where the recipient's own link goes. All else in the two is
shared by a (campaign, locale), so that the mail is built once and only this slot is filled per person."""

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The default `Clock`: aware UTC."""
    return datetime.fromtimestamp(time.time(), UTC)


class Channel(StrEnum):
    SMS = "sms"
    EMAIL = "email"


class Failure(StrEnum):
    """Why a message did not get through, as far as the provider tells; the retry table is keyed by it."""

    INVALID_ADDRESS = "invalid_address"
    OPTED_OUT = "opted_out"
    COMPLAINT = "complaint"
    INVALID_MESSAGE = "invalid_message"
    NOT_ROUTABLE = "not_routable"
    BLOCKED = "blocked"
    FILTERED = "filtered"
    REPUTATION = "reputation"
    UNREACHABLE = "unreachable"
    MAILBOX_FULL = "mailbox_full"
    EXPIRED = "expired"
    RATE_LIMITED = "rate_limited"
    TEMPORARY = "temporary"
    UNCLASSIFIED = "unclassified"
    CONFIGURATION = "configuration"
    UNAUTHORISED = "unauthorised"
    NO_CONNECTION = "no_connection"
    NO_ANSWER = "no_answer"
    NOT_STARTED = "not_started"

    @property
    def suppresses(self) -> bool:
        """Whether the address itself is to get nothing more: dead, refused by its owner, or complained of."""
        return self in _SUPPRESSING


_SUPPRESSING = frozenset({Failure.INVALID_ADDRESS, Failure.OPTED_OUT, Failure.COMPLAINT})

Sent = Literal["no", "unknown"]
ReceiptState = Literal["accepted", "sent", "delivered", "undelivered", "failed", "expired", "cancelled"]


class Message(NamedTuple):
    """One attempt of one delivery, ready to go. A named tuple, since a million of them are made per campaign.

    `to` is E.164 or an address of ASCII; `campaign` its public id; `valid_for` seconds after which it is stale.
    """

    delivery_id: int
    attempt: int
    channel: Channel
    to: str
    locale: str
    body: str
    campaign: str
    subject: str | None = None
    html: str | None = None
    unsubscribe_url: str | None = None
    valid_for: int | None = None


class Accepted(NamedTuple):
    """The provider took it: `accepted` when it reports further, `sent` when silence is the normal end."""

    provider_id: str
    provider: str
    segments: int | None = None
    state: Literal["accepted", "sent"] = "accepted"


class NotifierError(Exception):
    """One message did not go out.

    `sent` is "no" only where that is proven (nothing was handed over); "unknown" must not be sent again without a
    declared policy. `permanent` means that the same message to the same address is not worth another attempt.
    `retry_after` is in seconds, when the provider names it. `pause_campaign` means that every other message of the
    campaign would fail alike: it waits, and so does this one.
    """

    def __init__(
        self,
        reason: Failure,
        *,
        permanent: bool = False,
        sent: Sent = "no",
        retry_after: float | None = None,
        code: str | None = None,
        pause_campaign: bool = False,
    ) -> None:
        super().__init__(f"{reason.value} code={code} sent={sent} permanent={permanent}")
        self.reason = reason
        self.permanent = permanent
        self.sent: Sent = sent
        self.retry_after = retry_after
        self.code = code
        self.pause_campaign = pause_campaign


class BadSignature(Exception):
    """A callback that nobody we know has signed. Answer 403 and store nothing."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a provider says became of a message. `status` is the provider's word, `state` ours.

    `delivery_id` and `attempt` come from what we signed or put in the callback's address; `provider_id` alone
    identifies it otherwise. `part` is the number of the segment, 0 for the whole message.
    """

    provider: str
    provider_id: str | None
    delivery_id: int | None
    attempt: int | None
    status: str
    state: ReceiptState
    at: datetime
    part: int = 0
    error_code: str | None = None
    reason: Failure | None = None
    permanent: bool = False


class Keyword(StrEnum):
    STOP = "stop"
    START = "start"
    HELP = "help"


@dataclass(frozen=True, slots=True)
class Inbound:
    """A message from a person. `keyword` is set when the whole of it is one of the words that mean something."""

    provider: str
    provider_id: str
    channel: Channel
    sender: str
    recipient: str
    keyword: Keyword | None
    at: datetime
    body: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CallbackRequest:
    """A provider's call as it came over the wire.

    `path` is the one under BASE_URL, `query` the raw string without "?" (a signature covers its very bytes).
    """

    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime

    def header(self, name: str) -> str | None:
        """The header's value, its name compared without case."""
        wanted = name.lower()
        return next((value for key, value in self.headers.items() if key.lower() == wanted), None)


class CallbackAnswer(NamedTuple):
    """What the provider wants to hear back once the callback is stored."""

    status: int = 204
    content_type: str | None = None
    body: bytes = b""


class Query(NamedTuple):
    """Asks what became of an attempt: by `provider_id` when it is known, else by address, text and time.

    `since` is when the attempt became `sending` (aware UTC); `text_hash` is `text_hash(body)`.
    """

    delivery_id: int
    attempt: int
    to: str
    text_hash: str
    since: datetime
    provider_id: str | None = None


def text_hash(body: str) -> str:
    """Names a text without holding it; blind to composition and spacing, which providers change."""
    plain = " ".join(unicodedata.normalize("NFC", body).split())
    return hashlib.sha256(plain.encode()).hexdigest()[:32]


Settle = Callable[[Message, Accepted | NotifierError], None]


class Notifier(Protocol):
    """One way out. `open` and `close` belong to the process that sends; `parse_callback` needs neither."""

    name: str
    channel: Channel
    window: int
    """How many messages may be in flight: the most that one call of `send` should be given."""
    callbacks: Mapping[str, CallbackAnswer]
    """Paths under BASE_URL that this notifier's provider calls, each with the answer it expects."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def send(self, messages: Sequence[Message], settle: Settle) -> None:
        """Calls `settle` exactly once per message, in any order, as each outcome is known, however `send` ends:
        when it is cancelled, what was begun settles as sent="unknown" and what was not as `NOT_STARTED`."""

    async def reconcile(self, queries: Sequence[Query]) -> list[Receipt]:
        """What the provider knows of these attempts; silent on those it does not know.

        Raises `NotifierError` when it cannot be asked. "Not listed" proves nothing while the provider may lag.
        """

    def parse_callback(self, request: CallbackRequest) -> list[Receipt | Inbound]:
        """Checks the signature, then reads. Raises `BadSignature`; an authentic call without news is []."""
