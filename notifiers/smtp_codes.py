"""Our own reading of SMTP reply codes and enhanced status codes (RFC 5321, RFC 3463), at submission and in bounces.

Libraries call a full mailbox and a policy refusal "permanent"; either would silence a customer for good.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

from notifiers.base import Failure, NotifierError

_ENHANCED = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?!\d)")


class Stage(StrEnum):
    """What was being said when the server refused."""

    CONNECT = "connect"
    SENDER = "sender"
    RECIPIENT = "recipient"
    DATA = "data"


class Verdict(NamedTuple):
    reason: Failure
    permanent: bool
    pause_campaign: bool = False


_DEAD = Verdict(Failure.INVALID_ADDRESS, permanent=True)
_POLICY = Verdict(Failure.REPUTATION, permanent=True)
_FULL = Verdict(Failure.MAILBOX_FULL, permanent=False)
_SOFT = Verdict(Failure.TEMPORARY, permanent=False)
_SLOWER = Verdict(Failure.RATE_LIMITED, permanent=False)
_TOO_LARGE = Verdict(Failure.INVALID_MESSAGE, permanent=True, pause_campaign=True)
_LOGIN = Verdict(Failure.UNAUTHORISED, permanent=False, pause_campaign=True)
_REFUSED = Verdict(Failure.UNCLASSIFIED, permanent=True)

STATUSES: dict[tuple[int, int, int], Verdict] = {
    (5, 1, 0): _DEAD,
    (5, 1, 1): _DEAD,
    (5, 1, 2): _DEAD,
    (5, 1, 3): _DEAD,
    (5, 1, 6): _DEAD,
    (5, 1, 10): _DEAD,
    (5, 2, 1): Verdict(Failure.UNREACHABLE, permanent=True),
    (5, 2, 2): _FULL,
    (5, 2, 3): _TOO_LARGE,
    (5, 3, 4): _TOO_LARGE,
    (5, 4, 4): Verdict(Failure.NOT_ROUTABLE, permanent=True),
    (4, 2, 2): _FULL,
}
REPLIES: dict[tuple[Stage, int], Verdict] = {
    (Stage.CONNECT, 530): _LOGIN,
    (Stage.CONNECT, 535): _LOGIN,
    (Stage.SENDER, 530): _LOGIN,
    (Stage.SENDER, 550): Verdict(Failure.CONFIGURATION, permanent=True, pause_campaign=True),
    (Stage.SENDER, 553): Verdict(Failure.CONFIGURATION, permanent=True, pause_campaign=True),
    (Stage.RECIPIENT, 550): _DEAD,
    (Stage.RECIPIENT, 551): _DEAD,
    (Stage.RECIPIENT, 552): _FULL,
    (Stage.RECIPIENT, 553): _DEAD,
    (Stage.DATA, 552): _TOO_LARGE,
    (Stage.DATA, 554): Verdict(Failure.FILTERED, permanent=True),
}


def enhanced(text: str) -> tuple[int, int, int] | None:
    """The first `class.subject.detail` of a reply or of a DSN's Status field."""
    found = _ENHANCED.search(text)
    return None if found is None else (int(found[1]), int(found[2]), int(found[3]))


def verdict(status: tuple[int, int, int]) -> Verdict:
    """Reads an enhanced status. Only a 5.1.x says that the address is dead; every 5.7.x speaks of us, not of it."""
    if status in STATUSES:
        return STATUSES[status]
    kind, subject, _ = status
    if kind == 4:
        return _SLOWER if subject == 7 else _SOFT
    return _POLICY if subject == 7 else _REFUSED


def refusal(stage: Stage, code: int, text: str) -> NotifierError:
    """A 4xx or 5xx reply as an error. Nothing was sent: the server has said so."""
    status = enhanced(text)
    row = REPLIES.get((stage, code))
    if code in {530, 535} and row is not None:
        chosen = row
    elif status is not None and status[0] == code // 100:
        chosen = verdict(status)
    elif row is not None:
        chosen = row
    else:
        chosen = _REFUSED if code >= 500 else _SOFT
    return NotifierError(
        chosen.reason,
        permanent=chosen.permanent,
        sent="no",
        code=f"{code} {'.'.join(map(str, status))}" if status else str(code),
        pause_campaign=chosen.pause_campaign,
    )
