"""When what the page says last changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from statuspage.db import transaction
from statuspage.domain.incident import Publication
from statuspage.domain.route import Behaviour, RouteState
from statuspage.models import (
    Component,
    GracePolicy,
    Incident,
    IncidentUpdate,
    Route,
)
from statuspage.publish.build import page_view
from statuspage.services import texts
from tests.databases import NOW
from tests.publish.world import World


def _rename_component(session: Session, now: datetime) -> None:
    component = session.scalars(select(Component).where(Component.key == "calls")).one()
    texts.write(session, "component", component.id, "name", {"ru": "Вызовы", "zh": "通话", "en": "Calls"}, "ru", now)


def _check_route(session: Session, now: datetime) -> None:
    session.execute(update(Route).values(set_state=RouteState.DOWN, checked_at=now, updated_at=now))


def _say_what_is_not_covered(session: Session, now: datetime) -> None:
    policy = session.scalars(select(GracePolicy)).one()
    texts.write(session, "grace_policy", policy.id, "not_covered", {"ru": "Подписки"}, "ru", now)


def _withdraw(session: Session, now: datetime) -> None:
    session.execute(update(Incident).values(publication=Publication.WITHDRAWN, updated_at=now))


@pytest.mark.parametrize("change", [_rename_component, _check_route, _say_what_is_not_covered, _withdraw])
def test_the_page_is_as_old_as_its_latest_change(world: World, change: Callable[[Session, datetime], None]) -> None:
    """A name, a route's check, the limits of a promise, an incident taken off move it; a mere rendering does not."""

    def updated_at(now: datetime) -> datetime:
        with transaction(world.sessions, read_only=True) as session:
            return page_view(session, world.settings, revision=1, now=now).updated_at

    assert updated_at(NOW + timedelta(minutes=20)) == NOW
    with transaction(world.sessions) as session:
        change(session, NOW + timedelta(minutes=10))
    assert updated_at(NOW + timedelta(minutes=20)) == NOW + timedelta(minutes=10)


def test_what_changes_by_itself_changes_the_page(world: World) -> None:
    """A check that grew too old, and an update that is late, are changes of what the page says."""
    with transaction(world.sessions, read_only=True) as session:
        stale = page_view(session, world.settings, revision=1, now=NOW + timedelta(minutes=45))
        late = page_view(session, world.settings, revision=1, now=NOW + timedelta(minutes=70))
    assert stale.updated_at == NOW + timedelta(minutes=30, seconds=1)
    assert late.updated_at == NOW + timedelta(hours=1)


def test_edited_words_of_an_update_have_the_date_of_the_edit(world: World) -> None:
    """Readers of the feeds and of the API see that an update says something else now."""
    with transaction(world.sessions) as session:
        told = session.scalars(select(IncidentUpdate)).one()
        edited = NOW + timedelta(minutes=5)
        texts.write(session, "incident_update", told.id, "body", {"en": "We are looking hard."}, "ru", edited)
        (said,) = page_view(session, world.settings, revision=1, now=edited).incidents[0].updates
    assert (said.created_at, said.updated_at) == (NOW, edited)


@pytest.mark.parametrize(
    ("behaviour", "minutes", "state", "told"),
    [
        (Behaviour.FAILS, -2, RouteState.DOWN, False),
        (Behaviour.QUEUES, -2, RouteState.UNKNOWN, True),
        (Behaviour.QUEUES, 2, RouteState.WORKS, True),
    ],
)
def test_a_check_from_before_the_incident_speaks_for_nothing(
    world: World, behaviour: Behaviour, minutes: int, state: RouteState, told: bool
) -> None:
    """What it saw to work is not shown as working, nor as seen to be down; the page says when it was last looked at."""
    at = NOW + timedelta(minutes=minutes)
    with transaction(world.sessions) as session:
        session.execute(update(Route).values(behaviour=behaviour, checked_at=at))
        (route,) = page_view(session, world.settings, revision=1, now=NOW + timedelta(minutes=5)).routes
    assert (route.state, route.checked_at) == (state, at if told else None)
