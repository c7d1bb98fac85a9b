"""Senders that are killed, put to sleep, doubled or given a wrong clock: every person is accounted for exactly once.

The process dies with both channels at one known step, so that the numbers afterwards are known to the last message.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from notifiers.base import Channel
from statuspage.clock import FrozenClock
from statuspage.db import Sessions, transaction
from statuspage.jobs import sender, wake
from statuspage.jobs.claim import claim
from statuspage.jobs.lane import LEASE_MARGIN, since_boot
from statuspage.jobs.reaper import reap
from statuspage.models import Delivery
from tests.databases import NOW
from tests.jobs.ledger import Ledger, read
from tests.jobs.stage import EMAIL, PEOPLE, SMS, Spare, Stage
from tests.jobs.stopped_sender import CLAIM, EXPANDING, OPTIONS, STEPS, STRETCH, WINDOW
from tests.outbox import World
from tests.waiting import PATIENCE


@pytest.fixture
def stage(
    sessions: Sessions,
    database_url: str,
    tmp_path: Path,
    clock: FrozenClock,
    spare: Spare,
    monkeypatch: pytest.MonkeyPatch,
) -> Stage:
    monkeypatch.setattr(sender, "RECONCILE_SECONDS", 0.05)
    monkeypatch.setattr(wake, "LISTEN_SECONDS", 0.05)
    return Stage(World(sessions), database_url, tmp_path, clock, spare)


@pytest.fixture(scope="module")
def spare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spare]:
    kept = Spare(tmp_path_factory.mktemp("senders"))
    yield kept
    kept.close()


# What stands in the ledger and in the outbox, per channel, at the moment of death.
TOLD = {"claimed": 0, "marked": 0, "half": WINDOW // 2, "taken": WINDOW, "marking": WINDOW, "settled": WINDOW}
AT_DEATH: Mapping[str, dict[str, int]] = {
    "claimed": {"claimed": CLAIM, "pending": PEOPLE - CLAIM},
    "marked": {"sending": WINDOW, "claimed": CLAIM - WINDOW, "pending": PEOPLE - CLAIM},
    "half": {"sending": WINDOW, "claimed": CLAIM - WINDOW, "pending": PEOPLE - CLAIM},
    "taken": {"sending": WINDOW, "claimed": CLAIM - WINDOW, "pending": PEOPLE - CLAIM},
    "marking": {"sending": WINDOW, "claimed": CLAIM - WINDOW, "pending": PEOPLE - CLAIM},
    "settled": {"accepted": WINDOW, "sending": WINDOW, "claimed": CLAIM - 2 * WINDOW, "pending": PEOPLE - CLAIM},
}


@pytest.mark.parametrize("step", STEPS)
def test_killed_to_the_last_message(step: str, stage: Stage) -> None:
    """One window a channel is in doubt and no more: of it mails go again under their Message-ID, SMS stay unknown."""
    stage.begin()
    stage.kill_at(step)
    for channel in Channel:
        assert stage.states(channel) == AT_DEATH[step]
        assert len(stage.told(channel)) == TOLD[step]
    stage.take_over()
    doubtful = 0 if step == "claimed" else WINDOW
    unsure = {"unknown": doubtful} if doubtful else {}
    assert stage.states(SMS) == {"accepted": PEOPLE - doubtful, **unsure}
    assert stage.states(EMAIL) == {"accepted": PEOPLE}
    assert Counter(stage.attempts().values()) == Counter({"unknown": doubtful, "resent": doubtful}) - Counter()
    in_doubt_and_told = TOLD[step] if step in ("half", "taken", "marking") else 0
    assert len(stage.told(SMS)) == PEOPLE - doubtful + in_doubt_and_told
    assert len(stage.told(EMAIL)) == PEOPLE + in_doubt_and_told
    stage.close_books()


def test_killed_while_it_walks_the_audience(stage: Stage) -> None:
    """Whoever is not in the outbox yet is walked by the next sender, which tells nobody twice; of those who were in it
    one window a channel is in doubt and no more."""
    stage.begin(expand=False)
    stage.kill_at(EXPANDING)
    assert Counter(row.channel for row in stage.rows()) == {SMS: STRETCH, EMAIL: STRETCH}
    stage.take_over()
    doubtful = stage.states(SMS).get("unknown", 0)
    assert stage.states(SMS) == Counter({"accepted": PEOPLE - doubtful, "unknown": doubtful}) - Counter()
    assert stage.states(EMAIL) == {"accepted": PEOPLE}
    assert doubtful <= WINDOW
    stage.close_books()


def test_a_provider_that_remembers(stage: Stage) -> None:
    """Asked about a window of which it took half, it spares those mails a second copy and clears those SMS up."""
    stage.begin()
    stage.kill_at("half")
    stage.take_over(tells=True)
    assert stage.states(SMS) == {"accepted": PEOPLE - WINDOW // 2, "unknown": WINDOW // 2}
    assert stage.states(EMAIL) == {"accepted": PEOPLE}
    assert len({line.delivery_id for line in stage.told(EMAIL)}) == len(stage.told(EMAIL)) == PEOPLE
    resent = [key for key, outcome in stage.attempts().items() if outcome == "resent"]
    assert len(resent) == WINDOW // 2
    stage.close_books()


# Whether the hand-over comes too late is told by a clock that nobody can set, so that one lease runs out for real.
LEASE_SECONDS = {"claimed": 120.0, "marked": 0.5, "taken": 120.0}


@pytest.mark.parametrize("step", LEASE_SECONDS)
def test_asleep_past_the_lease(step: str, stage: Stage) -> None:
    """SIGSTOP, another sender takes over, SIGCONT: the sleeper hands nothing over and overwrites nothing."""
    stage.begin()
    with stage.sender(step, lease_seconds=LEASE_SECONDS[step]) as sleeper:
        sleeper.until_stopped()
        slept_from = since_boot()
        stage.take_over()
        told, rows, attempts = read(stage.ledger), _facts(stage), stage.attempts()
        while step == "marked" and since_boot() < slept_from + LEASE_MARGIN * LEASE_SECONDS[step]:
            time.sleep(0.005)
        sleeper.go_on()
        sleeper.finish()
    assert read(stage.ledger) == told
    assert _facts(stage) == rows
    assert stage.attempts() == attempts
    # What the provider answered the sleeper is news all the same, and goes the way of receipts.
    stage.chores.apply_receipts()
    assert stage.states(EMAIL) == {"accepted": PEOPLE}
    unsure = {"unknown": WINDOW} if step == "marked" else {}
    assert stage.states(SMS) == {"accepted": PEOPLE - len(unsure) * WINDOW, **unsure}
    again = {row.id: row.provider_id for row in stage.rows() if row.channel == EMAIL}
    assert again == {delivery: provider for delivery, _, _, provider, _ in rows if delivery in again}
    stage.close_books()


def test_two_senders_at_once(stage: Stage) -> None:
    """Two processes hold different people of one campaign, and tell everybody once between them."""
    people = 4 * CLAIM
    stage.begin(people)
    with stage.sender("claimed") as one, stage.sender("claimed") as other:
        for process in (one, other):
            process.until_stopped()
        held = Counter((row.owner, row.channel) for row in stage.rows() if row.state == "claimed")
        assert len({owner for owner, _ in held}) == 2
        assert set(held.values()) == {CLAIM}
        assert len(held) == 4
        for process in (one, other):
            process.go_on()
        stage.until_done()
        for process in (one, other):
            process.finish()
        assert {line.process for line in read(stage.ledger)} == {one.pid, other.pid}
    assert stage.world.states(stage.campaign) == {"accepted": 2 * people}
    assert stage.attempts() == {}
    assert len(read(stage.ledger)) == 2 * people
    stage.close_books(people)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_two_open_claims_are_disjoint(stage: Stage) -> None:
    """A claim that has not committed yet neither blocks the next one nor shares a row with it."""
    stage.begin()
    found: list[set[int]] = []
    lease = timedelta(minutes=1)
    with transaction(stage.world.sessions) as one, transaction(stage.world.sessions) as other:
        for session, owner in ((one, "one"), (other, "other")):
            batch = claim(session, SMS, owner, limit=CLAIM, now=NOW, lease=lease)
            assert batch is not None
            found.append({row.id for row in batch.rows})
        assert claim(other, SMS, "other", limit=CLAIM, now=NOW, lease=lease) is None
    assert [len(ids) for ids in found] == [CLAIM, CLAIM]
    assert not found[0] & found[1]


@pytest.mark.parametrize("hours", [2, -2])
def test_the_clock_jumps(hours: int, stage: Stage) -> None:
    """Set forward, the reaper doubts what a living sender has in flight; set back, leases last longer: all the same to
    the people, of whom nobody waits until it is again as late as it was."""
    stage.begin()
    jump = _Jump(stage, timedelta(hours=hours))
    notifiers = {channel: Ledger(channel, stage.ledger, on_taken=jump.in_flight) for channel in Channel}

    def done() -> bool:
        finished = stage.done()
        jump.reaped()
        return finished

    stage.send(notifiers, done)
    assert jump.over
    assert stage.world.states(stage.campaign) == {"accepted": 2 * PEOPLE}
    assert len(read(stage.ledger)) == 2 * PEOPLE
    assert set(stage.attempts().values()) <= {"unknown"}
    assert bool(stage.attempts()) is (hours > 0)
    stage.close_books()


class _Jump:
    """Sets the clock while the second SMS window is in flight, and holds the window until the reaper has been by."""

    def __init__(self, stage: Stage, by: timedelta) -> None:
        self._stage, self._by = stage, by
        self._windows = self._rounds = 0
        self._jumped, self._reaped = threading.Event(), threading.Event()

    @property
    def over(self) -> bool:
        return self._reaped.is_set()

    async def in_flight(self, channel: Channel) -> None:
        if channel is not SMS:
            return
        self._windows += 1
        if self._windows == 2:
            self._stage.pass_time(self._by)
            self._jumped.set()
            await asyncio.to_thread(self._reaped.wait, PATIENCE)

    def reaped(self) -> None:
        """Called after each round of the tasks, of which the first may have begun before the jump."""
        self._rounds += self._jumped.is_set()
        if self._rounds == 2:
            self._reaped.set()


def test_leases_that_ran_out_are_told_apart(stage: Stage) -> None:
    """Of a dead sender what was claimed goes back to pending and what was sending becomes unknown; asked again, the
    reaper finds nothing."""
    stage.begin(5)
    with transaction(stage.world.sessions) as session:
        for place, one in enumerate(row for row in stage.rows() if row.channel == SMS):
            row = session.get_one(Delivery, one.id)
            row.state, row.owner = ("claimed" if place < 3 else "sending"), "dead"
            row.lease_until, row.sending_at, row.attempt = NOW + timedelta(minutes=1), NOW, int(place >= 3)
    stage.pass_time(timedelta(minutes=10))
    for expected in ((3, 2), (0, 0)):
        with transaction(stage.world.sessions) as session:
            assert reap(session, OPTIONS, now=stage.clock.now()) == expected
    assert stage.states(SMS) == {"pending": 3, "unknown": 2}


def _facts(stage: Stage) -> list[tuple[int, str, int, str | None, object]]:
    return [(row.id, row.state, row.attempt, row.provider_id, row.accepted_at) for row in stage.rows()]
