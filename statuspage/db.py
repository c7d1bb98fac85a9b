"""The database's edge: one engine, one place that commits.

SQLite (the embedded default) and PostgreSQL run the same code. A writing transaction on SQLite begins IMMEDIATE, so
that two writers queue at the start instead of failing in the middle; `synchronous=FULL` makes a commit survive a
power cut.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.orm import Session, sessionmaker

Sessions = sessionmaker[Session]

BUSY_TIMEOUT_MS = 10_000
IDLE_TIMEOUT_MS = 60_000
"""How long a transaction on PostgreSQL may wait for its own process before the server ends it and frees its locks."""
_KEEPALIVE = {"keepalives_idle": 20, "keepalives_interval": 10, "keepalives_count": 3}
"""Seconds of silence, seconds between questions, questions: who does not answer is gone, on either side."""
READ_ONLY = {"statuspage_read_only": True, "postgresql_readonly": True}
"""Execution options of a connection that writes nothing: on SQLite it waits for no writer."""
AFTER_COMMIT = "after_commit"


def make_engine(url: str, *, pool_size: int = 5) -> Engine:
    """An engine for `url`; opens no connection yet. Its errors never carry parameters, which may be a person's data."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(
            parsed,
            pool_size=pool_size,
            hide_parameters=True,
            connect_args={"timeout": BUSY_TIMEOUT_MS / 1000},
        )
        event.listen(engine, "do_connect", _open_sqlite)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "checkout", _check_sqlite_file)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if parsed.drivername in {"postgresql", "postgres"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
    return create_engine(
        parsed,
        pool_size=pool_size,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args=_postgresql(),
    )


def _postgresql() -> dict[str, str | int]:
    told = {
        "timezone": "UTC",
        "synchronous_commit": "on",
        "lock_timeout": BUSY_TIMEOUT_MS,
        "idle_in_transaction_session_timeout": IDLE_TIMEOUT_MS,
        **{f"tcp_{name}": value for name, value in _KEEPALIVE.items()},
    }
    options = " ".join(f"-c {name}={value}" for name, value in told.items())
    return {"options": options, "connect_timeout": 5, **_KEEPALIVE}


def make_sessions(engine: Engine) -> Sessions:
    """Sessions that keep their objects readable after the commit."""
    return sessionmaker(engine, expire_on_commit=False)


@contextmanager
def transaction(sessions: Sessions, *, read_only: bool = False) -> Iterator[Session]:
    """One transaction: all of it or nothing. The only commit in the house.

    What `after_commit` was given runs once the commit is durable, never when it failed.
    """
    with sessions() as session:
        if read_only:
            session.connection(execution_options=READ_ONLY)
        try:
            yield session
            session.commit()
        except BaseException:
            session.rollback()
            raise
        for action in session.info.pop(AFTER_COMMIT, ()):
            action()


def after_commit(session: Session, action: Callable[[], None]) -> None:
    """Run `action` when the transaction of `session` has committed."""
    session.info.setdefault(AFTER_COMMIT, []).append(action)


def disk_is_full(error: BaseException) -> bool:
    """Whether the database refused for want of space. A SQLite that is opened on a full disk has none for its index of
    the log, and says so by another code; PostgreSQL's is 53100, `disk_full`."""
    fault = getattr(error, "orig", None)
    return (
        getattr(fault, "sqlite_errorname", "") in {"SQLITE_FULL", "SQLITE_IOERR_SHMSIZE"}
        or getattr(fault, "sqlstate", "") == "53100"
    )


def reason_of(error: BaseException) -> str:
    """Why the database refused, for a log: `disk_full`, else the driver's code (SQLITE_BUSY, 40P01) or its kind;
    never the driver's words, which may hold a person's data."""
    if disk_is_full(error):
        return "disk_full"
    fault = getattr(error, "orig", None) or error
    code = getattr(fault, "sqlite_errorname", None) or getattr(fault, "sqlstate", None)
    return str(code or type(fault).__name__)


def is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"


def make_sqlite_file(engine: Engine) -> None:
    """Only an upgrade makes the file; nothing happens on PostgreSQL, or when it is there."""
    if engine.dialect.name == "sqlite":
        Path(engine.url.database or "").touch()


def _open_sqlite(_dialect: Any, record: Any, arguments: list[str], options: dict[str, Any]) -> None:
    # A process that made a missing file anew would run on an empty database, in the place of the one to be restored.
    record.info["path"] = arguments[0]
    arguments[0] = f"{Path(arguments[0]).as_uri()}?mode=rw"
    options["uri"] = True


def _check_sqlite_file(_connection: sqlite3.Connection, record: Any, _proxy: Any) -> None:
    # SQLite goes on writing to a file that was removed or replaced, and nobody would ever read that again.
    if _file_of(record.info["path"]) != record.info["file"]:
        raise DisconnectionError("the database file is not the one that was opened")


def _file_of(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _prepare_sqlite(connection: sqlite3.Connection, record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin by itself: `_begin_sqlite` says how
    cursor = connection.cursor()
    record.info["file"] = _file_of(record.info["path"])
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "temp_store=MEMORY",
        "cache_size=-16000",
        "journal_size_limit=67108864",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    read_only = connection.get_execution_options().get("statuspage_read_only", False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
