from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statuspage.domain.route import (
    CATALOGUE,
    STALE_AFTER,
    USABLE,
    Behaviour,
    RouteCheck,
    RouteKind,
    RouteReach,
    RouteSource,
    RouteState,
    derive,
    show_order,
    uncovered,
)

NOW = datetime(2025, 11, 22, 8, 0, tzinfo=UTC)
BROKE = NOW - timedelta(minutes=20)
BROKEN = {"billing_core": BROKE}
S = RouteState


def check(state: RouteState, minutes_ago: int, source: RouteSource = RouteSource.MANUAL) -> RouteCheck:
    return RouteCheck(state, source, NOW - timedelta(minutes=minutes_ago))


@pytest.mark.parametrize(
    ("seen", "behaviour", "broken", "expected"),
    [
        (check(S.WORKS, 5), Behaviour.FAILS, {}, S.WORKS),
        (check(S.WORKS, 31), Behaviour.FAILS, {}, S.UNKNOWN),
        (None, Behaviour.INDEPENDENT, {}, S.UNKNOWN),
        (check(S.WORKS, 25), Behaviour.QUEUES, BROKEN, S.UNKNOWN),
        (check(S.DOWN, 25), Behaviour.QUEUES, BROKEN, S.DOWN),
        (check(S.WORKS, 25, RouteSource.PROBE), Behaviour.QUEUES, BROKEN, S.UNKNOWN),
        (check(S.WORKS, 25), Behaviour.FAILS, BROKEN, S.DOWN),
        (None, Behaviour.FAILS, BROKEN, S.DOWN),
        (None, Behaviour.QUEUES, BROKEN, S.UNKNOWN),
        (check(S.WORKS, 5), Behaviour.QUEUES, BROKEN, S.WORKS),
        (check(S.WORKS, 5), Behaviour.FAILS, BROKEN, S.WORKS),
        (check(S.WORKS, 5, RouteSource.PROBE), Behaviour.QUEUES, BROKEN, S.WORKS_DELAYED),
        (check(S.WORKS, 5, RouteSource.PARTNER), Behaviour.FAILS, BROKEN, S.DOWN),
        (check(S.DOWN, 5, RouteSource.PROBE), Behaviour.QUEUES, BROKEN, S.DOWN),
        (check(S.WORKS, 25), Behaviour.INDEPENDENT, BROKEN, S.WORKS),
        (check(S.UNKNOWN, 5, RouteSource.PROBE), Behaviour.QUEUES, BROKEN, S.UNKNOWN),
        (check(S.WORKS, 5), Behaviour.FAILS, {"bank": BROKE}, S.WORKS),
    ],
)
def test_the_state_of_a_route(
    seen: RouteCheck | None, behaviour: Behaviour, broken: dict[str, datetime], expected: RouteState
) -> None:
    """A person's check after the break stands, a probe's only makes it worse; unchecked, only "down" is said."""
    assert derive(seen, ("billing_core",), behaviour, broken, NOW) is expected


checks = st.none() | st.builds(
    lambda state, source, minutes: RouteCheck(state, source, NOW - timedelta(minutes=minutes)),
    st.sampled_from(RouteState),
    st.sampled_from(RouteSource),
    st.integers(0, 90),
)


@given(checks, st.sampled_from(Behaviour), st.booleans())
def test_nothing_is_said_to_work_on_a_stale_check(seen: RouteCheck | None, behaviour: Behaviour, broken: bool) -> None:
    """Without a check within half an hour no route is shown as usable, whatever it should do by its table."""
    state = derive(seen, ("billing_core",), behaviour, BROKEN if broken else {}, NOW)
    if seen is None or NOW - seen.checked_at > STALE_AFTER:
        assert state in (S.UNKNOWN, S.DOWN)


def _failing(since: Mapping[str, int]) -> dict[str, datetime]:
    return {name: NOW - timedelta(minutes=minutes) for name, minutes in since.items()}


breaks = st.dictionaries(st.sampled_from(["billing_core", "bank", "shop_pos"]), st.integers(0, 60)).map(_failing)
NEEDED = ("billing_core", "bank")


@given(checks, st.sampled_from([Behaviour.QUEUES, Behaviour.FAILS]), breaks)
def test_a_check_from_before_the_break_is_asked_for_again(
    seen: RouteCheck | None, behaviour: Behaviour, broken: dict[str, datetime]
) -> None:
    """A check made before the last thing it depends on broke counts no more than none; that it was down stands."""
    last = max((since for name, since in broken.items() if name in NEEDED), default=None)
    if seen is None or last is None or seen.checked_at >= last:
        return
    state = derive(seen, NEEDED, behaviour, broken, NOW)
    assert state not in USABLE
    assert state in (S.DOWN, derive(None, NEEDED, behaviour, broken, NOW))


@given(st.sampled_from(RouteState), st.sampled_from(Behaviour), breaks, st.integers(0, 30))
def test_a_persons_check_after_every_break_counts(
    state: RouteState, behaviour: Behaviour, broken: dict[str, datetime], minutes: int
) -> None:
    """What somebody has seen since is shown as it was seen, whatever else is broken by then."""
    seen = check(state, minutes)
    needed = [name for name in NEEDED if name not in broken or broken[name] <= seen.checked_at]
    assert derive(seen, needed, behaviour, broken, NOW) is state


def test_what_works_is_shown_first() -> None:
    """The order of showing is works, delayed, degraded, down, unknown."""
    order = sorted(RouteState, key=show_order)
    assert order == [S.WORKS, S.WORKS_DELAYED, S.DEGRADED, S.DOWN, S.UNKNOWN]


def test_segments_and_regions_without_a_way_to_pay_are_listed() -> None:
    """Each affected pair without a usable payment route is named; service routes and dead ones do not count."""
    routes = [
        RouteReach(RouteKind.PAYMENT, S.WORKS, frozenset({"prepaid"}), frozenset({"msk"})),
        RouteReach(RouteKind.PAYMENT, S.WORKS_DELAYED, frozenset({"postpaid"})),
        RouteReach(RouteKind.PAYMENT, S.DOWN),
        RouteReach(RouteKind.SERVICE, S.WORKS),
    ]
    assert uncovered(routes, RouteKind.PAYMENT, {"prepaid", "postpaid"}, {"msk", "kam"}) == (("prepaid", "kam"),)
    assert uncovered(routes, RouteKind.SERVICE, {"prepaid"}, {""}) == ()


def test_the_catalogue_has_a_way_that_never_needs_billing() -> None:
    """Each kind has a route independent of billing, or a dead billing would leave people with nothing."""
    keys = [route.key for route in CATALOGUE]
    assert len(keys) == len(set(keys)) == 16
    for kind in RouteKind:
        free = [route for route in CATALOGUE if route.kind is kind and route.behaviour is Behaviour.INDEPENDENT]
        assert any(not {"billing_core"} & set(route.depends_on) for route in free)
    assert frozenset({S.WORKS, S.WORKS_DELAYED}) == USABLE
