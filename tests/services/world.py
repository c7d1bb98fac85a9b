"""The sample operator and its people, as tests of verbs need them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from statuspage.clock import FrozenClock
from statuspage.db import Sessions, make_engine, make_sessions, transaction
from statuspage.domain.incident import IncidentState
from statuspage.models import Incident, PageRevision
from statuspage.services import incidents, installation, lifecycle, passwords, sample, templates, users
from statuspage.services.actor import CLI, Actor, of_user
from statuspage.services.addresses import AddressKey
from statuspage.services.operator_facts import OperatorFacts
from statuspage.services.updates import NewUpdate
from tests.databases import NOW, SECRET
from tests.databases import _administer as administer

_HASH = passwords.hash_of("one password of all people")
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
        prepared = templates.declaration(session, key, profile="default_billing", zone=OPERATOR.zone, now=now)
        looked = {"not_affected": ("calls", "sms")}  # somebody has; a template never does
        return incidents.declare_incident(session, actor, replace(prepared, **{**looked, **changes}), now=now)

    def update(self, session: Session, actor: Actor, incident: Incident, state: IncidentState, **changes: Any) -> None:
        override = changes.pop("override", "")
        new = NewUpdate(state, {"ru": "Мы чиним и скоро расскажем больше."}, "ru", **changes)
        lifecycle.add_update(session, actor, incident, new, OPERATOR, override=override, now=self.clock.now())


@pytest.fixture(scope="session")
def sample_sqlite(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the sample operator, that each test's own is copied from."""
    path = tmp_path_factory.mktemp("sample") / "sample.db"
    path.write_bytes(sqlite_template.read_bytes())
    engine = make_engine(f"sqlite:///{path}")
    _load(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def sample_postgres(postgres_url: URL, postgres_template: str) -> Iterator[str]:
    """The same on PostgreSQL, by name."""
    name = f"sample_{secrets.token_hex(4)}"
    administer(postgres_url, f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
    engine = make_engine(postgres_url.set(database=name).render_as_string(hide_password=False))
    _load(engine)
    engine.dispose()
    yield name
    administer(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def world(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """The sample operator on a database of the test's own, once on each engine."""
    monkeypatch.setattr(passwords, "hash_of", lambda _: _HASH)
    if request.param == "sqlite":
        path = tmp_path / "world.db"
        path.write_bytes(request.getfixturevalue("sample_sqlite").read_bytes())
        engine = make_engine(f"sqlite:///{path}")
        yield World(make_sessions(engine), clock)
        engine.dispose()
        return
    server: URL = request.getfixturevalue("postgres_url")
    template: str = request.getfixturevalue("sample_postgres")
    name = f"world_{secrets.token_hex(6)}"
    administer(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    engine = make_engine(server.set(database=name).render_as_string(hide_password=False))
    yield World(make_sessions(engine), clock)
    engine.dispose()
    administer(server, f"DROP DATABASE {name} WITH (FORCE)")


def _load(engine: Engine) -> None:
    with pytest.MonkeyPatch.context() as patch, transaction(make_sessions(engine)) as session:
        # Argon2 is slow on purpose; one hash serves all people that no test logs in.
        patch.setattr(passwords, "hash_of", lambda _: _HASH)
        installation.ensure(session, AddressKey.derive(SECRET), NOW)
        sample.load(session, time_zone="Europe/Moscow", now=NOW)


def tell(session: Session, incident: Incident, clock: FrozenClock, revision: int = 1) -> None:
    """A published revision that tells the incident without gaps, as the publisher leaves it."""
    entries: dict[str, list[str]] = {"/en/terminal": [], "/text/ivr.ru.txt": []}
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
