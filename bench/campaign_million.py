"""One campaign to a million people on SQLite, through the real processes (`statuspage serve`, console outbox).

Limits: starting returns in under 1 s; the first message is at the provider within 2 s; all deliveries are materialised
in under 10 s; all processes together stay under 400 MB (PSS). The provider takes 1,000 SMS a second meanwhile, or
`--rate`: a sender that goes flat out takes its share of the processor and of SQLite's one write lock.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import psutil

from notifiers.base import Channel
from statuspage.clock import SystemClock
from statuspage.config import Settings
from statuspage.db import Sessions, make_engine, make_sessions, transaction
from statuspage.services import approval, campaigns
from tests.databases import SECRET
from tests.outbox import World, settings

START_SECONDS, FIRST_SECONDS, MATERIALISED_SECONDS, PSS_MB = 1.0, 2.0, 10.0, 400.0
FOREVER = 2**31 - 1
LOOK_SECONDS, WEIGH_SECONDS = 0.05, 0.5
"""How often the run is looked at, and its memory added up: that takes 10 ms of a processor each time."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--people", type=int, default=1_000_000)
    arguments.add_argument("--channels", default="sms", help="sms, email or sms,email")
    arguments.add_argument("--rate", type=int, default=1_000, help="SMS a second that the provider takes")
    given = arguments.parse_args()
    channels = tuple(Channel(name) for name in given.channels.split(","))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = _environment(folder, given.rate)
        _run(environment, "db", "upgrade")
        configured = settings(
            folder,
            database_url=f"sqlite:///{folder}/statuspage.db",
            approval_threshold=10_000_000,
            sms_price="0",
            sms_rate=given.rate,
        )
        sessions = make_sessions(make_engine(configured.database_url.get_secret_value()))
        world = people(folder / "statuspage.db", sessions, given.people)
        print(f"{given.people:,} people by {given.channels}, {given.rate:,} SMS a second")
        failed = measure(folder, environment, configured, world, channels)
    raise SystemExit(1 if failed else 0)


def measure(
    folder: Path, environment: dict[str, str], configured: Settings, world: World, channels: tuple[Channel, ...]
) -> bool:
    """Whether any limit was missed."""
    with (folder / "log").open("w") as log:
        command = [sys.executable, "-m", "statuspage", "serve"]
        served = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            _until(lambda: _listens(int(environment["STATUSPAGE_PORT"])), 60)
            figures = _campaign(folder, served, configured, world, channels)
        finally:
            served.send_signal(signal.SIGTERM)
            served.wait(60)
    limits = (START_SECONDS, FIRST_SECONDS, MATERIALISED_SECONDS, PSS_MB)
    names = ("start returns", "first message", "materialised", "memory, PSS")
    failed = False
    for what, found, limit, unit in zip(names, figures, limits, ("s", "s", "s", "MB"), strict=True):
        failed |= found >= limit
        print(f"{what:>14}: {found:8.2f} {unit} (limit {limit:g}){'  TOO MUCH' if found >= limit else ''}")
    return failed


def _campaign(
    folder: Path, served: subprocess.Popen[bytes], configured: Settings, world: World, channels: tuple[Channel, ...]
) -> tuple[float, float, float, float]:
    campaign_id, public_id = _approved(world, configured, channels)
    watcher = sqlite3.connect(folder / "statuspage.db")
    outbox = folder / "outbox.jsonl"
    begun = time.perf_counter()
    world.start_approved(public_id, _now())
    started = time.perf_counter() - begun
    first, most, weighed, expanded = 0.0, 0.0, 0.0, None
    while expanded is None:
        time.sleep(LOOK_SECONDS)
        elapsed = time.perf_counter() - begun
        if not first and outbox.exists() and outbox.stat().st_size:
            first = elapsed
        (expanded,) = watcher.execute("SELECT expanded_at FROM campaign WHERE id = ?", (campaign_id,)).fetchone()
        materialised = elapsed
        if elapsed - weighed > WEIGH_SECONDS:
            most, weighed = max(most, pss_mb(served.pid)), elapsed
    (rows,) = watcher.execute("SELECT count(*) FROM delivery").fetchone()
    print(f"deliveries: {rows:,}")
    for _ in range(20):
        most = max(most, pss_mb(served.pid))
        time.sleep(0.1)
    return started, first, materialised, most


def _approved(world: World, configured: Settings, channels: tuple[Channel, ...]) -> tuple[int, str]:
    public_id = world.draft(world.incident(), channels=channels)
    with transaction(world.sessions) as session:
        campaign = campaigns.get_campaign(session, public_id)
        begun = time.perf_counter()
        approval.request_approval(session, world.author, campaign, settings=configured, now=_now())
        print(f"preview and request: {time.perf_counter() - begun:.2f} s")
        return campaign.id, public_id


_NUMBERS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
_ACCOUNTS = f"{_NUMBERS} INSERT INTO account (id, external_id) SELECT i, 'A' || i FROM n"  # noqa: S608 -- our own words
_CONTACTS = (
    f"{_NUMBERS} INSERT INTO contact (id, account_id, language, sms, sms_hash, email, email_hash, "  # noqa: S608
    "valid_from, valid_to) SELECT i, i, CASE i % 3 WHEN 0 THEN 'ru' WHEN 1 THEN 'zh' ELSE 'en' END, "
    "'+7900' || printf('%07d', i), lower(hex(randomblob(16))), "
    "'user' || i || '@example.test', lower(hex(randomblob(16))), 1, ? FROM n"
)
_LINES = (
    f"{_NUMBERS} INSERT INTO line (id, account_id, contact_id, key, msisdn, segment_id, region_id, "  # noqa: S608
    "valid_from, valid_to) SELECT i, i, i, '+7900' || i, '+7900' || i, 1 + (i % 20 = 0), 1, 1, ? FROM n"
)
_SUBSCRIPTIONS = (
    f"{_NUMBERS} INSERT INTO subscription (contact_id, channel, topic, state, basis, source, at) "  # noqa: S608
    "SELECT i, ?, 'service', CASE WHEN i % 50 = 0 THEN 'refused' ELSE 'active' END, 'contract', 'import', "
    "'2026-01-01 00:00:00.000000' FROM n"
)


def people(path: Path, sessions: Sessions, n: int) -> World:
    """Accounts, lines, contacts and consents; one in fifty has refused."""
    world = World(sessions)
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("synchronous=OFF", "foreign_keys=OFF", "cache_size=-400000"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("BEGIN")
    connection.execute(_ACCOUNTS, (n,))
    connection.execute(_CONTACTS, (n, FOREVER))
    connection.execute(_LINES, (n, FOREVER))
    for channel in Channel:
        connection.execute(_SUBSCRIPTIONS, (n, channel.value))
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return world


def pss_mb(pid: int) -> float:
    """Proportional set size of a process and all its children."""
    try:
        family = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.NoSuchProcess:
        return 0.0
    total = 0
    for one in family:
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def _environment(folder: Path, rate: int) -> dict[str, str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STATUSPAGE_")}
    return {
        **kept,
        "STATUSPAGE_DATA_DIR": str(folder),
        "STATUSPAGE_SECRET_KEY": SECRET,
        "STATUSPAGE_PORT": str(port),
        "STATUSPAGE_SMS_RATE": str(rate),
        "STATUSPAGE_QUIET_START": "00:00",
        "STATUSPAGE_QUIET_END": "00:00",
    }


def _run(environment: dict[str, str], *words: str) -> None:
    subprocess.run([sys.executable, "-m", "statuspage", *words], env=environment, check=True)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _until(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the server did not come up")
        time.sleep(0.1)


def _now() -> datetime:
    return SystemClock().now()


if __name__ == "__main__":
    main()
