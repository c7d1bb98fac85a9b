"""The life of an incident: which state follows which, and how the state is read from the updates."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from statuspage.domain.errors import RuleError


class IncidentState(StrEnum):
    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MONITORING = "monitoring"
    RESTORED_CATCHING_UP = "restored_catching_up"
    RESOLVED = "resolved"
    POSTMORTEM = "postmortem"


class Publication(StrEnum):
    """Whether the public sees an incident; apart from its state."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"
    DUPLICATE = "duplicate"


class CauseCategory(StrEnum):
    SOFTWARE = "software"
    HARDWARE = "hardware"
    DATABASE = "database"
    SERVER_CAPACITY = "server_capacity"
    CONFIGURATION = "configuration"
    NETWORK = "network"
    PLANNED_MAINTENANCE = "planned_maintenance"
    SECURITY = "security"
    THIRD_PARTY = "third_party"
    UNKNOWN = "unknown"


BROKEN = frozenset({IncidentState.INVESTIGATING, IncidentState.IDENTIFIED, IncidentState.MONITORING})
"""The service does not work, or may stop again."""

RESTORED = frozenset({IncidentState.RESTORED_CATCHING_UP, IncidentState.RESOLVED, IncidentState.POSTMORTEM})
"""Payments work again; an outage notice sent now would be wrong."""

ENDED = frozenset({IncidentState.RESOLVED, IncidentState.POSTMORTEM})
"""Crediting is verified; the grace tail runs."""

OPEN = BROKEN | {IncidentState.RESTORED_CATCHING_UP}
"""Updates are still due."""

RECURRENCE_WINDOW = timedelta(days=90)

_ORDER: Mapping[IncidentState, int] = MappingProxyType({state: rank for rank, state in enumerate(IncidentState)})


@dataclass(frozen=True, slots=True)
class UpdatePoint:
    """Where one update stands: `at` is what readers see and may be back-dated, `id` breaks a tie."""

    at: datetime
    id: int
    state: IncidentState


def current_state(updates: Iterable[UpdatePoint]) -> IncidentState:
    """The state of the latest update by (at, id), whatever the order of writing (after openstatus)."""
    latest = max(updates, key=_place, default=None)
    if latest is None:
        raise RuleError("incident.no_updates", "Write a first update: the state is read from it.", "updates")
    return latest.state


def state_since(updates: Iterable[UpdatePoint], states: Collection[IncidentState]) -> datetime | None:
    """Since when the incident has been in `states` without a break; None when it is not in them now.

    `state_since(updates, RESTORED)` is when the outage ended, `state_since(updates, ENDED)` when the tail began; both
    are None again after a reopening.
    """
    since: datetime | None = None
    for point in sorted(updates, key=_place):
        if point.state not in states:
            since = None
        elif since is None:
            since = point.at
    return since


def check_move(old: IncidentState, new: IncidentState) -> None:
    """Refuse a step that is neither forward, nor a reopening, nor an update without a change.

    Steps may be skipped forward, and any state may go back to an open one. A postmortem follows only a resolved
    incident, and it does not turn back into "resolved".
    """
    if new is IncidentState.POSTMORTEM and old not in ENDED:
        raise RuleError(
            "incident.illegal_move",
            f"state: from {old} to postmortem. Resolve the incident first, then publish the postmortem.",
            "state",
        )
    if _ORDER[new] < _ORDER[old] and new not in OPEN:
        raise RuleError(
            "incident.illegal_move",
            f"state: from {old} back to {new}. Reopen the incident with an open state, or post an update as {old}.",
            "state",
        )


def check_insert(updates: Sequence[UpdatePoint], new: UpdatePoint) -> None:
    """`check_move` for an update at its own place in time: against the update before it and the one after it."""
    place = _place(new)
    before = max((point for point in updates if _place(point) < place), key=_place, default=None)
    after = min((point for point in updates if _place(point) > place), key=_place, default=None)
    if before is not None:
        check_move(before.state, new.state)
    if after is not None:
        check_move(new.state, after.state)


def check_update_time(at: datetime, started_at: datetime, now: datetime) -> None:
    """An update may be back-dated to the start of the incident, never dated ahead. All three are aware."""
    if at.utcoffset() is None:
        raise RuleError("incident.naive_time", "at: the time has no zone. Give it with an offset, as in +03:00.", "at")
    if at > now:
        raise RuleError(
            "incident.update_in_future", f"at: {at.isoformat()} is later than now. Leave it empty to post it now.", "at"
        )
    if at < started_at:
        raise RuleError(
            "incident.update_before_start",
            f"at: {at.isoformat()} is before the start {started_at.isoformat()}. Move the start of the incident first.",
            "at",
        )


def recurrence(starts: Iterable[datetime], now: datetime, window: timedelta = RECURRENCE_WINDOW) -> int:
    """How many of the incidents began within `window` before now: "third billing incident in 90 days"."""
    return sum(1 for start in starts if now - window <= start <= now)


def _place(point: UpdatePoint) -> tuple[datetime, int]:
    return point.at, point.id


def cause_unsaid(state: IncidentState, cause: CauseCategory) -> bool:
    """The state says that the cause is found and the record does not say which; readers are then told neither."""
    return state is IncidentState.IDENTIFIED and cause is CauseCategory.UNKNOWN


def cause_told(state: IncidentState, cause: CauseCategory) -> bool:
    """Whether the public is told the cause's category. Of security only the words that somebody agreed to are said."""
    return cause is not CauseCategory.SECURITY and not cause_unsaid(state, cause)
