"""The promise that nobody is suspended for non-payment: how long it lasts and why it was last moved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from statuspage.domain.errors import NotAllowed, RuleError
from statuspage.domain.incident import ENDED, IncidentState
from statuspage.domain.local_time import end_of_local_day


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
    """The only reasons for which an exclusion wins over a hold."""

    FRAUD = "fraud"
    LEGAL_BAR = "legal_bar"
    SELF_REQUESTED = "self_requested"


class GraceCause(StrEnum):
    """Why a line of the ledger was written."""

    DECLARED = "declared"
    TICK = "tick"
    EXTENDED = "extended"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    RELEASED = "released"
    REVOKED = "revoked"


class ReleaseMode(StrEnum):
    AT_ONCE = "at_once"
    STAGGERED = "staggered"


@dataclass(frozen=True, slots=True)
class Release:
    """How lines leave the hold: all at once, or so many percent of them an hour against a rush."""

    mode: ReleaseMode = ReleaseMode.AT_ONCE
    percent_per_hour: int = 100


@dataclass(frozen=True, slots=True)
class PolicyTerms:
    """What a policy promises. Durations in whole hours and days of the operator's calendar; datetimes aware.

    `min_until` is the promise printed to customers, exclusive; `cap_lifted` says that a second person agreed to go past
    `hard_cap_days`, which are counted in local days from the day of `starts_at`.
    """

    starts_at: datetime
    zone: ZoneInfo
    segments: frozenset[str]
    actions: frozenset[GraceAction] = frozenset({GraceAction.NO_SUSPEND})
    excluded: frozenset[GraceExclusion] = frozenset(GraceExclusion)
    mode: GraceMode = GraceMode.FOLLOWS_INCIDENT
    min_until: datetime | None = None
    rolling_hours: int = 48
    tail_days: int = 3
    hard_cap_days: int = 14
    cap_lifted: bool = False
    release: Release = Release()


@dataclass(frozen=True, slots=True)
class GraceFacts:
    """The incident as it is and the policy's state as it was last written.

    `resolved_at` is since when the incident is resolved without a break (`incident.state_since`), None while open.
    """

    incident: IncidentState
    resolved_at: datetime | None
    state: GraceState


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The next value to publish. `cause` is None when there is nothing to write; `capped` asks for a second person."""

    until: datetime | None
    state: GraceState
    cause: GraceCause | None
    capped: bool = False


def evaluate(terms: PolicyTerms, facts: GraceFacts, published_until: datetime | None, now: datetime) -> Evaluation:
    """Where the promise stands at `now` (grace.md §4.2). The published `until` never becomes earlier.

    While the incident is open it is the end of the local day in which now + rolling_hours falls; resolved, it is the
    end of the resolving day plus the tail; a reopening makes it active again. Asking again changes nothing.
    """
    if facts.state in (GraceState.DRAFT, GraceState.REVOKED):
        return Evaluation(published_until, facts.state, None)
    until = next_until(terms, facts, published_until, now)
    state = _state(terms, facts, until, published_until, now)
    capped = not terms.cap_lifted and _wanted(terms, facts, now) > hard_cap(terms)
    return Evaluation(until, state, _cause(terms, facts, state, until, published_until), capped)


def next_until(terms: PolicyTerms, facts: GraceFacts, published_until: datetime | None, now: datetime) -> datetime:
    """The exclusive end to print next, in UTC, whether the policy is open already or would be opened now."""
    wanted = _wanted(terms, facts, now)
    allowed = wanted if terms.cap_lifted else min(wanted, hard_cap(terms))
    return allowed if published_until is None else max(published_until, allowed)


def hard_cap(terms: PolicyTerms) -> datetime:
    """The exclusive end, in UTC, past which only a second person can promise."""
    return end_of_local_day(terms.starts_at, terms.zone, terms.hard_cap_days)


def _wanted(terms: PolicyTerms, facts: GraceFacts, now: datetime) -> datetime:
    least = terms.min_until if terms.min_until is not None else terms.starts_at
    if terms.mode is GraceMode.FIXED:
        return least
    if facts.incident in ENDED and facts.resolved_at is not None:
        return max(least, end_of_local_day(facts.resolved_at, terms.zone, terms.tail_days))
    # A clock set back behind the start must not shorten what a later tick will promise anyway.
    moment = max(now, terms.starts_at) + timedelta(hours=terms.rolling_hours)
    return max(least, end_of_local_day(moment, terms.zone))


def _state(
    terms: PolicyTerms, facts: GraceFacts, until: datetime, published_until: datetime | None, now: datetime
) -> GraceState:
    if now >= until or (facts.state is GraceState.RELEASED and until == published_until):
        # Released stays released until a new promise is made, also when the clock is set back.
        return GraceState.RELEASED
    if terms.mode is GraceMode.FOLLOWS_INCIDENT and facts.incident in ENDED:
        return GraceState.TAIL
    return GraceState.ACTIVE


def _cause(
    terms: PolicyTerms, facts: GraceFacts, state: GraceState, until: datetime, published_until: datetime | None
) -> GraceCause | None:
    if published_until is None:
        return GraceCause.DECLARED
    if until > published_until and until == terms.min_until:
        return GraceCause.EXTENDED
    if state is not facts.state:
        if state is GraceState.RELEASED:
            return GraceCause.RELEASED
        return GraceCause.RESOLVED if state is GraceState.TAIL else GraceCause.REOPENED
    return GraceCause.TICK if until > published_until else None


def check_extension(terms: PolicyTerms, published_until: datetime | None, until: datetime) -> None:
    """A promise may only be moved later, and past the hard cap only with the second person's agreement."""
    if published_until is not None and until < published_until:
        raise RuleError(
            "grace.never_earlier",
            f"until: {until.isoformat()} is before {published_until.isoformat()}, which customers were promised. "
            "Give that moment or a later one.",
            "until",
        )
    cap = hard_cap(terms)
    if until > cap and not terms.cap_lifted:
        raise RuleError(
            "grace.over_cap",
            f"until: {until.isoformat()} is past the cap {cap.isoformat()}. Ask a second person to lift the cap first.",
            "until",
        )


def check_terms(terms: PolicyTerms) -> None:
    """Refuse terms that promise nothing or cannot be kept."""
    refusals = (
        (not terms.segments, "segments", "name at least one segment"),
        (not terms.actions, "actions", "name at least one thing that is not done to a line in grace"),
        (terms.starts_at.utcoffset() is None, "starts_at", "give the time with an offset, as in +03:00"),
        (not 0 <= terms.rolling_hours <= 336, "rolling_hours", "use 0 to 336"),
        (not 0 <= terms.tail_days <= 60, "tail_days", "use 0 to 60"),
        (not 1 <= terms.hard_cap_days <= 366, "hard_cap_days", "use 1 to 366"),
        (not 1 <= terms.release.percent_per_hour <= 100, "release", "use 1 to 100 percent an hour"),
        (terms.mode is GraceMode.FIXED and terms.min_until is None, "min_until", "a fixed policy needs its end"),
    )
    for refused, field, remedy in refusals:
        if refused:
            raise RuleError("grace.bad_terms", f"{field}: {remedy}.", field)
    if terms.min_until is not None:
        check_extension(terms, None, terms.min_until)


def check_two_people(author_id: int, approver_id: int, act: str) -> None:
    """Opening a default policy, lifting the cap and revoking each take two different people."""
    if author_id == approver_id:
        raise NotAllowed("grace.own_approval", f"{act}: a second person has to agree. Ask a colleague.", "approved_by")


def check_system(name: str) -> str:
    """The name of a dunning system, trimmed."""
    if not 1 <= len(name.strip()) <= 60:
        raise RuleError("grace.bad_system", "system: give the name of the system, 1 to 60 characters.", "system")
    return name.strip()


def release_moment(until: datetime, release: Release, bucket: int) -> datetime:
    """When one line leaves the hold. `bucket` is a number 0 to 99 that stays the same for a line (a hash of its id)."""
    if release.mode is ReleaseMode.AT_ONCE:
        return until
    return until + timedelta(hours=bucket % 100 // release.percent_per_hour)
