from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statuspage.domain.local_time import closing, end_of_day, end_of_local_day, leave, within

ZONES = [
    ZoneInfo(name)
    for name in (
        "Europe/Moscow", "Asia/Kamchatka", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
        "America/Sao_Paulo", "America/Havana", "Asia/Beirut", "Africa/Cairo", "Asia/Kathmandu", "America/St_Johns",
        "America/Asuncion", "Asia/Tehran", "Atlantic/Azores", "UTC",
    )
]  # fmt: skip
TICK = timedelta(microseconds=1)

moments = st.datetimes(
    datetime(2005, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC)  # noqa: DTZ001 - hypothesis adds the zone
)
zones = st.sampled_from(ZONES)
clocks = st.times().map(lambda drawn: drawn.replace(second=0, microsecond=0))


@given(moments, zones)
def test_the_end_of_a_local_day_is_its_exclusive_end(moment: datetime, zone: ZoneInfo) -> None:
    """The answer is later than the moment; the last instant before it is still that day, the instant itself is not."""
    end = end_of_local_day(moment, zone)
    day = moment.astimezone(zone).date()
    assert end > moment
    assert (end - TICK).astimezone(zone).date() == day
    assert end.astimezone(zone).date() > day
    assert timedelta(0) < end - moment <= timedelta(hours=25, minutes=1)


@given(moments, zones, st.integers(0, 30))
def test_days_are_days_of_the_calendar(moment: datetime, zone: ZoneInfo, days: int) -> None:
    """N days later is the end of the Nth calendar day after, however long those days are."""
    day = moment.astimezone(zone).date() + timedelta(days=days)
    assert end_of_local_day(moment, zone, days) == end_of_day(day, zone)


@given(moments, moments, zones)
def test_ends_are_monotone(one: datetime, other: datetime, zone: ZoneInfo) -> None:
    """A later moment never ends earlier, though local clocks may go back across midnight."""
    earlier, later = sorted((one, other))
    assert end_of_local_day(earlier, zone) <= end_of_local_day(later, zone)


@given(moments, zones)
def test_a_day_ends_at_24_00(moment: datetime, zone: ZoneInfo) -> None:
    """The exclusive end of a day is printed as 24:00 of that day, also where midnight does not exist."""
    assert closing(end_of_local_day(moment, zone), zone) == (moment.astimezone(zone).date(), "24:00")


def test_another_hour_is_printed_as_it_is() -> None:
    """An end within a day is printed with its own clock."""
    until = datetime(2025, 11, 25, 18, 30, tzinfo=UTC)
    assert closing(until, ZoneInfo("Europe/Moscow")) == (date(2025, 11, 25), "21:30")


@pytest.mark.parametrize(
    ("zone", "day", "end"),
    [
        ("Europe/Moscow", date(2025, 11, 25), "2025-11-25T21:00+00:00"),
        ("Asia/Shanghai", date(2025, 11, 25), "2025-11-25T16:00+00:00"),
        ("Asia/Beirut", date(2025, 3, 29), "2025-03-29T22:00+00:00"),
        ("America/Havana", date(2025, 11, 1), "2025-11-02T04:00+00:00"),
        ("America/Sao_Paulo", date(2018, 2, 17), "2018-02-18T03:00+00:00"),
        ("America/St_Johns", date(2010, 11, 6), "2010-11-07T03:30+00:00"),
        ("Pacific/Apia", date(2011, 12, 29), "2011-12-30T10:00+00:00"),
    ],
)
def test_ends_of_odd_days(zone: str, day: date, end: str) -> None:
    """Midnights that are skipped, repeated or stepped over end where the calendar changes for good."""
    assert end_of_day(day, ZoneInfo(zone)) == datetime.fromisoformat(end)


@given(moments, zones, clocks, clocks)
def test_after_the_window_is_never_within_it(moment: datetime, zone: ZoneInfo, start: time, end: time) -> None:
    """Leaving a window ends later than the moment, outside of the window, within two days, on any night of the year."""
    after = leave(moment, zone, start, end)
    if not within(moment, zone, start, end):
        assert after is None
    else:
        assert after is not None
        assert moment < after <= moment + timedelta(days=2)
        assert not within(after, zone, start, end)


def test_a_skipped_and_a_repeated_hour() -> None:
    """In Berlin a window to 02:30 ends after the gap in spring and at the first 02:30 in autumn."""
    berlin = ZoneInfo("Europe/Berlin")
    spring = leave(datetime(2025, 3, 30, 0, 0, tzinfo=UTC), berlin, time(22), time(2, 30))
    assert spring == datetime(2025, 3, 30, 1, 30, tzinfo=UTC)
    autumn = leave(datetime(2025, 10, 26, 0, 0, tzinfo=UTC), berlin, time(22), time(2, 30))
    assert autumn == datetime(2025, 10, 26, 0, 30, tzinfo=UTC)


def test_equal_ends_are_no_window() -> None:
    """Start and end at the same hour mean that there is no window at all."""
    assert leave(datetime(2025, 11, 22, 22, tzinfo=UTC), ZoneInfo("UTC"), time(22), time(22)) is None
