from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statuspage.domain.local_time import enter, within
from statuspage.domain.validity import QuietHours, time_left, worth

MOSCOW = QuietHours(ZoneInfo("Europe/Moscow"), time(22), time(8))
HOUR = timedelta(hours=1)


def at(hour: int, minute: int = 0, day: int = 22) -> datetime:
    """By the clock of Moscow."""
    return datetime(2026, 11, day, hour, minute, tzinfo=MOSCOW.zone).astimezone(UTC)


@pytest.mark.parametrize(
    ("since", "quiet", "spans"),
    [
        (at(12), MOSCOW, [(at(12), at(16))]),
        (at(18), MOSCOW, [(at(18), at(22))]),
        (at(21), MOSCOW, [(at(21), at(22)), (at(8, day=23), at(11, day=23))]),
        (at(23), MOSCOW, [(at(8, day=23), at(12, day=23))]),
        (at(22), MOSCOW, [(at(8, day=23), at(12, day=23))]),
        (at(23), None, [(at(23), at(3, day=23))]),
        (at(23), MOSCOW._replace(end=time(22)), [(at(23), at(3, day=23))]),
    ],
)
def test_quiet_hours_stop_the_clock(
    since: datetime, quiet: QuietHours | None, spans: list[tuple[datetime, datetime]]
) -> None:
    """Four hours from then on, without those in which nobody may be woken."""
    assert worth(since, 4 * HOUR, quiet) == tuple(spans)


def test_what_is_left_shrinks_only_while_it_may_go() -> None:
    """Whole before it begins, as a clock that was set back has it; the same all night; nothing once it is over."""
    spans = worth(at(21), 4 * HOUR, MOSCOW)
    asked = [at(20), at(21), at(21, 45), at(22), at(3, day=23), at(8, day=23), at(10, 30, 23), at(11, day=23)]
    left = [time_left(spans, now) / HOUR for now in asked]
    assert left == [4, 4, 3.25, 3, 3, 3, 0.5, 0]
    assert time_left(spans, at(12, day=25)) == timedelta(0)


@given(
    st.datetimes(datetime(2005, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - it adds the zone
    st.sampled_from([ZoneInfo(name) for name in ("Europe/Moscow", "America/St_Johns", "Australia/Lord_Howe", "UTC")]),
    st.integers(1, 600).map(lambda minutes: timedelta(minutes=minutes)),
)
def test_the_spans_add_up_outside_quiet_hours(since: datetime, zone: ZoneInfo, validity: timedelta) -> None:
    """Whatever the clocks do, a message is worth as long as it says, and never in quiet hours."""
    quiet = MOSCOW._replace(zone=zone)
    spans = worth(since, validity, quiet)
    assert sum((end - begin for begin, end in spans), timedelta(0)) == validity
    assert not any(within(begin, *quiet) for begin, _ in spans)
    assert all(end <= enter(begin, *quiet) for begin, end in spans)
