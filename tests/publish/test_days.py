from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statuspage.domain.component import ComponentState
from statuspage.publish.bars import DAYS, bars, disturbed
from statuspage.publish.days import Change, day_states
from statuspage.publish.reader import Reader
from statuspage.publish.view import DayState
from tests.publish import views

MOSCOW = ZoneInfo("Europe/Moscow")
NOW = datetime(2026, 11, 22, 11, 5, tzinfo=UTC)
OLD = datetime(2026, 1, 1, tzinfo=UTC)
UP, DOWN = ComponentState.OPERATIONAL, ComponentState.MAJOR_OUTAGE


def test_an_outage_over_midnight_is_split_by_the_local_day() -> None:
    """23:30 to 01:15 in Moscow is 30 minutes of one day and 75 of the next."""
    changes = [
        Change(datetime(2026, 11, 20, 20, 30, tzinfo=UTC), UP, DOWN),
        Change(datetime(2026, 11, 20, 22, 15, tzinfo=UTC), DOWN, UP),
    ]
    days = day_states(changes, UP, OLD, NOW, MOSCOW)
    assert len(days) == DAYS
    assert days[-3] == DayState(date(2026, 11, 20), DOWN, 30)
    assert days[-2] == DayState(date(2026, 11, 21), DOWN, 75)
    assert disturbed(days) == (2, timedelta(minutes=105))


def test_an_open_outage_counts_to_now_and_from_its_first_second() -> None:
    """The day's bar is tall at once when a component has just failed."""
    assert day_states([Change(NOW, UP, DOWN)], DOWN, OLD, NOW, MOSCOW)[-1] == DayState(date(2026, 11, 22), DOWN, 0)


def test_days_before_a_component_existed_are_not_shown() -> None:
    """A new component has no history that it could have kept."""
    assert len(day_states([], UP, NOW - timedelta(days=2), NOW, MOSCOW)) == 3


def test_maintenance_is_shown_but_not_counted_as_a_disturbance() -> None:
    """Planned work makes a bar of its own height and no minutes."""
    days = day_states([], ComponentState.UNDER_MAINTENANCE, NOW - timedelta(hours=1), NOW, MOSCOW)
    assert disturbed(days) == (0, timedelta())
    assert "d-under_maintenance" in bars(days, "")


def test_a_day_of_25_hours_can_be_disturbed_for_25_hours() -> None:
    """On the day on which clocks go back an outage of the whole day lasts 1,500 minutes."""
    berlin = ZoneInfo("Europe/Berlin")
    now = datetime(2026, 10, 26, 12, 0, tzinfo=UTC)
    days = day_states([], DOWN, datetime(2026, 10, 20, tzinfo=UTC), now, berlin)
    assert next(day.minutes for day in days if day.day == date(2026, 10, 25)) == 1500


@given(st.lists(st.tuples(st.integers(0, 200 * 1440), st.sampled_from(ComponentState)), max_size=12))
def test_the_minutes_of_all_days_are_those_of_the_changes(steps: list[tuple[int, ComponentState]]) -> None:
    """However states follow each other, no minute within the shown days is lost or counted twice."""
    now = datetime(2026, 7, 20, 0, 0, tzinfo=UTC)
    start = now - timedelta(minutes=200 * 1440)
    state, changes = UP, []
    for minute, new in sorted(steps, key=lambda step: step[0]):
        changes.append(Change(start + timedelta(minutes=minute), state, new))
        state = new
    days = day_states(changes, state, start, now, ZoneInfo("UTC"))
    first = datetime(2026, 4, 22, tzinfo=UTC)
    ends = [change.at for change in changes[1:]] + [now]
    expected = sum(
        (max(end, first) - max(change.at, first)).total_seconds() / 60
        for change, end in zip(changes, ends, strict=bool(changes))
        if change.new not in (UP, ComponentState.UNDER_MAINTENANCE)
    )
    assert sum(day.minutes for day in days) == expected


def test_ninety_days_are_a_small_drawing_with_a_text() -> None:
    """Runs of equal days are one line, a worse day is taller, and the drawing says the same in words."""
    days = tuple(DayState(date(2026, 1, 1), DOWN if place == 50 else UP) for place in range(90))
    drawing = bars(days, "1 day <b>")
    assert len(drawing) < 400
    assert 'stroke-width="24"' in drawing
    assert 'aria-label="1 day &lt;b&gt;"' in drawing


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (1, "1 day with disturbances since records began, 40 minutes in all"),
        (90, "1 day with disturbances in 90 days, 40 minutes in all"),
    ],
)
def test_a_young_component_does_not_speak_of_ninety_days(count: int, said: str) -> None:
    """Where records began less than ninety days ago the words say so, instead of "1 day in 1 day"."""
    (component,) = (one for one in views.COMPONENTS if one.state is ComponentState.DEGRADED_PERFORMANCE)
    days = (*[replace(one, worst=ComponentState.OPERATIONAL) for one in component.days[:-1]], component.days[-1])
    found = Reader(views.OUTAGE, "en").ninety(replace(component, days=days[-count:]))
    assert found == said.replace("1 day", "1\N{NO-BREAK SPACE}day").replace("90 ", "90\N{NO-BREAK SPACE}").replace(
        "40 ", "40\N{NO-BREAK SPACE}"
    )
