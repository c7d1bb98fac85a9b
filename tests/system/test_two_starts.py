from __future__ import annotations

import secrets
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import TypeVar
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select
from sqlalchemy.engine import URL

from statuspage import schema
from statuspage.clock import SystemClock
from statuspage.db import transaction
from statuspage.domain.component import ComponentState
from statuspage.models import AuditEntry, Component, Incident, Installation, PageRevision, PageState
from statuspage.publish.mirror import Mirror
from statuspage.publish.publisher import PUBLIC_FOLDER
from statuspage.services import incidents, page, templates
from statuspage.services.actor import CLI
from statuspage.web.front import load
from tests.system.conftest import administer, opened
from tests.system.place import Place, free_port, leaks
from tests.system.stories import declare
from tests.waiting import until

Result = TypeVar("Result")
OTHER_KEY = "another-secret-key-another-secret-key"


def at_once(action: Callable[[], Result], count: int = 2) -> list[Result]:
    """`action`, `count` times, begun at the same moment."""
    gate = Barrier(count)

    def begin() -> Result:
        gate.wait()
        return action()

    with ThreadPoolExecutor(count) as threads:
        return [one.result() for one in [threads.submit(begin) for _ in range(count)]]


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """An installation whose database has no table yet; on SQLite not even a file."""
    if request.param == "sqlite":
        yield from opened(tmp_path, f"sqlite:///{tmp_path / 'statuspage.db'}")
        return
    server: URL = request.getfixturevalue("postgres_url")
    name = f"empty_{secrets.token_hex(4)}"
    administer(server, f"CREATE DATABASE {name}")
    yield from opened(tmp_path, server.set(database=name).render_as_string(hide_password=False))
    administer(server, f"DROP DATABASE {name} WITH (FORCE)")


def test_two_upgrades_at_once_make_one_database(empty_place: Place) -> None:
    """Two hosts of a new installation start together: both succeed, and there is one installation."""
    results: list[subprocess.CompletedProcess[str]] = at_once(lambda: empty_place.run("db", "upgrade"))
    assert [one.returncode for one in results] == [0, 0], [one.stderr for one in results]
    assert schema.is_current(empty_place.sessions.kw["bind"])
    with transaction(empty_place.sessions, read_only=True) as session:
        assert session.scalar(select(func.count()).select_from(Installation)) == 1


def test_a_second_serve_on_one_directory_is_refused(sqlite_place: Place) -> None:
    """It says which process is there and what to do, and leaves the first one alone."""
    with sqlite_place.start("serve", STATUSPAGE_PORT=str(free_port())) as first:
        until(lambda: "part started" in first.said(), "the first one runs")
        second = sqlite_place.run("serve", STATUSPAGE_PORT=str(free_port()))
        assert second.returncode == 1
        assert f"pid {first.process.pid}" in second.stderr
        assert str(sqlite_place.folder) in second.stderr
        assert first.process.poll() is None


def test_another_secret_key_is_refused(sqlite_place: Place) -> None:
    """With another key every opt-out would be forgotten: nothing that could send or write starts, and it says why."""
    for command in ("serve", "sender", "scheduler"):
        refused = sqlite_place.run(command, STATUSPAGE_SECRET_KEY=OTHER_KEY, STATUSPAGE_PORT=str(free_port()))
        assert refused.returncode == 1, command
        assert "SECRET_KEY is not the one this database was made with" in refused.stderr
        assert OTHER_KEY not in refused.stderr
        assert not leaks(refused.stderr)


def test_one_key_declares_once(place: Place) -> None:
    """The same declaration sent twice at the same moment is one incident, and both callers are told its id."""

    def send() -> str:
        with transaction(place.sessions) as session:
            now = SystemClock().now()
            said = templates.declaration(
                session, "billing_outage", profile="default_billing", zone=ZoneInfo("Europe/Moscow"), now=moment
            )
            return incidents.declare_incident(session, CLI, said, idempotency_key="k" * 20, now=now).public_id

    moment = SystemClock().now()
    ids = at_once(send, 4)
    assert len(set(ids)) == 1
    with transaction(place.sessions, read_only=True) as session:
        assert session.scalar(select(func.count()).select_from(Incident)) == 1
        declared = select(func.count()).where(AuditEntry.action == "incident.declared")
        assert session.scalar(declared) == 1


def test_two_incidents_declared_at_once_both_stand(place: Place) -> None:
    """They touch the same components: neither waits for the other in a circle, and the worst of both is shown."""
    ids = at_once(lambda: declare(place, publish=False), 4)
    assert len(set(ids)) == 4
    with transaction(place.sessions, read_only=True) as session:
        state = session.scalars(select(Component.state).where(Component.key == "top_up")).one()
    assert state is ComponentState.MAJOR_OUTAGE


def test_two_publishers_make_one_revision(place: Place) -> None:
    """Both are asked at once; one of them renders, and the disk shows a whole page."""
    declare(place)
    with transaction(place.sessions) as session:
        before = session.get_one(PageState, 1).revision
        page.bump(session)
    rendered = at_once(place.publish, 3)
    assert rendered.count(True) == 1
    with transaction(place.sessions, read_only=True) as session:
        assert session.scalar(select(func.max(PageRevision.revision))) == before + 1
    mirror = Mirror(place.folder / PUBLIC_FOLDER)
    until(lambda: place.publish() or mirror.manifest().revision == before + 1, "the disk shows it")
    assert load(mirror).manifest.revision == before + 1
