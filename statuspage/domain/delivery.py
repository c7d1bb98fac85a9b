from __future__ import annotations

from enum import StrEnum


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
