from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from statuspage.domain.grace import GraceAction, GraceExclusion
from statuspage.domain.hold import (
    Decision,
    Hold,
    HoldAnswer,
    answer_when_unreachable,
    decide,
    restore_already_suspended,
)

NOW = datetime(2025, 11, 22, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)

holds = st.builds(
    Hold,
    policy=st.sampled_from(["a", "b", "c"]),
    revision=st.integers(1, 9),
    until=st.integers(-48, 96).map(lambda hours: NOW + timedelta(hours=hours)),
    actions=st.frozensets(st.sampled_from(GraceAction), min_size=1),
    starts_at=st.integers(-96, 24).map(lambda hours: NOW + timedelta(hours=hours)),
    excluded=st.frozensets(st.sampled_from(GraceExclusion)),
)


@given(st.lists(holds, max_size=6), st.frozensets(st.sampled_from(GraceExclusion)))
def test_the_latest_end_of_the_policies_that_cover_a_line_wins(
    policies: list[Hold], line: frozenset[GraceExclusion]
) -> None:
    """A line is held exactly while a policy in force covers it, to the latest of their ends, each action to its own."""
    covering = [p for p in policies if p.starts_at <= NOW < p.until and not (p.excluded & line)]
    answer = decide(policies, line, NOW)
    assert (answer.decision is Decision.HOLD) == bool(covering)
    if covering:
        assert answer.until == max(p.until for p in covering)
        assert answer.until == max(answer.actions.values())
        for action in GraceAction:
            ends = [p.until for p in covering if action in p.actions]
            assert answer.actions.get(action) == max(ends, default=None)


@given(st.lists(holds, max_size=6))
def test_actions_stand_in_one_order(policies: list[Hold]) -> None:
    """Whatever process answers, the actions come in the order of their list, so that two answers can be compared."""
    answer = decide(policies, (), NOW)
    assert list(answer.actions) == [action for action in GraceAction if action in answer.actions]


def test_a_reason_that_no_policy_excludes_does_not_end_a_hold() -> None:
    """Only the reasons that a policy names exclude a line from it."""
    hold = Hold("a", 1, NOW + HOUR, frozenset({GraceAction.NO_SUSPEND}), NOW - HOUR, frozenset({GraceExclusion.FRAUD}))
    assert decide([hold], {GraceExclusion.LEGAL_BAR}, NOW).decision is Decision.HOLD
    assert decide([hold], {GraceExclusion.FRAUD}, NOW).decision is Decision.PROCEED


def test_only_a_suspension_during_the_outage_is_undone() -> None:
    """A line suspended before the outage began is another matter."""
    assert restore_already_suspended(NOW, NOW, NOW)
    assert not restore_already_suspended(NOW - HOUR, NOW, NOW)
    assert not restore_already_suspended(None, NOW, NOW)


def test_without_us_a_dunning_system_fails_open() -> None:
    """A known hold stands to its end, a known "proceed" for its time; then hold with an alarm, then a person."""
    ttl, patience = 10 * timedelta(minutes=1), 6 * HOUR

    def ask(last: HoldAnswer | None, after: timedelta) -> tuple[Decision, bool] | None:
        answer = answer_when_unreachable(last, NOW, NOW + after, ttl, patience)
        return None if answer is None else (answer.decision, answer.alarm)

    held = HoldAnswer(Decision.HOLD, NOW + 24 * HOUR)
    assert ask(held, 23 * HOUR) == (Decision.HOLD, False)
    assert ask(held, 24 * HOUR) is None
    proceed = HoldAnswer(Decision.PROCEED)
    assert ask(proceed, ttl / 2) == (Decision.PROCEED, False)
    assert ask(proceed, HOUR) == (Decision.HOLD, True)
    assert ask(proceed, ttl + patience) is None
    assert ask(None, timedelta()) == (Decision.HOLD, True)
    assert ask(None, patience) is None
