"""Import every field of 1,000,000 people against bare sqlite3 loading the same rows into the same tables.

Limits: at least 0.4 of bare (medians of the rounds of one run); declaring an incident during the import under 1 s.
Bare is given the finished rows, hashes and ids and all, from memory, and loads them with executemany in one transaction
with synchronous=FULL and foreign keys on; only that is timed. The import reads the file, checks, hashes, looks for
repeated and replaced lines and commits chunk by chunk. Then one more import, during which another process declares an
incident twice a second.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from statuspage import schema
from statuspage.clock import SystemClock
from statuspage.config import Settings
from statuspage.db import Sessions, make_engine, make_sessions, transaction
from statuspage.domain.component import ComponentState
from statuspage.services import incidents, installation, sample
from statuspage.services.actor import CLI
from statuspage.services.addresses import AddressKey
from statuspage.services.incidents import Declaration
from statuspage.services.people_import import Source, import_people
from statuspage.services.people_import_columns import COLUMNS

LIMIT = 0.4
DECLARE_LIMIT_SECONDS = 1.0
SECRET = "benchmark " * 4
PARENTS = ("region", "segment")
TABLES = ("account", "contact", "line", "subscription")
CLOCK = SystemClock()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--people", type=int, default=1_000_000)
    arguments.add_argument("--rounds", type=int, default=3)
    given = arguments.parse_args()
    ours: list[float] = []
    bare: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "people.csv"
        write_file(source, given.people)
        for number in range(given.rounds):
            home = Path(folder) / str(number)
            home.mkdir()
            ours.append(measure_import(source, home))
            bare.append(measure_bare(home / "people.db", home / "bare.db"))
            print(f"round {number + 1}: bare {bare[-1]:,.0f} rows/s, import {ours[-1]:,.0f} rows/s", flush=True)
        home = Path(folder) / "declared"
        home.mkdir()
        with declarations(home / "people.db") as waits:
            measure_import(source, home)
    ratio = statistics.median(ours) / statistics.median(bare)
    print(f"import / bare: {ratio:.2f} (limit {LIMIT}); PSS of the importer {proportional_mb():.0f} MB; "
          f"longest of {len(waits)} declarations {max(waits):.2f} s (limit {DECLARE_LIMIT_SECONDS} s)")  # fmt: skip
    assert ratio >= LIMIT, "the import is too slow"
    assert max(waits) < DECLARE_LIMIT_SECONDS, "a declaration waited too long"


def write_file(path: Path, people: int) -> None:
    """People as an operator's file has them: numbers in no order, one in ten a terminal, six in ten with e-mail."""
    chance = random.Random(1)
    segments = ["prepaid"] * 6 + ["postpaid"] * 2 + ["business", "pos_m2m"]
    regions = ["moscow", "urals", "far_east", "kaliningrad"]
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for place, number in enumerate(chance.sample(range(100_000_000), people)):
            segment = chance.choice(segments)
            mail = f"person{place}@mail{place % 50}.example" if place % 10 < 6 else ""
            contact = f"+7985{chance.randrange(10**7):07d}" if segment == "pos_m2m" else ""
            rows.writerow((
                f"A{place:08d}", f"+791{number:08d}", mail, "", contact, chance.choice(("ru", "en", "zh")), segment,
                chance.choice(regions), "", f"{chance.randrange(-5000, 90000) / 100:.2f}", "RUB",
                f"2026-12-{chance.randrange(1, 29):02d}", chance.choice(("", "", "1", "0")), "",
            ))  # fmt: skip


def measure_import(source: Path, home: Path) -> float:
    """Rows a second."""
    settings = Settings.model_validate({"data_dir": home, "secret_key": SecretStr(SECRET)})
    sessions = prepared(home / "people.db")
    with source.open("rb") as stream:
        began = time.perf_counter()
        file = Source(stream, source.name, source.stat().st_size)
        result = import_people(sessions, CLI, file, settings, CLOCK)
        return result.counts.accepted / (time.perf_counter() - began)


def prepared(path: Path) -> Sessions:
    engine = make_engine(f"sqlite:///{path}")
    schema.upgrade(engine)
    sessions = make_sessions(engine)
    with transaction(sessions) as session:
        installation.ensure(session, AddressKey.derive(SECRET), CLOCK.now())
        sample.load(session, time_zone="Europe/Moscow", now=CLOCK.now())
    return sessions


@contextmanager
def declarations(path: Path) -> Iterator[list[float]]:
    """Another process declares; the list holds how long each took, once it has ended."""
    prepared(path)
    context = multiprocessing.get_context("spawn")
    done, told = context.Event(), context.Queue()
    declaring = context.Process(target=declare, args=(path, done, told))
    declaring.start()
    waited: list[float] = []
    try:
        yield waited
    finally:
        done.set()
        waited.extend(told.get(timeout=60))
        declaring.join()


def declare(path: Path, done: Event, told: Queue[list[float]]) -> None:
    sessions = make_sessions(make_engine(f"sqlite:///{path}"))
    words = {"ru": "Пополнение не работает", "en": "Top-up is down"}
    waited = []
    while not done.wait(0.5):
        declaration = Declaration(words, words, "ru", {"top_up": ComponentState.MAJOR_OUTAGE})
        began = time.perf_counter()
        with transaction(sessions) as session:
            incidents.declare_incident(session, CLI, declaration, now=CLOCK.now())
        waited.append(time.perf_counter() - began)
    told.put(waited)


def measure_bare(source: Path, target: Path) -> float:
    """Lines a second of the same accounts, contacts, lines and subscriptions, in one transaction."""
    read, write = sqlite3.connect(source), sqlite3.connect(target, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-131072"):
        write.execute(f"PRAGMA {pragma}")
    for table in (*PARENTS, *TABLES):
        made = "SELECT sql FROM sqlite_master WHERE tbl_name = ? AND sql > '' ORDER BY type DESC"
        for (statement,) in read.execute(made, (table,)).fetchall():
            write.execute(statement)
    for table in PARENTS:
        fill(write, table, read.execute(f"SELECT * FROM {table}").fetchall())  # noqa: S608
    seconds, lines = 0.0, 0
    cursors = {table: read.execute(f"SELECT * FROM {table} ORDER BY id") for table in TABLES}  # noqa: S608
    write.execute("BEGIN IMMEDIATE")
    while block := {table: rows for table, cursor in cursors.items() if (rows := cursor.fetchmany(50_000))}:
        began = time.perf_counter()
        for table, rows in block.items():
            fill(write, table, rows)
        seconds += time.perf_counter() - began
        lines += len(block.get("line", ()))
    began = time.perf_counter()
    write.execute("COMMIT")
    return lines / (seconds + time.perf_counter() - began)


def fill(connection: sqlite3.Connection, table: str, rows: list[tuple[Any, ...]]) -> None:
    places = ", ".join("?" * len(rows[0]))
    connection.executemany(f"INSERT INTO {table} VALUES ({places})", rows)  # noqa: S608


def proportional_mb() -> float:
    """This process's share of memory, in MB."""
    for line in Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("the kernel tells no Pss")


if __name__ == "__main__":
    main()
