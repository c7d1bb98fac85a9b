"""Saying that it works again, and taking that back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from statuspage.db import transaction
from statuspage.domain.component import ComponentState
from statuspage.domain.errors import RuleError
from statuspage.domain.incident import IncidentState, Publication
from statuspage.models import Incident
from statuspage.services import components, lifecycle
from statuspage.services.actor import Actor
from tests.services.world import OPERATOR, World

TEXT = {"ru": "Оплата снова работает, зачисляем платежи."}


def _restore(world: World, session: Session, actor: Actor, incident: Incident) -> None:
    now = world.clock.now()
    lifecycle.restore_incident(session, actor, incident, TEXT, "ru", OPERATOR, credited_by_at=None, now=now)


def test_it_is_restored_once(world: World) -> None:
    """Of two people who say so at the same time the second is told, and the public reads it once."""
    with transaction(world.sessions) as session:
        engineer = world.actor(session, "engineer")
        incident = world.declare(session, engineer)
        _restore(world, session, engineer, incident)
        with pytest.raises(RuleError) as refused:
            _restore(world, session, engineer, incident)
    assert refused.value.code == "incident.restored_already"


def test_what_reopens_promises_the_next_update(world: World) -> None:
    """Nobody who reads that it fails again is left without a time, whoever said it from a terminal."""
    with transaction(world.sessions) as session:
        engineer = world.actor(session, "engineer")
        incident = world.declare(session, engineer)
        _restore(world, session, engineer, incident)
        world.update(session, engineer, incident, IncidentState.RESOLVED, override="Nobody paid during the outage.")
        assert incident.next_update_at is None
        again = world.clock.advance(timedelta(days=1))
        world.update(session, engineer, incident, IncidentState.INVESTIGATING)
        assert incident.next_update_at is not None
        assert incident.next_update_at > again


def test_a_reopening_breaks_what_it_names(world: World) -> None:
    """One service that fails again leaves the others working; that nothing else is named is not that all is broken."""
    with transaction(world.sessions) as session:
        engineer = world.actor(session, "engineer")
        incident = world.declare(session, engineer)
        world.update(session, engineer, incident, IncidentState.RESOLVED, override="Nobody paid during the outage.")
        world.clock.advance(timedelta(days=1))
        named = {"top_up": ComponentState.PARTIAL_OUTAGE}
        world.update(session, engineer, incident, IncidentState.IDENTIFIED, components=named)
        states = components.states_of(session, incident)
        assert states.pop("top_up") is ComponentState.PARTIAL_OUTAGE
        assert set(states.values()) == {ComponentState.OPERATIONAL}


def test_another_incident_that_holds_the_same_services_is_named(world: World) -> None:
    """Whoever says that one is restored learns of the other, while that one is public and broken."""
    with transaction(world.sessions) as session:
        engineer = world.actor(session, "engineer")
        incident = world.declare(session, engineer)
        world.declare(session, engineer, publication=Publication.DRAFT)
        assert components.also_broken_by(session, incident) == []
        other = world.declare(session, engineer, "top_up_outage")
        assert components.also_broken_by(session, incident) == [other]
        _restore(world, session, engineer, other)
        assert components.also_broken_by(session, incident) == []
