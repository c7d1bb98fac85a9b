"""kill -9 of a real sender at every step of a delivery: nobody is lost, and whoever is told twice is counted."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from notifiers.base import Channel
from statuspage.clock import FrozenClock
from statuspage.db import Sessions, transaction
from statuspage.jobs.options import EngineOptions
from statuspage.jobs.reaper import reap
from statuspage.models import Attempt
from tests.databases import NOW
from tests.jobs.crashing_sender import OPTIONS, STEPS, WINDOW, Ledger
from tests.outbox import Person, World, send_until, settings

PEOPLE = 120
ROOT = Path(__file__).resolve().parents[2]


def ledger_of(path: Path) -> Counter[str]:
    """address → how often the provider took a message to it."""
    if not path.exists():
        return Counter()
    return Counter(json.loads(line)[2] for line in path.read_text().splitlines())


def crash(database_url: str, folder: Path, ledger: Path, step: str, channel: Channel) -> None:
    words = (database_url, str(folder), str(ledger), step, channel.value)
    command = [sys.executable, "-m", "tests.jobs.crashing_sender", *words]
    ended = subprocess.run(command, cwd=ROOT, timeout=60, capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()[-2000:]


def recover(world: World, folder: Path, ledger: Path, channel: Channel, clock: FrozenClock) -> None:
    """Leases run out, a new sender goes on."""
    clock.set(NOW + timedelta(minutes=30))
    with transaction(world.sessions) as session:
        reap(session, OPTIONS, now=clock.now())
    clock.advance(timedelta(minutes=2))
    wanted = {"pending", "claimed", "sending"} | ({"unknown"} if channel is Channel.EMAIL else set())
    send_until(
        world.sessions,
        settings(folder),
        {channel: Ledger(channel, ledger)},
        clock,
        lambda: not wanted & set(world.states()),
        options=OPTIONS,
    )


# What the policy sends again can only come of the steps between marking and settling.
CASES = [(step, Channel.SMS) for step in STEPS] + [(step, Channel.EMAIL) for step in ("mark", "during_send", "send")]


@pytest.mark.parametrize(("step", "channel"), CASES)
def test_killed_at_every_step(
    step: str, channel: Channel, sessions: Sessions, database_url: str, tmp_path: Path, clock: FrozenClock
) -> None:
    """Everybody is told, or is one of at most one window of unknowns; twice only by counted resends of the policy."""
    world = World(sessions)
    world.people(*(Person(n) for n in range(PEOPLE)))
    campaign = world.start(world.incident(), settings(tmp_path), channels=(channel,))
    ledger = tmp_path / "ledger"
    crash(database_url, tmp_path, ledger, step, channel)
    before = ledger_of(ledger)
    assert sum(before.values()) >= 30
    recover(world, tmp_path, ledger, channel, clock)
    after = ledger_of(ledger)
    states = Counter(one.state for one in world.deliveries(campaign))
    with transaction(sessions, read_only=True) as session:
        resent = session.scalar(select(func.count()).select_from(Attempt).where(Attempt.outcome == "resent")) or 0
    unknown = {str(one.address) for one in world.deliveries(campaign) if one.state == "unknown"}
    assert states["accepted"] + states["unknown"] == PEOPLE
    assert set(after) | unknown == {str(one.address) for one in world.deliveries(campaign)}
    twice = sum(n - 1 for n in after.values())
    if channel is Channel.SMS:
        assert twice == 0
        assert len(unknown) <= WINDOW
    else:
        assert not unknown
        assert twice <= resent <= WINDOW
    assert world.counted(campaign) == {state: n for state, n in states.items() if n}


def test_a_sender_that_slept_past_its_lease_sends_nothing(
    sessions: Sessions, database_url: str, tmp_path: Path, clock: FrozenClock
) -> None:
    """Stopped (SIGSTOP) with deliveries in hand, woken after another sender took them over, it tells nobody twice."""
    world = World(sessions)
    world.people(*(Person(n) for n in range(PEOPLE)))
    campaign = world.start(world.incident(), settings(tmp_path), channels=(Channel.SMS,))
    ledger = tmp_path / "ledger"
    command = [sys.executable, "-m", "tests.jobs.sleeping_sender", database_url, str(tmp_path), str(ledger)]
    with subprocess.Popen(command, cwd=ROOT) as sleeper:
        try:
            asleep = tmp_path / "asleep"
            end = time.monotonic() + 30
            while not asleep.exists():
                assert time.monotonic() < end
                assert sleeper.poll() is None
                time.sleep(0.02)
            recover(world, tmp_path, ledger, Channel.SMS, clock)
            told = ledger_of(ledger)
            sleeper.send_signal(signal.SIGCONT)
            time.sleep(1.5)
            assert sleeper.poll() is None
            assert ledger_of(ledger) == told
        finally:
            sleeper.kill()
    assert max(told.values()) == 1
    states = Counter(one.state for one in world.deliveries(campaign))
    assert states["accepted"] + states["unknown"] == PEOPLE
    assert states["unknown"] <= WINDOW


def test_lease_expiry_is_told_apart(world_with_leases: World, clock: FrozenClock) -> None:
    """Claimed goes back to pending, sending becomes unknown, and asking again changes nothing."""
    world = world_with_leases
    clock.advance(timedelta(minutes=10))
    with transaction(world.sessions) as session:
        assert reap(session, EngineOptions(), now=clock.now()) == (3, 2)
    with transaction(world.sessions) as session:
        assert reap(session, EngineOptions(), now=clock.now()) == (0, 0)
    assert world.states() == {"pending": 3, "unknown": 2}


@pytest.fixture
def world_with_leases(sessions: Sessions, tmp_path: Path) -> World:
    world = World(sessions)
    world.people(*(Person(n) for n in range(5)))
    campaign = world.start(world.incident(), settings(tmp_path), channels=(Channel.SMS,))
    world.expand(campaign, settings(tmp_path))
    with transaction(sessions) as session:
        for place, delivery in enumerate(world.deliveries()):
            row = session.merge(delivery)
            row.state, row.owner = ("claimed" if place < 3 else "sending"), "dead"
            row.lease_until, row.sending_at, row.attempt = NOW + timedelta(minutes=1), NOW, int(place >= 3)
    return world
