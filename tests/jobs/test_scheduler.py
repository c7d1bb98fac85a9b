"""The scheduler: one works, another takes over, and a broken task or a lost database stops nothing."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from notifiers.base import Channel, Receipt
from statuspage.clock import FrozenClock
from statuspage.composition import Composition
from statuspage.db import Sessions, transaction
from statuspage.domain.campaign import CampaignState
from statuspage.jobs import scheduler as module
from statuspage.jobs.scheduler import LEASE_LENGTH, Scheduler
from statuspage.jobs.tasks import Chores, Task
from statuspage.models import Delivery
from statuspage.services import receipts
from tests.databases import NOW
from tests.outbox import Person, World, settings
from tests.waiting import PATIENCE, until


@pytest.fixture
def parts(sessions: Sessions, tmp_path: Path, clock: FrozenClock) -> Composition:
    return Composition(settings(tmp_path), sessions, {}, clock)


def test_one_of_two_works_until_its_lease_runs_out(parts: Composition, clock: FrozenClock) -> None:
    """The second gets nothing while the first renews; when the first has slept too long it learns that it lost."""
    first, second = Scheduler(parts), Scheduler(parts)
    first.hold()
    second.hold()
    assert (first.working, second.working) == (True, False)
    clock.advance(LEASE_LENGTH / 2)
    first.hold()
    clock.advance(LEASE_LENGTH * 0.8)
    second.hold()
    assert not second.working
    clock.advance(LEASE_LENGTH)
    second.hold()
    assert second.working
    first.hold()
    assert not first.working


def test_a_broken_task_stops_no_other(parts: Composition, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks that raise are tried again at their next tick while the others go on; stopping ends all of it."""
    ran: dict[str, int] = {"good": 0, "broken": 0, "lost": 0}

    def good() -> None:
        ran["good"] += 1

    def broken() -> None:
        ran["broken"] += 1
        raise ZeroDivisionError

    def lost() -> None:
        ran["lost"] += 1
        raise OperationalError("SELECT 1", {}, RuntimeError("gone"))

    table = (Task("broken", 0.02, broken), Task("lost", 0.02, lost), Task("good", 0.02, good))
    monkeypatch.setattr(Chores, "table", lambda _: table)
    scheduler = Scheduler(parts)
    running = threading.Thread(target=scheduler.run)
    running.start()
    until(lambda: min(ran.values()) >= 3, "each has ticked three times")
    scheduler.stop()
    running.join(PATIENCE)
    assert not running.is_alive()


def test_it_outlives_a_database_that_is_gone(parts: Composition, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a database it neither ends nor works; when the database is back, it goes on."""
    scheduler = Scheduler(parts)

    def gone(*_: object, **__: object) -> object:
        raise OperationalError("BEGIN", {}, RuntimeError("gone"))

    with monkeypatch.context() as patch:
        patch.setattr(module, "transaction", gone)
        scheduler.hold()
        assert not scheduler.working
    scheduler.hold()
    assert scheduler.working


def test_it_brings_campaigns_to_their_end(parts: Composition, clock: FrozenClock) -> None:
    """Receipts are applied, dead senders' deliveries given back, and a campaign with nothing open is finished."""
    world = World(parts.sessions)
    world.people(Person(1), Person(2))
    campaign = world.start(world.incident(), parts.settings, channels=(Channel.SMS,))
    chores = Chores(parts, "test", lambda: False)
    clock.advance(timedelta(seconds=10))
    tasks = {task.name: task.work for task in chores.table()}
    tasks["expansion"]()
    with transaction(parts.sessions) as session:
        for one in world.deliveries(campaign):
            row = session.get_one(Delivery, one.id)
            row.state, row.owner, row.attempt, row.sending_at = "sending", "dead", 1, NOW
            row.lease_until = NOW
    tasks["leases"]()
    assert world.counted(campaign) == {"unknown": 2}
    news = [
        Receipt("fake", f"SM{one.id}", one.id, 1, "delivered", "delivered", NOW) for one in world.deliveries(campaign)
    ]
    with transaction(parts.sessions) as session:
        receipts.store_receipts(session, news, NOW)
    tasks["receipts"]()
    assert world.counted(campaign) == world.states(campaign) == {"delivered": 2}
    tasks["campaigns"]()
    assert world.campaign(campaign).state is CampaignState.FINISHED
    chores.close()
