"""The engine with a no-op notifier against the same three statements in bare sqlite3, in the same run.

Limit: at least 0.3 of bare. Both claim 1,000, mark windows of 256 and settle them with synchronous=FULL on one database
file each; bare does nothing else, the engine rechecks consent and keeps leases, counters and attempts.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from notifiers.base import Accepted, Channel, Message, Settle
from notifiers.fake import FakeNotifier
from statuspage import schema
from statuspage.clock import SystemClock
from statuspage.config import Settings
from statuspage.db import make_engine, make_sessions, make_sqlite_file
from statuspage.jobs.options import EngineOptions
from statuspage.jobs.sender import Sender

LIMIT = 0.3
WINDOW = 256
CLAIM = 1_000
NOW = f"{SystemClock().now():%F %T.%f}"
"""Of late, so that everything is still worth sending."""
LEASE = "2099-01-01 00:00:00.000000"


class NoOp(FakeNotifier):
    """Takes everything and keeps nothing."""

    async def send(self, messages: Sequence[Message], settle: Settle) -> None:
        for message in messages:
            settle(message, Accepted(f"noop-{message.delivery_id}", "noop", 1))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--deliveries", type=int, default=60_000)
    arguments.add_argument("--rounds", type=int, default=3)
    given = arguments.parse_args()
    bare: list[float] = []
    ours: list[float] = []
    with tempfile.TemporaryDirectory() as directory:
        for number in range(given.rounds):
            path = Path(directory) / f"{number}.db"
            bare.append(measure_bare(_filled(path.with_suffix(".bare"), given.deliveries), given.deliveries))
            ours.append(measure_engine(_filled(path, given.deliveries), given.deliveries))
            print(f"round {number + 1}: bare {bare[-1]:,.0f}/s, engine {ours[-1]:,.0f}/s")
    ratio = statistics.median(ours) / statistics.median(bare)
    print(f"engine: {ratio:.2f} of bare (limit {LIMIT})")
    if ratio < LIMIT:
        raise SystemExit(1)


def measure_bare(path: Path, deliveries: int) -> float:
    """Deliveries per second through the three statements, nothing else."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-16000"):
        connection.execute(f"PRAGMA {pragma}")
    begun = time.perf_counter()
    while rows := _bare_claim(connection):
        for first in range(0, len(rows), WINDOW):
            _bare_window(connection, [row[0] for row in rows[first : first + WINDOW]])
    seconds = time.perf_counter() - begun
    (done,) = connection.execute("SELECT count(*) FROM delivery WHERE state = 'accepted'").fetchone()
    assert done == deliveries
    connection.close()
    return deliveries / seconds


def _bare_claim(connection: sqlite3.Connection) -> list[tuple[int]]:
    connection.execute("BEGIN IMMEDIATE")
    rows = connection.execute(
        "UPDATE delivery SET state = 'claimed', owner = 'bare', lease_until = ? WHERE id IN (SELECT id FROM delivery "
        "WHERE state = 'pending' AND campaign_id = 1 AND channel = 'sms' AND not_before <= ? "
        "ORDER BY not_before, id LIMIT ?) RETURNING id, attempt, address, locale, time_zone",
        (LEASE, LEASE, CLAIM),
    ).fetchall()
    connection.execute("COMMIT")
    return rows


def _bare_window(connection: sqlite3.Connection, ids: list[int]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(
        "UPDATE delivery SET state = 'sending', attempt = attempt + 1, sending_at = ?, lease_until = ? "
        "WHERE id = ? AND state = 'claimed' AND owner = 'bare'",
        [(NOW, LEASE, one) for one in ids],
    )
    connection.execute("COMMIT")
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(
        "UPDATE delivery SET state = 'accepted', accepted_at = ?, provider = 'noop', provider_id = ?, segments = 1, "
        "owner = NULL, lease_until = NULL WHERE id = ? AND state = 'sending' AND owner = 'bare'",
        [(NOW, f"noop-{one}", one) for one in ids],
    )
    connection.execute("COMMIT")


def measure_engine(path: Path, deliveries: int) -> float:
    """Deliveries per second through a real sender."""
    settings = Settings(data_dir=path.parent, secret_key="bench-" * 8, database_url=f"sqlite:///{path}")
    sessions = make_sessions(make_engine(f"sqlite:///{path}"))
    options = EngineOptions(quiet_end=EngineOptions.quiet_start, claim_size=CLAIM, window=WINDOW)
    watcher = sqlite3.connect(path)

    def left() -> int:
        (n,) = watcher.execute(
            "SELECT n FROM campaign_count WHERE campaign_id = 1 AND channel = 'sms' AND state = 'pending'"
        ).fetchone()
        return int(n)

    async def run() -> float:
        sender = Sender(settings, sessions, {Channel.SMS: [NoOp(Channel.SMS)]}, SystemClock(), options=options)
        begun = time.perf_counter()
        task = asyncio.create_task(sender.run())
        while left():
            if task.done():
                task.result()
            await asyncio.sleep(0.02)
        seconds = time.perf_counter() - begun
        sender.stop()
        await task
        return seconds

    seconds = asyncio.run(run())
    (done,) = watcher.execute("SELECT count(*) FROM delivery WHERE state = 'accepted'").fetchone()
    assert done == deliveries
    return deliveries / seconds


_CAMPAIGN = (
    "INSERT INTO campaign (id, public_id, kind, purpose, name, state, priority, channels, audience, basis, "
    "validity_seconds, resend_unknown, estimated, generation, expand_cursor, started_at, expanded_at, created_at, "
    "updated_at, version) VALUES (1, 'benchcampaig', 'incident_notice', 'outage', 'bench', 'running', 20, "
    "'[\"sms\"]', 'all', 'contract', 3600, '[]', '{}', 0, 0, ?, ?, ?, ?, 1)"
)
_TEXT = (
    "INSERT INTO localized_text (entity, entity_id, field, locale, body, revision, source_locale, source_revision, "
    "updated_at) VALUES ('campaign', 1, 'sms', 'ru', 'Оплата не работает', 1, 'ru', 1, ?)"
)
_DELIVERIES = (
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
    "INSERT INTO delivery (campaign_id, channel, contact_id, address, address_hash, dedupe, locale, time_zone, "
    "state, attempt, not_before) SELECT 1, 'sms', i, '+7900' || printf('%07d', i), lower(hex(randomblob(16))), '', "
    "'ru', 'Europe/Moscow', 'pending', 0, ? FROM n"
)
_COUNT = "INSERT INTO campaign_count (campaign_id, channel, state, reason, n) VALUES (1, 'sms', 'pending', '', ?)"


def _filled(path: Path, deliveries: int) -> Path:
    engine = make_engine(f"sqlite:///{path}")
    make_sqlite_file(engine)
    schema.upgrade(engine)
    engine.dispose()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN")
    installation = "INSERT INTO installation (id, address_key_check, generation, created_at) VALUES (1, '', 0, ?)"
    connection.execute(installation, (NOW,))
    connection.execute(_CAMPAIGN, (NOW,) * 4)
    connection.execute(_TEXT, (NOW,))
    connection.execute(_DELIVERIES, (deliveries, NOW))
    connection.execute(_COUNT, (deliveries,))
    connection.execute("COMMIT")
    connection.close()
    return path


if __name__ == "__main__":
    main()
