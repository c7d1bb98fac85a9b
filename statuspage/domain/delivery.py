"""One message to one person: its states, what a receipt may change, and when a failed one is tried again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from notifiers.base import Channel, Failure


class DeliveryState(StrEnum):
    PENDING = "pending"
    CLAIMED = "claimed"
    SENDING = "sending"
    ACCEPTED = "accepted"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    EXPIRED = "expired"
    SUPPRESSED = "suppressed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class Reason(StrEnum):
    """Why a message was not sent; nothing vanishes without one."""

    NO_ADDRESS = "no_address"
    INVALID_ADDRESS = "invalid_address"
    NO_CONSENT = "no_consent"
    OPTED_OUT = "opted_out"
    SUPPRESSED = "suppressed"
    DUPLICATE_ADDRESS = "duplicate_address"
    CAPPED = "capped"
    QUIET_HOURS_EXPIRED = "quiet_hours_expired"
    SUPERSEDED = "superseded"
    INCIDENT_OVER = "incident_over"
    INCIDENT_WITHDRAWN = "incident_withdrawn"
    CAMPAIGN_CANCELLED = "campaign_cancelled"
    MISSING_VALUE = "missing_value"
    BREAK_GLASS_CAP = "break_glass_cap"
    ERASED = "erased"
    END_TOLD = "end_told"
    PAST_VALIDITY = "past_validity"


_S = DeliveryState
RANK: Mapping[DeliveryState, int] = MappingProxyType(
    {
        _S.PENDING: 0,
        _S.CLAIMED: 1,
        _S.SENDING: 2,
        _S.UNKNOWN: 3,
        _S.CANCELLED: 4,
        _S.SUPPRESSED: 5,
        _S.ACCEPTED: 6,
        _S.SENT: 7,
        _S.EXPIRED: 8,
        _S.FAILED: 9,
        _S.UNDELIVERED: 10,
        _S.DELIVERED: 11,
    }
)
"""No two states share a rank, so that receipts give one result in any order. What we only decided (cancelled,
suppressed) stands below what a provider witnessed; delivered stands above every failure."""

UNSENT = frozenset({_S.PENDING, _S.CLAIMED})
"""Provably not handed to a provider: may be cancelled or suppressed."""

IN_FLIGHT = frozenset({_S.SENDING, _S.ACCEPTED, _S.SENT})
FINAL = frozenset({_S.DELIVERED, _S.UNDELIVERED, _S.FAILED, _S.EXPIRED, _S.SUPPRESSED, _S.CANCELLED})
TOLD = frozenset({_S.ACCEPTED, _S.SENT, _S.DELIVERED})
"""Counted as told, until a receipt says otherwise."""
REACHED = TOLD | {_S.UNKNOWN}
"""Has the message, or may have it: is told the end too."""

FROM_RECEIPT = frozenset({_S.ACCEPTED, _S.SENT, _S.DELIVERED, _S.UNDELIVERED, _S.FAILED, _S.EXPIRED})


def apply_receipt(
    current: DeliveryState, incoming: DeliveryState, *, earlier_attempt: bool = False
) -> DeliveryState | None:
    """The new state, or None when the receipt changes nothing (late, doubled, out of order, or not a provider's word).

    The state never falls, and any order of the same receipts ends in the same state; undelivered may still become
    delivered. Of an attempt that was already given up (`earlier_attempt`) only "delivered" counts: the person was told.
    """
    if incoming is _S.CANCELLED:
        # The provider cancelled it, not we: to us it failed.
        incoming = _S.FAILED
    if incoming not in FROM_RECEIPT or (earlier_attempt and incoming is not _S.DELIVERED):
        return None
    return incoming if RANK[incoming] > RANK[current] else None


def _delays(*minutes: float) -> tuple[timedelta, ...]:
    return tuple(timedelta(minutes=count) for count in minutes)


_F = Failure
RETRY: Mapping[tuple[Channel, Failure], tuple[timedelta, ...]] = MappingProxyType(
    {
        (Channel.SMS, _F.NO_CONNECTION): _delays(0.25, 0.5, 1, 2, 5, 10, 15, 30),
        (Channel.SMS, _F.RATE_LIMITED): _delays(0.25, 0.5, 1, 2, 5, 10, 15, 30),
        (Channel.SMS, _F.TEMPORARY): _delays(1, 5, 15, 60),
        (Channel.SMS, _F.UNREACHABLE): _delays(60, 180),
        (Channel.SMS, _F.UNCLASSIFIED): _delays(15),
        (Channel.SMS, _F.CONFIGURATION): _delays(1, 5, 15, 60, 60, 60),
        (Channel.SMS, _F.UNAUTHORISED): _delays(1, 5, 15, 60, 60, 60),
        (Channel.SMS, _F.INVALID_MESSAGE): _delays(1, 5),
        (Channel.EMAIL, _F.NO_CONNECTION): _delays(0.25, 0.5, 1, 2, 5, 10, 15, 30, 60),
        (Channel.EMAIL, _F.RATE_LIMITED): _delays(1, 5, 15, 30, 60),
        (Channel.EMAIL, _F.TEMPORARY): _delays(5, 15, 60, 180, 360),
        (Channel.EMAIL, _F.UNREACHABLE): _delays(5, 15, 60, 180, 360),
        (Channel.EMAIL, _F.MAILBOX_FULL): _delays(60, 360),
        (Channel.EMAIL, _F.UNCLASSIFIED): _delays(15, 60),
        (Channel.EMAIL, _F.CONFIGURATION): _delays(1, 5, 15, 60, 60, 60),
        (Channel.EMAIL, _F.UNAUTHORISED): _delays(1, 5, 15, 60, 60, 60),
        (Channel.EMAIL, _F.INVALID_MESSAGE): _delays(1, 5),
    }
)
"""How long to wait before the second, third, … attempt; no entry, no second attempt (a table, after indico).

A handset that is off gets two more tries over hours, an unexplained failure one. What never got an answer is not here:
it is `unknown`, which the campaign's declared policy decides."""

HELD = frozenset({_F.CONFIGURATION, _F.UNAUTHORISED, _F.INVALID_MESSAGE})
"""These say nothing about the person: the campaign pauses, and he waits for its resuming even if the provider calls
the refusal permanent."""

_SPREAD = 0.2


def next_attempt(
    channel: Channel,
    failure: Failure,
    attempt: int,
    now: datetime,
    expires_at: datetime,
    *,
    permanent: bool = False,
    retry_after: float | None = None,
    key: int = 0,
) -> datetime | None:
    """When to try again after the failed `attempt` (1 for the first); None when it is final.

    Only for attempts that provably sent nothing or that a receipt reported as failed. `retry_after` is the provider's
    wish in seconds and can only lengthen the wait. `key` (the delivery's id) spreads retries over a fifth of the delay,
    so that ten thousand of them do not come back in one second. Nothing is tried past `expires_at`.
    """
    if failure is Failure.NOT_STARTED:
        return now if now < expires_at else None
    delays = RETRY.get((channel, failure), ())
    if (permanent and failure not in HELD) or not 1 <= attempt <= len(delays):
        return None
    delay = max(delays[attempt - 1].total_seconds(), retry_after or 0.0)
    # Knuth's multiplicative hash: the same for a delivery every time, and far apart for neighbours.
    spread = key * 2654435761 % 2**32 / 2**32 * _SPREAD
    at = now + timedelta(seconds=delay * (1 + spread))
    return at if at < expires_at else None


RESEND_UNKNOWN: tuple[Channel, ...] = (Channel.EMAIL,)
"""The default policy for `unknown`: a mail is sent again under its own Message-ID, which mail servers fold into one; an
SMS stays unknown, because a second one would be read as a second one."""
