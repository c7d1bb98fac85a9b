"""Twilio's error codes and statuses as tables. Twilio splits codes now and then: a new one is a new row, never code.

Source: https://www.twilio.com/docs/api/errors and the Message resource's status values.
"""

from __future__ import annotations

from typing import NamedTuple

from notifiers.base import Failure, NotifierError, ReceiptState


class Verdict(NamedTuple):
    reason: Failure
    permanent: bool = False
    pause_campaign: bool = False
    retry_after: float | None = None


_BAD_NUMBER = Verdict(Failure.INVALID_ADDRESS, permanent=True)
_BAD_SENDER = Verdict(Failure.CONFIGURATION, permanent=True, pause_campaign=True)
_BAD_ACCOUNT = Verdict(Failure.UNAUTHORISED, pause_campaign=True)
_BAD_TEXT = Verdict(Failure.INVALID_MESSAGE, permanent=True, pause_campaign=True)
_TOO_FAST = Verdict(Failure.RATE_LIMITED)
_UNLISTED = Verdict(Failure.UNCLASSIFIED, permanent=True)

CODES: dict[int, Verdict] = {
    20003: _BAD_ACCOUNT,
    20404: _BAD_ACCOUNT,
    20429: _TOO_FAST,
    21211: _BAD_NUMBER,
    21212: _BAD_SENDER,
    21265: _BAD_NUMBER,
    21408: _BAD_SENDER,
    21602: _BAD_TEXT,
    21603: _BAD_SENDER,
    21606: _BAD_SENDER,
    21608: _BAD_SENDER,
    21609: _BAD_SENDER,
    21610: Verdict(Failure.OPTED_OUT, permanent=True),
    21611: Verdict(Failure.RATE_LIMITED, retry_after=3600.0),
    21612: Verdict(Failure.NOT_ROUTABLE, permanent=True),
    21614: _BAD_NUMBER,
    21617: _BAD_TEXT,
    21635: _BAD_NUMBER,
    21703: _BAD_SENDER,
    30001: Verdict(Failure.RATE_LIMITED, retry_after=3600.0),
    30002: _BAD_ACCOUNT,
    30003: Verdict(Failure.UNREACHABLE),
    30004: Verdict(Failure.BLOCKED, permanent=True),
    30005: Verdict(Failure.NOT_ROUTABLE, permanent=True),
    30006: Verdict(Failure.NOT_ROUTABLE, permanent=True),
    30007: Verdict(Failure.FILTERED, permanent=True),
    30008: Verdict(Failure.UNCLASSIFIED),
    30022: Verdict(Failure.RATE_LIMITED, retry_after=86400.0),
    30023: Verdict(Failure.RATE_LIMITED, retry_after=86400.0),
    30034: _BAD_SENDER,
    30036: Verdict(Failure.EXPIRED, permanent=True),
}

HTTP: dict[int, Verdict] = {
    301: _BAD_SENDER,
    302: _BAD_SENDER,
    307: _BAD_SENDER,
    308: _BAD_SENDER,
    401: _BAD_ACCOUNT,
    403: _BAD_ACCOUNT,
    404: _BAD_SENDER,
    408: Verdict(Failure.TEMPORARY),
    429: _TOO_FAST,
}

STATES: dict[str, ReceiptState] = {
    "accepted": "accepted",
    "scheduled": "accepted",
    "queued": "accepted",
    "sending": "accepted",
    "sent": "sent",
    "partially_delivered": "sent",
    "delivered": "delivered",
    "read": "delivered",
    "undelivered": "undelivered",
    "failed": "failed",
    "canceled": "cancelled",
}


def verdict(code: int | None) -> Verdict:
    """The table's row; a code that is not in it is a refusal that nobody should repeat by itself."""
    return _UNLISTED if code is None else CODES.get(code, _UNLISTED)


def refusal(status: int, code: int | None, retry_after: float | None = None) -> NotifierError:
    """An answer other than 2xx as an error; 5xx proves nothing, since Twilio may have taken the message."""
    if status >= 500:
        return NotifierError(Failure.NO_ANSWER, sent="unknown", code=f"http_{status}")
    row = HTTP[status] if code not in CODES and status in HTTP else verdict(code)
    return NotifierError(
        row.reason,
        permanent=row.permanent,
        sent="no",
        retry_after=row.retry_after if retry_after is None else retry_after,
        code=str(code) if code is not None else f"http_{status}",
        pause_campaign=row.pause_campaign,
    )
