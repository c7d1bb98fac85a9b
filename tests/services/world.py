"""The sample operator and its people, as tests of verbs need them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.orm import Session

from statuspage.clock import FrozenClock
from statuspage.db import Sessions, transaction
from statuspage.domain.incident import IncidentState
from statuspage.models import Incident, PageRevision, User
from statuspage.services import incidents, lifecycle, passwords, sample, templates, users
from statuspage.services.actor import CLI, Actor, of_user
from statuspage.services.operator_facts import OperatorFacts
from statuspage.services.updates import NewUpdate
from tests.databases import NOW

OPERATOR = OperatorFacts(ZoneInfo("Europe/Moscow"), "0500", ("ru", "zh", "en"))


@dataclass(frozen=True)
class World:
    """A loaded operator. Actors are made anew for each session that needs them."""

    sessions: Sessions
    clock: FrozenClock

    def actor(self, session: Session, name: str) -> Actor:
        return of_user(users.find_user(session, f"{name}@demo.example"))

    def person(self, session: Session, role: str) -> Actor:
        """A further person with this role."""
        user, _ = users.add_user(session, CLI, email=f"{role}.2@demo.example", role=role, now=NOW)
        return of_user(user)

    def declare(self, session: Session, actor: Actor, key: str = "billing_outage", **changes: Any) -> Incident:
        now = self.clock.now()
        prepared = templates.declaration(session, key, profile="default_billing", now=now)
        return incidents.declare_incident(session, actor, replace(prepared, **changes), now=now)

    def update(
        self, session: Session, actor: Actor, incident: Incident, state: IncidentState, **changes: Any
    ) -> None:
        override = changes.pop("override", "")
        new = NewUpdate(state, {"ru": "Мы чиним и скоро расскажем больше."}, "ru", **changes)
        lifecycle.add_update(session, actor, incident, new, OPERATOR, override=override, now=self.clock.now())


@pytest.fixture
def world(sessions: Sessions, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch) -> World:
    # Argon2 is slow on purpose; one hash serves all people that no test logs in.
    shared = passwords.hash_of("one password of all people")
    monkeypatch.setattr(passwords, "hash_of", lambda _: shared)
    with transaction(sessions) as session:
        sample.load(session, time_zone="Europe/Moscow", now=clock.now())
    return World(sessions, clock)


def tell(session: Session, incident: Incident, clock: FrozenClock, revision: int = 1) -> None:
    """A published revision that tells the incident without gaps, as the publisher leaves it."""
    entries = {"/en/terminal": [], "/text/ivr.ru.txt": []}
    session.add(
        PageRevision(
            revision=revision,
            manifest={"entries": entries},
            incidents={incident.public_id: []},
            published_at=clock.now(),
            as_of=clock.now(),
        )
    )
    session.flush()


def user_of(session: Session, actor: Actor) -> User:
    return session.get_one(User, actor.id)
