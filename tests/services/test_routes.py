"""Ways to pay: what is derived, what a person or a probe says, and whom they leave without one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from statuspage.db import transaction
from statuspage.domain.errors import NotAllowed, NotFound, RuleError
from statuspage.domain.playbook import RowState
from statuspage.domain.route import RouteKind, RouteSource, RouteState
from statuspage.models import Incident
from statuspage.services import playbook, routes
from statuspage.services.actor import CLI
from tests.databases import NOW
from tests.services.world import OPERATOR, World, tell

WORKS = RouteState.WORKS


def _state(session: Session, key: str, world: World) -> RouteState:
    return next(one.state for one in routes.list_routes(session, world.clock.now()) if one.route.key == key)


def _say(session: Session, world: World, key: str, state: RouteState, source: RouteSource = RouteSource.MANUAL) -> None:
    routes.set_state(session, CLI, routes.get_route(session, key), state, source=source, now=world.clock.now())


def test_what_nobody_looked_at_is_unknown(world: World) -> None:
    """Without a check nothing is said to work; what depends on broken billing and fails is down all the same."""
    with transaction(world.sessions) as session:
        assert {one.state for one in routes.list_routes(session, NOW)} == {RouteState.UNKNOWN}
        world.declare(session, world.actor(session, "engineer"))
        assert _state(session, "promised_payment", world) is RouteState.DOWN
        assert _state(session, "bank_app", world) is RouteState.UNKNOWN


def test_check_grows_stale(world: World) -> None:
    """A person's word holds for half an hour."""
    with transaction(world.sessions) as session:
        _say(session, world, "bank_app", WORKS)
        assert _state(session, "bank_app", world) is WORKS
        world.clock.advance(timedelta(minutes=31))
        assert _state(session, "bank_app", world) is RouteState.UNKNOWN


def test_probe_cannot_talk_a_queue_away(world: World) -> None:
    """While billing is down a probe that sees an open door still means "credited later"."""
    with transaction(world.sessions) as session:
        world.declare(session, world.actor(session, "engineer"))
        world.clock.advance(timedelta(minutes=5))
        _say(session, world, "bank_app", WORKS, RouteSource.PROBE)
        _say(session, world, "bank_transfer", WORKS, RouteSource.PROBE)
        assert _state(session, "bank_app", world) is RouteState.WORKS_DELAYED
        assert _state(session, "bank_transfer", world) is WORKS
        shown = [one.state for one in routes.list_routes(session, world.clock.now())]
        assert shown[:2] == [WORKS, RouteState.WORKS_DELAYED]


def test_a_new_incident_asks_for_the_checks_again(world: World) -> None:
    """Another incident held the same service before: what was seen then says nothing of the one declared since, on the
    board and in the playbook's row; seen again, it counts."""
    with transaction(world.sessions) as session:
        engineer = world.actor(session, "engineer")
        world.declare(session, engineer)
        world.clock.advance(timedelta(minutes=28))
        _say(session, world, "sbp_qr", WORKS)
        assert _state(session, "sbp_qr", world) is WORKS
        world.clock.advance(timedelta(minutes=2))
        suspension = world.declare(session, engineer, started_at=world.clock.now() - timedelta(minutes=20))
        assert _state(session, "sbp_qr", world) is RouteState.UNKNOWN
        tell(session, suspension, world.clock)
        assert _ways(session, suspension, world) is RowState.OPEN
        _say(session, world, "sbp_qr", RouteState.WORKS_DELAYED)
        assert _state(session, "sbp_qr", world) is RouteState.WORKS_DELAYED
        assert _ways(session, suspension, world) is RowState.DONE


def _ways(session: Session, incident: Incident, world: World) -> RowState:
    listed = playbook.rows(session, incident, OPERATOR, world.clock.now())
    return next(row.state for row in listed if row.key == "payment_routes")


def test_older_check_changes_nothing(world: World) -> None:
    """A probe's late answer does not undo what was seen after it; one from the future is refused."""
    with transaction(world.sessions) as session:
        route = routes.get_route(session, "kiosk")
        _say(session, world, "kiosk", WORKS)
        routes.set_state(session, CLI, route, RouteState.DOWN, checked_at=NOW - timedelta(minutes=1), now=NOW)
        assert (route.set_state, route.checked_at) == (WORKS, NOW)
        with pytest.raises(RuleError):
            routes.set_state(session, CLI, route, WORKS, checked_at=NOW + timedelta(minutes=1), now=NOW)


def test_check_is_taken_back(world: World) -> None:
    """After that the state is derived again."""
    with transaction(world.sessions) as session:
        _say(session, world, "kiosk", WORKS)
        routes.forget_state(session, CLI, routes.get_route(session, "kiosk"), now=NOW)
        assert _state(session, "kiosk", world) is RouteState.UNKNOWN


def test_who_is_left_without_a_way_to_pay(world: World) -> None:
    """A route for companies covers companies; one for everybody covers everybody."""
    with transaction(world.sessions) as session:
        incident = world.declare(session, world.actor(session, "engineer"), regions=("urals",))
        _say(session, world, "corporate_invoice", WORKS)
        left = routes.uncovered_pairs(session, incident, RouteKind.PAYMENT, world.clock.now())
        assert left == [("postpaid", "urals"), ("prepaid", "urals"), ("roamers", "urals")]
        _say(session, world, "bank_transfer", WORKS)
        assert routes.uncovered_pairs(session, incident, RouteKind.PAYMENT, world.clock.now()) == []
        assert len(routes.uncovered_pairs(session, incident, RouteKind.SERVICE, world.clock.now())) == 5


def test_saying_what_a_route_does_needs_permission(world: World) -> None:
    """Somebody who may only look cannot turn a route on; an unknown one is named."""
    with transaction(world.sessions) as session:
        viewer = world.person(session, "viewer")
        with pytest.raises(NotAllowed):
            routes.set_state(session, viewer, routes.get_route(session, "kiosk"), WORKS, now=NOW)
        with pytest.raises(NotFound) as refused:
            routes.get_route(session, "pigeon")
        assert "bank_app" in refused.value.message
