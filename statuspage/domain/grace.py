from __future__ import annotations

from enum import StrEnum


class GraceState(StrEnum):
    DRAFT = "draft"
    ACTIVE = "active"
    TAIL = "tail"
    RELEASED = "released"
    REVOKED = "revoked"


class GraceMode(StrEnum):
    FIXED = "fixed"
    FOLLOWS_INCIDENT = "follows_incident"


class GraceAction(StrEnum):
    """What the operator does not do to a line while it is in grace."""

    NO_SUSPEND = "no_suspend"
    NO_BARRING_OUTGOING = "no_barring_outgoing"
    NO_LATE_FEE = "no_late_fee"
    NO_DUNNING_SMS = "no_dunning_sms"
    NO_DEBT_COLLECTION = "no_debt_collection"
    NO_LIFECYCLE_EXPIRY = "no_lifecycle_expiry"
    NO_AUTO_PAY_RETRY = "no_auto_pay_retry"
    FREE_NATIONAL_CALLS = "free_national_calls"


class GraceExclusion(StrEnum):
    """The only reasons for which an exclusion wins over a hold (grace.md §4.2, rule 3)."""

    FRAUD = "fraud"
    LEGAL_BAR = "legal_bar"
    SELF_REQUESTED = "self_requested"


class GraceCause(StrEnum):
    """Why a line of the ledger was written."""

    DECLARED = "declared"
    TICK = "tick"
    EXTENDED = "extended"
    RESTORED = "restored"
    REOPENED = "reopened"
    RELEASED = "released"
    REVOKED = "revoked"


class ReleaseMode(StrEnum):
    AT_ONCE = "at_once"
    STAGGERED = "staggered"
