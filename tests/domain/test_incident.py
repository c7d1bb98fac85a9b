from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statuspage.domain.errors import RuleError
from statuspage.domain.incident import (
    BROKEN,
    ENDED,
    OPEN,
    RESTORED,
    IncidentState,
    UpdatePoint,
    check_insert,
    check_move,
    check_update_time,
    current_state,
    recurrence,
    state_since,
)

START = datetime(2025, 11, 22, 7, 20, tzinfo=UTC)
S = IncidentState

points = st.builds(
    lambda minute, state: (START + timedelta(minutes=minute), state),
    st.integers(0, 300),
    st.sampled_from(IncidentState),
)
histories = st.lists(points, min_size=1, max_size=12).map(
    lambda drawn: [UpdatePoint(at, number, state) for number, (at, state) in enumerate(drawn, 1)]
)


@given(histories, st.randoms(use_true_random=False))
def test_state_is_that_of_the_latest_update(history: list[UpdatePoint], random: Random) -> None:
    """The state is that of the latest update by (at, id), in whatever order back-dated updates were written."""
    latest = history[0]
    for point in history:
        if point.at > latest.at or (point.at == latest.at and point.id > latest.id):
            latest = point
    shuffled = list(history)
    random.shuffle(shuffled)
    assert current_state(shuffled) is latest.state


def test_a_back_dated_update_does_not_change_the_state() -> None:
    """An update written later but dated before the latest one leaves the state as it was."""
    history = [UpdatePoint(START + timedelta(hours=2), 1, S.MONITORING), UpdatePoint(START, 2, S.INVESTIGATING)]
    assert current_state(history) is S.MONITORING


def test_no_updates_is_refused() -> None:
    """An incident without an update has no state to read."""
    with pytest.raises(RuleError) as refused:
        current_state([])
    assert refused.value.code == "incident.no_updates"


@given(st.sampled_from(IncidentState), st.sampled_from(IncidentState))
def test_steps_forward_and_reopening_are_legal_and_nothing_else(old: IncidentState, new: IncidentState) -> None:
    """A move is legal forward, to an open state, or without a change; a postmortem only follows a resolved incident."""
    order = list(IncidentState)
    forward = order.index(new) >= order.index(old)
    legal = (forward or new in OPEN) and (new is not S.POSTMORTEM or old in ENDED)
    if legal:
        check_move(old, new)
    else:
        with pytest.raises(RuleError) as refused:
            check_move(old, new)
        assert refused.value.code == "incident.illegal_move"
        assert refused.value.field == "state"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (S.INVESTIGATING, S.RESOLVED),
        (S.INVESTIGATING, S.RESTORED_CATCHING_UP),
        (S.POSTMORTEM, S.INVESTIGATING),
        (S.RESOLVED, S.RESTORED_CATCHING_UP),
        (S.MONITORING, S.IDENTIFIED),
        (S.RESOLVED, S.POSTMORTEM),
    ],
)
def test_legal_moves_by_name(old: IncidentState, new: IncidentState) -> None:
    """Skipping forward and reopening from any state are legal."""
    check_move(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [(S.INVESTIGATING, S.POSTMORTEM), (S.RESTORED_CATCHING_UP, S.POSTMORTEM), (S.POSTMORTEM, S.RESOLVED)],
)
def test_illegal_moves_by_name(old: IncidentState, new: IncidentState) -> None:
    """A postmortem before resolving, and un-publishing one by "resolved", are refused."""
    with pytest.raises(RuleError):
        check_move(old, new)


def test_a_back_dated_update_is_checked_against_both_neighbours() -> None:
    """An inserted postmortem is refused where the update before it had not resolved the incident."""
    history = [UpdatePoint(START, 1, S.INVESTIGATING), UpdatePoint(START + timedelta(hours=3), 2, S.RESOLVED)]
    check_insert(history, UpdatePoint(START + timedelta(hours=1), 3, S.MONITORING))
    with pytest.raises(RuleError):
        check_insert(history, UpdatePoint(START + timedelta(hours=1), 3, S.POSTMORTEM))
    ended = [*history, UpdatePoint(START + timedelta(hours=4), 4, S.POSTMORTEM)]
    with pytest.raises(RuleError):
        check_insert(ended, UpdatePoint(START + timedelta(hours=3, minutes=30), 5, S.MONITORING))


@given(histories, st.sampled_from([BROKEN, RESTORED, ENDED, OPEN]))
def test_state_since_is_the_start_of_the_last_run(history: list[UpdatePoint], states: frozenset[IncidentState]) -> None:
    """`state_since` answers a moment exactly when the incident is in the states now, and nothing after it left them."""
    since = state_since(history, states)
    assert (since is not None) == (current_state(history) in states)
    if since is not None:
        assert all(point.state in states for point in history if point.at > since)


def test_a_reopening_clears_since() -> None:
    """After a reopening the incident is not resolved, and a second resolving counts from its own moment."""
    hours = [(0, S.INVESTIGATING), (2, S.RESOLVED), (3, S.IDENTIFIED)]
    history = [UpdatePoint(START + timedelta(hours=hour), hour + 1, state) for hour, state in hours]
    assert state_since(history, ENDED) is None
    again = [*history, UpdatePoint(START + timedelta(hours=5), 9, S.RESTORED_CATCHING_UP)]
    assert state_since(again, RESTORED) == START + timedelta(hours=5)


@pytest.mark.parametrize(
    ("at", "code"),
    [
        (START - timedelta(seconds=1), "incident.update_before_start"),
        (START + timedelta(hours=1, seconds=1), "incident.update_in_future"),
        ((START + timedelta(minutes=5)).replace(tzinfo=None), "incident.naive_time"),
    ],
)
def test_an_update_lies_between_the_start_and_now(at: datetime, code: str) -> None:
    """Updates before the start, ahead of the clock or without a zone are refused by code."""
    check_update_time(START, START, START + timedelta(hours=1))
    with pytest.raises(RuleError) as refused:
        check_update_time(at, START, START + timedelta(hours=1))
    assert refused.value.code == code


def test_recurrence_counts_the_last_ninety_days() -> None:
    """An incident 91 days ago no longer counts; this one does."""
    starts = [START, START - timedelta(days=89), START - timedelta(days=91), START + timedelta(days=1)]
    assert recurrence(starts, START) == 2
