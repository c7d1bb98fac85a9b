from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import feedparser
import psycopg
from sqlalchemy import text
from sqlalchemy.engine import make_url

from statuspage.db import BUSY_TIMEOUT_MS, make_engine, make_sessions, transaction
from statuspage.models import Incident
from tests.system.conftest import Server
from tests.system.place import ENGINEER, Answer, Client, Place, leaks
from tests.system.readonly import without_root_rights
from tests.system.stories import declare
from tests.waiting import until
from tests.web.site import PASSWORD

CONSOLE = "/console/incidents"


@dataclass(frozen=True)
class Seen:
    """What the public side said while the database lived."""

    incident: str
    bodies: dict[str, bytes]


def look(client: Client, incident: str) -> Seen:
    paths = ("/ru/", "/zh/", "/en/", f"/en/incidents/{incident}", "/history.rss", "/en/updates.atom")
    answers = {path: client.get(path) for path in (*paths, "/feed.json", "/api/v2/summary.json", "/text/sms.ru.txt")}
    assert {answer.status for answer in answers.values()} == {200}
    return Seen(incident, {path: answer.body for path, answer in answers.items()})


def check_public(client: Client, seen: Seen) -> None:
    """The public side says what it said before, and the process counts as alive."""
    assert look(client, seen.incident) == seen
    assert feedparser.parse(client.get("/history.atom").body).bozo == 0
    assert client.get("/healthz").status == 200


def check_unavailable(answer: Answer) -> None:
    """503, in words a person can use, and nothing of the machine in them."""
    assert answer.status == 503
    assert answer.headers["retry-after"]
    assert answer.headers["content-type"].startswith("text/html")
    assert "<h1" in answer.text
    assert not leaks(answer.text)


def check_unready(client: Client) -> None:
    until(lambda: client.get("/readyz").status == 503, "it says that it is not ready")
    answer = client.get("/readyz")
    assert answer.json["database"] is False or answer.json["schema"] is False
    assert not leaks(answer.text)


def check_gone(client: Client, seen: Seen) -> None:
    check_unready(client)
    check_public(client, seen)
    check_unavailable(client.get(CONSOLE))
    check_unavailable(client.post("/console/login", {"email": "a@b.example", "password": "x" * 20}))


def check_healed(client: Client) -> None:
    until(lambda: client.get("/readyz").status == 200, "ready again without a restart")
    assert client.get("/console/login").status == 200
    answer = client.log_in()
    assert answer.status == 303, answer.text
    assert client.get(CONSOLE).status == 200


@contextmanager
def no_file(place: Place) -> Iterator[None]:
    away = place.folder / "away"
    away.mkdir()
    moved = [path for path in place.folder.iterdir() if path.name.startswith("statuspage.db")]
    for path in moved:
        path.rename(away / path.name)
    try:
        yield
        assert not place.database_file.exists(), "a process made an empty database in the place of the lost one"
    finally:
        for path in moved:
            (away / path.name).rename(path)


@contextmanager
def lock(path: Path, statement: str) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.executescript(statement)
        yield
        holder.rollback()


def test_a_database_that_is_gone_takes_the_console_but_never_the_page(sqlite_place: Place) -> None:
    """Page, feeds and JSON are served by the running process and by one started meanwhile; both heal by themselves."""
    incident = declare(sqlite_place)
    with ExitStack() as running:
        first = running.enter_context(sqlite_place.web())
        seen = look(first, incident)
        assert first.log_in().status == 303
        assert first.get(CONSOLE).status == 200
        sqlite_place.sessions.kw["bind"].dispose()
        with no_file(sqlite_place):
            check_gone(first, seen)
            second = running.enter_context(sqlite_place.web())
            second.cookies = dict(first.cookies)
            check_gone(second, seen)
        assert first.get(CONSOLE).status == 200, "the log-in of before is good again"
        check_healed(first)
        check_healed(second)
        declare(sqlite_place)
        until(lambda: look(first, incident) != seen and look(second, incident) != seen, "both show what is new")


def test_a_server_that_stops_and_comes_back_as_a_standby(own_server: Server, tmp_path: Path) -> None:
    """Stopped, then read-only, then promoted, then locked by a migration: the page lives through all of it."""
    for place in own_server.place(tmp_path):
        incident = declare(place)
        with place.web() as first:
            seen = look(first, incident)
            assert first.log_in().status == 303
            place.sessions.kw["bind"].dispose()
            own_server.stop()
            check_gone(first, seen)
            with place.web() as second:
                second.cookies = dict(first.cookies)
                check_gone(second, seen)
                own_server.start(standby=True)
                for client in (first, second):
                    assert client.get(CONSOLE).status == 200
                    check_public(client, seen)
                    check_unavailable(Client(client.port).log_in())
                own_server.promote()
                check_healed(first)
                check_healed(second)
            check_locked_table(place, first, seen)


def check_locked_table(place: Place, client: Client, seen: Seen) -> None:
    """A table locked as a migration locks it: whoever needs it waits, and nobody else does."""
    address = make_url(place.database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as holder, ThreadPoolExecutor() as threads:
        holder.execute("LOCK TABLE user_account, login_session IN ACCESS EXCLUSIVE MODE")
        others = [Client(client.port, dict(client.cookies)) for _ in range(12)]
        waiting = [threads.submit(other.get, CONSOLE) for other in others]
        check_public(client, seen)
        assert not any(one.done() for one in waiting)
        holder.rollback()
    assert {one.result().status for one in waiting} == {200}


def test_nobody_waits_for_a_lock_for_ever(postgres_place: Place) -> None:
    """PostgreSQL gives a lock up after the same patience that SQLite has."""
    with transaction(postgres_place.sessions, read_only=True) as session:
        assert session.scalar(text("SHOW lock_timeout")) == f"{BUSY_TIMEOUT_MS // 1000}s"


def test_a_locked_or_write_protected_file_lets_everybody_read(sqlite_place: Place) -> None:
    """While another process holds the lock, or the file takes no writes, all can be read; a write says 503."""
    place = sqlite_place
    incident = declare(place)
    with place.web() as first, ThreadPoolExecutor() as threads:
        seen = look(first, incident)
        assert first.log_in().status == 303
        refused = Client(first.port)
        refused.get("/console/login")
        with lock(place.database_file, "BEGIN IMMEDIATE"):
            waiting = threads.submit(refused.post, "/console/login", {"email": ENGINEER, "password": PASSWORD})
            check_public(first, seen)
            assert first.get(CONSOLE).status == 200
            assert first.get("/readyz").status == 200
            place.database_file.chmod(0o400)
            with place.web(prepare=without_root_rights) as second:
                check_public(second, seen)
                second.cookies = dict(first.cookies)
                assert second.get(CONSOLE).status == 200
                check_unavailable(second.log_in())
                check_unavailable(waiting.result())
        place.database_file.chmod(0o600)
        check_healed(first)


def test_a_file_that_nobody_else_may_open_makes_only_those_wait_who_need_it(sqlite_place: Place) -> None:
    """While all of Flask's threads wait for it, the page and the sign of life do not; then everybody is served."""
    place = sqlite_place
    incident = declare(place)
    place.sessions.kw["bind"].dispose()
    with place.web() as client, ThreadPoolExecutor() as threads:
        seen = look(client, incident)
        with lock(place.database_file, "PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE"):
            waiting = [threads.submit(Client(client.port).get, "/readyz") for _ in range(12)]
            check_public(client, seen)
            assert not any(one.done() for one in waiting)
        assert {one.result().status for one in waiting} == {200}
        check_healed(client)


def test_a_database_that_was_replaced_is_noticed(sqlite_place: Place) -> None:
    """A file put in the place of the open one is used from the next request on: nothing is written to a lost file."""
    with transaction(sqlite_place.sessions, read_only=True) as session:
        assert session.query(Incident).count() == 0
    place = sqlite_place
    other = place.folder / "restored.db"
    other.write_bytes(place.database_file.read_bytes())
    restored = make_engine(f"sqlite:///{other}")
    declare(Place(place.folder, f"sqlite:///{other}", make_sessions(restored)))
    with restored.connect() as connection:
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    restored.dispose()
    other.replace(place.database_file)
    with transaction(place.sessions, read_only=True) as session:
        assert session.query(Incident).count() == 1
