"""A component's history as days: for each local day the worst state and how long it was disturbed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from statuspage.domain.component import ComponentState, worst
from statuspage.publish.bars import DAYS
from statuspage.publish.view import DayState

QUIET = (ComponentState.OPERATIONAL, ComponentState.UNDER_MAINTENANCE)


@dataclass(frozen=True, slots=True)
class Change:
    """From `at` on the component was `new`; before that it was `old`."""

    at: datetime
    old: ComponentState
    new: ComponentState


def first_day(now: datetime, zone: ZoneInfo) -> date:
    return now.astimezone(zone).date() - timedelta(days=DAYS - 1)


def day_states(
    changes: Sequence[Change], state: ComponentState, created_at: datetime, now: datetime, zone: ZoneInfo
) -> tuple[DayState, ...]:
    """The days from the first one shown, or from the component's creation, to that of `now`.

    `changes` are in order and reach back to the first day shown; without any the component was `state` throughout.
    """
    just_after = now + timedelta(microseconds=1)  # so that what began just now counts
    spans = _spans(changes, state, just_after)
    day = max(first_day(now, zone), min(created_at, now).astimezone(zone).date())
    days: list[DayState] = []
    while day <= now.astimezone(zone).date():
        start, end = _midnight(day, zone), min(_midnight(day + timedelta(days=1), zone), just_after)
        inside = [
            (max(since, start), min(until, end), one) for since, until, one in spans if since < end and until > start
        ]
        disturbed = sum((until - since for since, until, one in inside if one not in QUIET), timedelta())
        days.append(DayState(day, worst(one for *_, one in inside), round(disturbed.total_seconds()) // 60))
        day += timedelta(days=1)
    return tuple(days)


def _spans(
    changes: Sequence[Change], state: ComponentState, end: datetime
) -> list[tuple[datetime, datetime, ComponentState]]:
    """(since, until, state) without gaps, from the beginning of time to `end`."""
    beginning = datetime.min.replace(tzinfo=UTC)
    if not changes:
        return [(beginning, end, state)]
    spans = [(beginning, changes[0].at, changes[0].old)]
    for change, following in zip(changes, [*changes[1:], None], strict=True):
        spans.append((change.at, following.at if following else end, change.new))
    return spans


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    # In UTC, because a difference of two times of one zone would be that of the clocks on the wall.
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
