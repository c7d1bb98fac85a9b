"""Local days and hours across daylight saving: promises end at midnight where the customer lives."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_TICK = timedelta(microseconds=1)


def end_of_local_day(moment: datetime, zone: ZoneInfo, days: int = 0) -> datetime:
    """The exclusive end (24:00), in UTC, of the local day that `moment` falls into, or of the one `days` later.

    Always later than `moment`. Days are days of the calendar, of 23 to 25 hours.
    """
    return end_of_day(moment.astimezone(zone).date() + timedelta(days=days), zone)


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The first instant, in UTC, from which on it is no longer `day` in the zone."""
    midnight = datetime.combine(day + timedelta(days=1), time(), tzinfo=zone)
    first = midnight.astimezone(UTC)
    again = midnight.replace(fold=1).astimezone(UTC)
    # Where clocks go back across midnight, the day is resumed after its first end (St. John's until 2011).
    if again > first and (again - _TICK).astimezone(zone).date() == day:
        return again
    return first


def closing(until: datetime, zone: ZoneInfo) -> tuple[date, str]:
    """How an exclusive end is printed: the day and "24:00" at a day's end, else the day and "HH:MM"."""
    last = (until - _TICK).astimezone(zone)
    if end_of_day(last.date(), zone) == until:
        return last.date(), "24:00"
    local = until.astimezone(zone)
    return local.date(), f"{local:%H:%M}"


def within(moment: datetime, zone: ZoneInfo, start: time, end: time) -> bool:
    """Whether the local clock stands in [start, end); it may cross midnight, and is empty when both are equal."""
    wall = moment.astimezone(zone).time()
    if start <= end:
        return start <= wall < end
    return wall >= start or wall < end


def leave(moment: datetime, zone: ZoneInfo, start: time, end: time) -> datetime | None:
    """When the window that `moment` stands in is over, in UTC; None when it stands in none.

    The instant answered is never within the window, also when clocks are set back or an hour is skipped.
    """
    if not within(moment, zone, start, end):
        return None
    return next(instant for instant in _readings(moment, zone, end) if not within(instant, zone, start, end))


def enter(moment: datetime, zone: ZoneInfo, start: time, end: time) -> datetime:
    """When the window begins next, in UTC, after a `moment` outside it. `start` and `end` differ."""
    return next(instant for instant in _readings(moment, zone, start) if within(instant, zone, start, end))


def _readings(moment: datetime, zone: ZoneInfo, wall: time) -> Iterator[datetime]:
    day = moment.astimezone(zone).date()
    for offset in range(4):
        reading = datetime.combine(day + timedelta(days=offset), wall, tzinfo=zone)
        for instant in sorted({reading.astimezone(UTC), reading.replace(fold=1).astimezone(UTC)}):
            if instant > moment:
                yield instant
