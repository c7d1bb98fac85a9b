"""First come, first served among this process's own writers.

SQLite lets a waiting writer try again only now and then, so that a thread which writes without a pause keeps all others
out for seconds. Within one process the order can be kept; to other processes each writer leaves a gap.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from statuspage.db import Sessions, transaction

GAP_SHARE = 0.1


def write_lazily(engine: Engine, *, durable: bool) -> None:
    """Let SQLite's log grow to 32 MB before its pages go to the file: a commit that moves them holds up everybody.

    With `durable` False a commit does not wait for the disk either. That is for rows that can be made again and that a
    later, durable commit carries along: the log is one file, written in order. Its temporary tables, which may hold
    hundreds of thousands of people, then lie in a file that has no name.
    """
    if engine.dialect.name != "sqlite":
        return

    def tune(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA wal_autocheckpoint=8000").close()
        if not durable:
            connection.execute("PRAGMA synchronous=NORMAL").close()
            connection.execute("PRAGMA temp_store=FILE").close()

    event.listen(engine, "connect", tune)


class Turnstile:
    """Opens writing transactions one after the other; on PostgreSQL, which needs none of this, at once."""

    def __init__(self, sessions: Sessions) -> None:
        self._needed = sessions.kw["bind"].dialect.name == "sqlite"
        self._guard = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._taken = False

    @contextmanager
    def transaction(self, sessions: Sessions) -> Iterator[Session]:
        """`db.transaction`, in turn."""
        if not self._needed:
            with transaction(sessions) as session:
                yield session
            return
        self._enter()
        try:
            with transaction(sessions) as session:
                session.connection()
                begun = time.monotonic()
                yield session
            time.sleep((time.monotonic() - begun) * GAP_SHARE)
        finally:
            self._leave()

    def _enter(self) -> None:
        with self._guard:
            if not self._taken:
                self._taken = True
                return
            turn = threading.Event()
            self._waiting.append(turn)
        turn.wait()

    def _leave(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._taken = False
