"""Imports that are killed, doubled, overtaken, broken off, and those who declare an incident meanwhile."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from statuspage.clock import SystemClock
from statuspage.db import transaction
from statuspage.domain.errors import RuleError
from statuspage.models import Contact, Lease, Line, PeopleImport, Subscription
from statuspage.services import audit, people_import_run
from statuspage.services.actor import CLI
from statuspage.services.leases import LeaseLost
from statuspage.services.people_import import ImportResult, Source, import_people
from statuspage.services.people_import_book import ImportBook, standing
from statuspage.services.people_import_database import LEASE_LENGTH
from statuspage.services.people_import_purge import tend_imports
from tests.databases import SECRET
from tests.people.crowd import Crowd, file, row
from tests.waiting import until

IMPORTER = """
import sys
from pathlib import Path
from pydantic import SecretStr
from statuspage.clock import SystemClock
from statuspage.config import Settings
from statuspage.db import make_engine, make_sessions
from statuspage.services.actor import CLI
from statuspage.services.people_import import Source, import_people

url, folder, secret = sys.argv[1:]
settings = Settings.model_validate({"data_dir": Path(folder), "secret_key": SecretStr(secret)})
source = Source(sys.stdin.buffer, "people.csv", 0)
import_people(make_sessions(make_engine(url)), CLI, source, settings, SystemClock())
"""


def people(count: int, language: str = "ru", first: int = 0) -> str:
    numbers = range(first, first + count)
    return file(*(row(f"A{n}", f"+7916{n:07d}", email=f"p{n}@example.org", language=language) for n in numbers))


def rows_of(crowd: Crowd) -> tuple[int, int, int]:
    """How many lines, contacts and subscriptions there are, visible or not."""
    with transaction(crowd.sessions, read_only=True) as session:
        lines, contacts, subscriptions = (
            session.scalar(select(func.count()).select_from(table)) or 0 for table in (Line, Contact, Subscription)
        )
    return lines, contacts, subscriptions


def states(crowd: Crowd) -> list[str]:
    with transaction(crowd.sessions, read_only=True) as session:
        return list(session.scalars(select(PeopleImport.state).order_by(PeopleImport.id)))


def after_the_lease(crowd: Crowd) -> None:
    with transaction(crowd.sessions, read_only=True) as session:
        crowd.clock.set(session.scalars(select(Lease.until)).one() + timedelta(seconds=1))


class Interrupted(io.BytesIO):
    """A file on whose second read something happens."""

    def __init__(self, body: bytes, happening: Callable[[], object]) -> None:
        super().__init__(body)
        self._happening = happening
        self._reads = 0

    def read(self, size: int | None = -1) -> bytes:
        self._reads += 1
        if self._reads == 2:
            self._happening()
        return super().read(size)


@pytest.fixture(autouse=True)
def _hand_on_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds are short, so that small files are interrupted half-way."""
    monkeypatch.setattr(people_import_run, "ROUND", 500)


def load_interrupted(crowd: Crowd, body: str, happening: Callable[[], object]) -> ImportResult:
    source = Source(Interrupted(body.encode(), happening), "people.csv", 0)
    return import_people(crowd.sessions, CLI, source, crowd.settings, crowd.clock)


def test_killed_in_the_middle(crowd: Crowd, database_url: str) -> None:
    """`kill -9` half-way: nothing of it is seen, the next import clears it away and is itself complete."""
    crowd.load(people(300))
    before = crowd.seen()
    command = [sys.executable, "-c", IMPORTER, database_url, str(crowd.settings.data_dir), SECRET]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as importer:
        assert importer.stdin is not None
        importer.stdin.write(people(60_000, "en").encode())  # the end of the file never comes
        importer.stdin.flush()
        try:
            until(lambda: _accepted(crowd) > 500, "the importer comes half-way")
        finally:
            os.kill(importer.pid, signal.SIGKILL)
    assert crowd.seen() == before
    with pytest.raises(RuleError, match="another import is running"):
        again = Source(io.BytesIO(people(1).encode()), "x", 0)
        import_people(crowd.sessions, CLI, again, crowd.settings, SystemClock())
    after_the_lease(crowd)
    assert crowd.load(people(400, "zh")).counts.accepted == 400
    assert {one.language for one in crowd.seen()} == {"zh"}
    assert states(crowd) == ["visible", "abandoned", "visible"]
    tend_imports(crowd.sessions, crowd.clock)
    assert rows_of(crowd) == (400, 400, 800)


def test_the_scheduler_clears_a_dead_import(crowd: Crowd) -> None:
    """Without another import the scheduler's task removes what a dead one wrote and gives the old rows back."""
    crowd.load(people(300))
    before = crowd.seen()

    def die() -> None:
        raise OSError("the disk went away")

    with pytest.raises(OSError, match="the disk went away"):
        load_interrupted(crowd, people(3_000, "en"), die)
    assert states(crowd) == ["visible", "failed"]
    assert rows_of(crowd)[0] > 300
    tend_imports(crowd.sessions, crowd.clock)
    assert crowd.seen() == before
    assert rows_of(crowd) == (300, 300, 600)


def test_two_at_once(crowd: Crowd) -> None:
    """The second import is refused with a sentence that says why; the first goes on; a dry run may run beside it."""

    def second() -> None:
        with pytest.raises(RuleError) as caught:
            crowd.load(people(1, "en"))
        assert caught.value.code == "people_import.running"
        assert crowd.load(people(1, "en"), dry_run=True).counts.accepted == 1

    assert load_interrupted(crowd, people(3_000), second).counts.accepted == 3_000
    assert {one.language for one in crowd.seen()} == {"ru"}


def test_overtaken_while_asleep(crowd: Crowd) -> None:
    """An import that slept past its lease writes nothing more once another has taken over."""

    def sleep() -> None:
        crowd.clock.advance(timedelta(minutes=5))
        crowd.load(people(100, "zh"))

    with pytest.raises(LeaseLost):
        load_interrupted(crowd, people(3_000, "en"), sleep)
    assert {one.language for one in crowd.seen()} == {"zh"}
    assert states(crowd) == ["abandoned", "visible"]
    tend_imports(crowd.sessions, crowd.clock)
    assert rows_of(crowd) == (100, 100, 200)


def test_a_check_that_was_killed_is_seen_to_be_dead(crowd: Crowd) -> None:
    """A dry run whose process is gone stands as broken off when its beat is overdue, and the scheduler writes it down;
    one that reads for long goes on being one that is being checked."""
    left = ImportBook(crowd.sessions, CLI, None, crowd.clock).enter("people.csv", 0)
    assert standing(left, crowd.clock.now()) == "checking"
    seen: list[str] = []

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            with transaction(crowd.sessions, read_only=True) as session:
                newest = session.scalars(select(PeopleImport).order_by(PeopleImport.id.desc())).first()
                assert newest is not None
            if newest.public_id != left.public_id:
                seen.append(standing(newest, crowd.clock.advance(LEASE_LENGTH / 2)))
            return super().read(size)

    body = people(60_000).encode()
    import_people(crowd.sessions, CLI, Source(Slow(body), "x", len(body)), crowd.settings, crowd.clock, dry_run=True)
    assert len(seen) > 3
    assert set(seen) == {"checking"}
    assert standing(left, crowd.clock.now()) == "abandoned"
    assert states(crowd) == ["dry_run", "dry_run"]
    tend_imports(crowd.sessions, crowd.clock)
    assert states(crowd) == ["abandoned", "dry_run"]


def test_a_check_that_broke_off_is_not_shown_as_done(crowd: Crowd) -> None:
    """A dry run that fails half-way says so: its counts are not those of the file."""

    def die() -> None:
        raise OSError("the disk went away")

    source = Source(Interrupted(people(3_000).encode(), die), "people.csv", 0)
    with pytest.raises(OSError, match="the disk went away"):
        import_people(crowd.sessions, CLI, source, crowd.settings, crowd.clock, dry_run=True)
    assert states(crowd) == ["failed"]


def test_declaring_while_people_come_in(crowd: Crowd) -> None:
    """Others write between two chunks of an import, not only after it."""
    done = threading.Event()
    meanwhile = 0

    def declare() -> None:
        nonlocal meanwhile
        while not done.is_set():
            with transaction(crowd.sessions) as session:
                audit.record(session, CLI, "test.act", "thing", "1", crowd.clock.now())
            meanwhile += not done.is_set()
            time.sleep(0.02)

    declaring = threading.Thread(target=declare)
    declaring.start()
    try:
        assert crowd.load(people(15_000)).counts.accepted == 15_000
    finally:
        done.set()
        declaring.join()
    assert meanwhile > 1


def _accepted(crowd: Crowd) -> int:
    with transaction(crowd.sessions, read_only=True) as session:
        return session.scalar(select(func.max(PeopleImport.rows_accepted)).where(PeopleImport.state == "running")) or 0
