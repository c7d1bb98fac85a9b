from __future__ import annotations

from enum import StrEnum


class LegalBasis(StrEnum):
    CONTRACT = "contract"
    CONSENT = "consent"


class ConsentState(StrEnum):
    """`pending` is a sign-up whose address has not been confirmed yet."""

    NONE = "none"
    PENDING = "pending"
    GIVEN = "given"
    WITHDRAWN = "withdrawn"


class SuppressionReason(StrEnum):
    """Why an address gets nothing at all, whoever asks."""

    OPT_OUT = "opt_out"
    HARD_BOUNCE = "hard_bounce"
    COMPLAINT = "complaint"
    INVALID = "invalid"
    ERASED = "erased"
    BY_STAFF = "by_staff"
