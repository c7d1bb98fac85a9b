"""Where checked rows go: into the tables, or, on a dry run, nowhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import update

from statuspage.clock import Clock
from statuspage.db import Sessions, transaction
from statuspage.models import PeopleImport
from statuspage.services import leases
from statuspage.services.leases import Held
from statuspage.services.people_import_chunk import write_chunk
from statuspage.services.people_import_database import LEASE_LENGTH, LONGEST_SLEEP_SECONDS, on_sqlite
from statuspage.services.people_import_rows import PersonRow

SMALLEST_CHUNK = 1_000
LARGEST_CHUNK = 8_000
LOCK_SECONDS = 0.3
"""How long a chunk should hold SQLite's one write lock; its size follows what the last one took."""

BEAT_EVERY = timedelta(seconds=2)
"""How often a dry run says that it lives: as often as the page that watches it looks, far within the lease's length."""


@dataclass(frozen=True)
class Counts:
    """How far a run is. Refused rows and duplicates (repeated lines) are in the file of refused lines."""

    bytes_read: int = 0
    accepted: int = 0
    refused: int = 0
    duplicate: int = 0

    def columns(self) -> dict[str, int]:
        """As the run's row keeps them."""
        return {
            "bytes_read": self.bytes_read,
            "rows_accepted": self.accepted,
            "rows_refused": self.refused,
            "rows_duplicate": self.duplicate,
        }


class Sink(Protocol):
    """Takes rows, `wanted` at a time."""

    wanted: int

    def store(self, rows: Sequence[PersonRow], counts: Counts) -> list[int]:
        """The places in `rows` that repeat an earlier line. `counts` is how it stood before these rows."""
        ...

    def let_others_in(self) -> None:
        """Called before each round of `store`."""
        ...


class TableSink:
    """Writes each chunk with the run's progress and its lease in one transaction: all of it or none."""

    def __init__(self, sessions: Sessions, held: Held, run_id: int, generation: int, clock: Clock) -> None:
        self.wanted = SMALLEST_CHUNK
        self._sessions, self._held, self._clock = sessions, held, clock
        self._run_id, self._generation = run_id, generation
        self._written_at = 0.0

    def store(self, rows: Sequence[PersonRow], counts: Counts) -> list[int]:
        """LeaseLost when another import took over while this one slept."""
        now = self._clock.now()
        with transaction(self._sessions) as session:
            leases.renew(session, self._held, LEASE_LENGTH, now=now)
            began = time.perf_counter()
            repeated = write_chunk(session, rows, self._generation, now) if rows else []
            after = added(counts, len(rows), len(repeated))
            run = update(PeopleImport).where(PeopleImport.id == self._run_id)
            session.execute(run.values(heartbeat_at=now, **after.columns()))
        self._written_at = time.perf_counter()
        seconds = self._written_at - began
        if rows:
            fit = round(len(rows) * LOCK_SECONDS / max(seconds, 0.001))
            self.wanted = max(SMALLEST_CHUNK, min(LARGEST_CHUNK, fit, self.wanted * 2))
        return repeated

    def let_others_in(self) -> None:
        """Sleep what is missing of the time that a waiting writer needs to see SQLite's lock free."""
        if on_sqlite(self._sessions):
            time.sleep(max(0.0, self._written_at + LONGEST_SLEEP_SECONDS - time.perf_counter()))


class DrySink:
    """Keeps a number for each line seen, to find those that repeat one, and the run's progress now and then."""

    def __init__(self, sessions: Sessions, run_id: int, clock: Clock) -> None:
        self.wanted = LARGEST_CHUNK
        self._sessions, self._run_id, self._clock = sessions, run_id, clock
        self._beat_at = clock.now()
        self._seen: set[int] = set()

    def store(self, rows: Sequence[PersonRow], counts: Counts) -> list[int]:
        now = self._clock.now()
        if abs(now - self._beat_at) >= BEAT_EVERY:  # the clock may have been set back
            self._beat(counts, now)
        repeated = []
        for place, row in enumerate(rows):
            number = hash((row.account, row.key))
            if number in self._seen:
                repeated.append(place)
            self._seen.add(number)
        return repeated

    def _beat(self, counts: Counts, now: datetime) -> None:
        with transaction(self._sessions) as session:
            run = update(PeopleImport).where(PeopleImport.id == self._run_id)
            session.execute(run.values(heartbeat_at=now, **counts.columns()))
        self._beat_at = now

    def let_others_in(self) -> None:
        """Nobody waits for a run that writes nothing."""


def added(counts: Counts, rows: int, repeated: int) -> Counts:
    """`counts` after `rows` more, of which `repeated` were not taken."""
    return replace(counts, accepted=counts.accepted + rows - repeated, duplicate=counts.duplicate + repeated)
