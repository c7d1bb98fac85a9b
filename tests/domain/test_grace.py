from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statuspage.domain.errors import NotAllowed, RuleError
from statuspage.domain.grace import (
    Evaluation,
    GraceCause,
    GraceFacts,
    GraceMode,
    GraceState,
    PolicyTerms,
    Release,
    ReleaseMode,
    check_extension,
    check_terms,
    check_two_people,
    evaluate,
    hard_cap,
    next_until,
    release_moment,
)
from statuspage.domain.incident import ENDED, IncidentState
from statuspage.domain.local_time import closing, end_of_local_day

MOSCOW = ZoneInfo("Europe/Moscow")
START = datetime(2025, 11, 22, 7, 20, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TERMS = PolicyTerms(START, MOSCOW, frozenset({"prepaid"}))
OPEN = GraceFacts(IncidentState.INVESTIGATING, None, GraceState.ACTIVE)

zones = st.sampled_from(
    [ZoneInfo(name) for name in ("Europe/Moscow", "Asia/Kamchatka", "America/Havana", "Asia/Beirut", "Europe/Berlin")]
)
terms = st.builds(
    PolicyTerms,
    starts_at=st.datetimes(datetime(2025, 1, 1), datetime(2025, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
    zone=zones,
    segments=st.just(frozenset({"prepaid"})),
    mode=st.sampled_from(GraceMode),
    rolling_hours=st.integers(0, 96),
    tail_days=st.integers(0, 7),
    hard_cap_days=st.integers(1, 20),
    cap_lifted=st.booleans(),
)
steps = st.lists(
    st.tuples(st.integers(-200, 400), st.sampled_from(list(IncidentState)), st.booleans()), min_size=1, max_size=20
)


Steps = list[tuple[int, IncidentState, bool]]


def run(
    terms: PolicyTerms, steps: Steps
) -> Iterator[tuple[PolicyTerms, GraceFacts, datetime | None, datetime, Evaluation]]:
    """Evaluates again and again as a scheduler does, the clock jumping; yields each evaluation with its input."""
    now, state = terms.starts_at, GraceState.ACTIVE
    published: datetime | None = None
    resolved: datetime | None = None
    for hours, incident, extend in steps:
        now += timedelta(hours=hours)
        if extend and published is not None:
            terms = replace(terms, min_until=published + timedelta(hours=5))
        resolved = (resolved or now) if incident in ENDED else None
        facts = GraceFacts(incident, resolved, state)
        evaluation = evaluate(terms, facts, published, now)
        yield terms, facts, published, now, evaluation
        published, state = evaluation.until, evaluation.state


def _end(evaluation: Evaluation) -> datetime:
    assert evaluation.until is not None
    return evaluation.until


@given(terms, steps)
def test_a_promise_never_becomes_earlier(terms: PolicyTerms, steps: Steps) -> None:
    """Whatever the incident and the clock do, reopening and jumping back included, the published end never falls."""
    for _, _, published, _, evaluation in run(terms, steps):
        assert evaluation.until is not None
        assert published is None or evaluation.until >= published


@given(terms, steps)
def test_nothing_passes_the_cap_without_a_second_person(terms: PolicyTerms, steps: Steps) -> None:
    """Also with a clock gone mad the promise stays below the hard cap, unless the cap was lifted."""
    for current, _, _, _, evaluation in run(terms, steps):
        if not current.cap_lifted:
            assert _end(evaluation) <= hard_cap(current)


@given(terms, steps)
def test_asking_again_changes_nothing(terms: PolicyTerms, steps: Steps) -> None:
    """A second evaluation at the same moment has the same end and state and nothing to write."""
    for current, facts, _, now, evaluation in run(terms, steps):
        again = evaluate(current, replace(facts, state=evaluation.state), evaluation.until, now)
        assert (again.until, again.state, again.cause) == (evaluation.until, evaluation.state, None)


@given(terms, steps)
def test_a_line_of_the_ledger_is_written_exactly_when_something_changed(terms: PolicyTerms, steps: Steps) -> None:
    """A cause is given when, and only when, the end or the state differs from what was written last."""
    for _, facts, published, _, evaluation in run(terms, steps):
        changed = evaluation.until != published or evaluation.state is not facts.state
        assert (evaluation.cause is not None) == changed


@given(terms, steps)
def test_released_only_when_the_end_is_past_and_stays_so(terms: PolicyTerms, steps: Steps) -> None:
    """A hold in force is never released before its end; a released one comes back only with a new promise."""
    for _, facts, published, now, evaluation in run(terms, steps):
        if evaluation.state is GraceState.RELEASED:
            assert now >= _end(evaluation) or (facts.state is GraceState.RELEASED and evaluation.until == published)
        else:
            assert now < _end(evaluation)


@given(terms, st.integers(0, 24 * 30))
def test_while_open_the_end_is_midnight_of_the_rolling_day(terms: PolicyTerms, hours: int) -> None:
    """Open and below the cap: the end of the local day into which now + rolling hours falls, printed as 24:00."""
    terms = replace(terms, mode=GraceMode.FOLLOWS_INCIDENT)
    now = terms.starts_at + timedelta(hours=hours)
    until = next_until(terms, OPEN, None, now)
    wanted = end_of_local_day(now + timedelta(hours=terms.rolling_hours), terms.zone)
    assert until == (wanted if terms.cap_lifted else min(wanted, hard_cap(terms)))
    assert closing(until, terms.zone)[1] == "24:00"


def test_the_promise_moves_once_a_day() -> None:
    """Ticks every ten minutes of three days write a new end on three days only: texts already sent stay true."""
    published: datetime | None = None
    writes = 0
    for tick in range(3 * 24 * 6):
        evaluation = evaluate(TERMS, OPEN, published, START + timedelta(minutes=10 * tick))
        writes += evaluation.cause is GraceCause.TICK
        published = evaluation.until
    assert writes == 3


def test_the_story_of_one_incident() -> None:
    """Declared, ticked, resolved, reopened in the tail, resolved again, released: each with its cause and its end."""
    declared = evaluate(TERMS, OPEN, None, START)
    assert declared.cause is GraceCause.DECLARED
    assert declared.until == datetime(2025, 11, 24, 21, tzinfo=UTC)
    resolved_at = START + 9 * HOUR
    resolved = GraceFacts(IncidentState.RESOLVED, resolved_at, GraceState.ACTIVE)
    in_tail = evaluate(TERMS, resolved, declared.until, resolved_at)
    assert (in_tail.state, in_tail.cause) == (GraceState.TAIL, GraceCause.RESOLVED)
    assert in_tail.until == datetime(2025, 11, 25, 21, tzinfo=UTC)
    reopened_at = START + 50 * HOUR
    reopened = evaluate(TERMS, replace(OPEN, state=GraceState.TAIL), in_tail.until, reopened_at)
    assert (reopened.state, reopened.cause) == (GraceState.ACTIVE, GraceCause.REOPENED)
    assert reopened.until == datetime(2025, 11, 26, 21, tzinfo=UTC)
    again_at = reopened_at + HOUR
    facts = GraceFacts(IncidentState.RESOLVED, again_at, GraceState.ACTIVE)
    tail = evaluate(TERMS, facts, reopened.until, again_at)
    assert tail.until == datetime(2025, 11, 27, 21, tzinfo=UTC)
    over = evaluate(TERMS, replace(facts, state=GraceState.TAIL), tail.until, _end(tail))
    assert (over.state, over.cause, over.until) == (GraceState.RELEASED, GraceCause.RELEASED, tail.until)


def test_the_tail_begins_at_resolved_not_at_restored() -> None:
    """While payments are catching up the promise still rolls and the policy is still active."""
    facts = GraceFacts(IncidentState.RESTORED_CATCHING_UP, None, GraceState.ACTIVE)
    evaluation = evaluate(TERMS, facts, None, START)
    assert evaluation.state is GraceState.ACTIVE
    assert evaluation.until == end_of_local_day(START + 48 * HOUR, MOSCOW)


def test_the_cap_is_reported_and_lifted_by_a_second_person() -> None:
    """At the cap the evaluation says so; with the cap lifted the promise rolls on."""
    late = START + 14 * DAY
    capped = evaluate(TERMS, OPEN, None, late)
    assert capped.capped
    assert capped.until == hard_cap(TERMS)
    lifted = evaluate(replace(TERMS, cap_lifted=True), OPEN, capped.until, late)
    assert not lifted.capped
    assert lifted.until == end_of_local_day(late + 48 * HOUR, MOSCOW)
    assert lifted.cause is GraceCause.TICK


def test_a_fixed_policy_ends_at_its_date() -> None:
    """A fixed policy promises its date, whatever the incident does, and is released then."""
    terms = replace(TERMS, mode=GraceMode.FIXED, min_until=START + 2 * DAY)
    assert evaluate(terms, OPEN, None, START).until == START + 2 * DAY
    assert evaluate(terms, OPEN, START + 2 * DAY, START + 2 * DAY).state is GraceState.RELEASED


@pytest.mark.parametrize("state", [GraceState.DRAFT, GraceState.REVOKED])
def test_drafts_and_revoked_policies_are_left_alone(state: GraceState) -> None:
    """Neither a draft nor a revoked policy moves by itself."""
    evaluation = evaluate(TERMS, replace(OPEN, state=state), START + DAY, START + 2 * DAY)
    assert (evaluation.until, evaluation.state, evaluation.cause) == (START + DAY, state, None)


def test_an_extension_is_only_ever_later() -> None:
    """An earlier end than the one promised is refused, and so is one past the cap until a second person lifts it."""
    check_extension(TERMS, START + DAY, START + 2 * DAY)
    with pytest.raises(RuleError) as earlier:
        check_extension(TERMS, START + 2 * DAY, START + DAY)
    assert earlier.value.code == "grace.never_earlier"
    with pytest.raises(RuleError) as beyond:
        check_extension(TERMS, START, START + 20 * DAY)
    assert beyond.value.code == "grace.over_cap"
    check_extension(replace(TERMS, cap_lifted=True), START, START + 20 * DAY)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"segments": frozenset()}, "segments"),
        ({"actions": frozenset()}, "actions"),
        ({"starts_at": START.replace(tzinfo=None)}, "starts_at"),
        ({"rolling_hours": -1}, "rolling_hours"),
        ({"tail_days": 61}, "tail_days"),
        ({"hard_cap_days": 0}, "hard_cap_days"),
        ({"release": Release(ReleaseMode.STAGGERED, 0)}, "release"),
        ({"mode": GraceMode.FIXED}, "min_until"),
        ({"min_until": START + 30 * DAY}, "until"),
    ],
)
def test_terms_that_cannot_be_kept_are_refused(change: dict[str, Any], field: str) -> None:
    """Each impossible term is refused by the name of its field."""
    check_terms(TERMS)
    with pytest.raises(RuleError) as refused:
        check_terms(replace(TERMS, **change))
    assert refused.value.field == field


def test_two_people_are_two() -> None:
    """One person cannot agree with himself."""
    check_two_people(1, 2, "revoking")
    with pytest.raises(NotAllowed):
        check_two_people(1, 1, "revoking")


@given(st.integers(0, 99), st.integers(1, 100))
def test_a_staggered_release_lets_go_by_the_hour(bucket: int, percent: int) -> None:
    """Nobody leaves before the end; lines leave in whole hours, at most the set percent in each."""
    until = START + DAY
    release = Release(ReleaseMode.STAGGERED, percent)
    at = release_moment(until, release, bucket)
    assert at >= until
    assert sum(release_moment(until, release, other) == at for other in range(100)) <= percent
    assert release_moment(until, Release(), bucket) == until
