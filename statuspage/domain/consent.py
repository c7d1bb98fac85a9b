"""Who may be told what, by which way and at which hour."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from notifiers.base import Channel, Failure, Keyword
from statuspage.domain.campaign import CampaignKind
from statuspage.domain.delivery import Reason
from statuspage.domain.errors import NotAllowed
from statuspage.domain.local_time import leave


class LegalBasis(StrEnum):
    """`contract`: a notice about the service itself. `consent`: anything else, told only to those who agreed."""

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


QUIET_START = time(22)
QUIET_END = time(8)
CAP_WINDOW = timedelta(hours=24)
CAP_SMS = 2


def refusal(basis: LegalBasis, consent: ConsentState, suppression: SuppressionReason | None) -> Reason | None:
    """Why this person is not told, or None. Whoever opted out is left alone whatever the basis."""
    if suppression is SuppressionReason.ERASED:
        return Reason.ERASED
    if suppression is SuppressionReason.OPT_OUT or consent is ConsentState.WITHDRAWN:
        return Reason.OPTED_OUT
    if suppression is SuppressionReason.INVALID:
        return Reason.INVALID_ADDRESS
    if suppression is not None:
        return Reason.SUPPRESSED
    if basis is LegalBasis.CONSENT and consent is not ConsentState.GIVEN:
        return Reason.NO_CONSENT
    return None


def after_keyword(keyword: Keyword, suppression: SuppressionReason | None) -> SuppressionReason | None:
    """What a word sent back makes of the suppression: STOP opts out, START lifts an opt-out and nothing graver."""
    if keyword is Keyword.STOP:
        return suppression or SuppressionReason.OPT_OUT
    if keyword is Keyword.START and suppression is SuppressionReason.OPT_OUT:
        return None
    return suppression


def after_failure(channel: Channel, failure: Failure) -> SuppressionReason | None:
    """What a permanent failure or a report from the provider says about the address for the time to come."""
    if failure is Failure.COMPLAINT:
        return SuppressionReason.COMPLAINT
    if failure is Failure.OPTED_OUT:
        return SuppressionReason.OPT_OUT
    if failure is Failure.INVALID_ADDRESS:
        return SuppressionReason.HARD_BOUNCE if channel is Channel.EMAIL else SuppressionReason.INVALID
    return None


def quiet_until(now: datetime, zone: ZoneInfo, start: time = QUIET_START, end: time = QUIET_END) -> datetime | None:
    """When this person's quiet hours are over, in UTC, or None when it is not quiet there now.

    The answer never lies within quiet hours, also on the nights when clocks change. Equal ends mean no quiet hours.
    """
    return leave(now, zone, start, end)


def keeps_quiet(kind: CampaignKind, channel: Channel, overridden: bool) -> bool:
    """Whether quiet hours hold this message back. Only SMS wakes people; a confirmation is awaited; a second person may
    override them for what cannot wait, such as an imminent suspension."""
    return channel is Channel.SMS and kind is not CampaignKind.CONFIRMATION and not overridden


def check_quiet_override(author_ids: Collection[int], approver_id: int) -> None:
    if approver_id in author_ids:
        raise NotAllowed(
            "consent.own_quiet_override",
            "quiet hours: a second person has to agree to wake people up. Ask a colleague.",
            "quiet_override_by",
        )


def over_cap(kind: CampaignKind, channel: Channel, told_in_window: int, cap: int = CAP_SMS) -> bool:
    """Whether a person has had enough. `told_in_window` counts the incident notices by SMS of the last 24 hours over
    all incidents; end notices and confirmations neither count nor are capped."""
    return kind is CampaignKind.INCIDENT_NOTICE and channel is Channel.SMS and told_in_window >= cap
