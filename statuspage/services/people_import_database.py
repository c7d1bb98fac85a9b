"""How long work on many rows shares a database with the people who declare incidents meanwhile."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, event

from statuspage.db import Sessions, make_engine, make_sessions

LEASE = "people_import"
LEASE_LENGTH = timedelta(seconds=30)
"""Renewed with every chunk; after a `kill -9` the next import waits this long at most."""

LONGEST_SLEEP_SECONDS = 0.1
"""SQLite has no queue for its write lock: whoever waits looks again after 1, 2, 5 … and at last every 100 ms."""


@contextmanager
def bulk_sessions(sessions: Sessions) -> Iterator[Sessions]:
    """Sessions for chunk after chunk. On SQLite on a connection of their own, whose commits do not wait for the disk:
    rows that nobody sees yet may be lost with the power; making them visible goes through `sessions` and waits. It
    checks no foreign keys either: each chunk has just read or written the rows that its own refer to."""
    engine = _engine(sessions)
    if engine.dialect.name != "sqlite":
        yield sessions
        return
    own = make_engine(engine.url.render_as_string(hide_password=False), pool_size=1)
    event.listen(own, "connect", _tune)
    try:
        yield make_sessions(own)
    finally:
        own.dispose()


def on_sqlite(sessions: Sessions) -> bool:
    return _engine(sessions).dialect.name == "sqlite"


def _engine(sessions: Sessions) -> Engine:
    engine = sessions.kw["bind"]
    if not isinstance(engine, Engine):
        raise TypeError("sessions must be bound to an engine")
    return engine


def _tune(connection: sqlite3.Connection, _record: Any) -> None:
    for pragma in ("synchronous=NORMAL", "foreign_keys=OFF", "cache_size=-131072", "wal_autocheckpoint=16000"):
        connection.execute(f"PRAGMA {pragma}").close()
