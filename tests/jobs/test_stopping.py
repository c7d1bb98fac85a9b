"""A process that is told to stop waits for what is in flight and for nothing else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from notifiers.base import Channel, Failure, NotifierError, Query, Receipt
from notifiers.fake import FakeNotifier
from statuspage.clock import FrozenClock
from statuspage.composition import Composition
from statuspage.db import Sessions
from statuspage.jobs import sender, tasks, wake
from statuspage.jobs.options import EngineOptions
from statuspage.jobs.tasks import Chores
from tests.outbox import FAST, Person, World, send_until, settings
from tests.waiting import PATIENCE


class Mute(FakeNotifier):
    """Never answers a question."""

    asked = False

    async def reconcile(self, queries: Sequence[Query]) -> list[Receipt]:
        del queries
        self.asked = True
        await asyncio.Event().wait()
        return []


def test_a_question_without_answer_holds_up_no_end(sessions: Sessions, clock: FrozenClock, tmp_path: Path) -> None:
    """A provider that is asked about an unknown delivery and never answers is left alone; it is asked again later."""
    world, configured = World(sessions), settings(tmp_path)
    world.people(Person(1))
    campaign = world.start(world.incident(), configured, channels=(Channel.SMS,))
    mute = Mute(Channel.SMS, script=lambda _: NotifierError(Failure.NO_ANSWER, sent="unknown"))
    given = {Channel.SMS: mute}
    send_until(sessions, configured, given, clock, lambda: world.counted(campaign) == {"unknown": 1}, options=FAST)
    clock.advance(timedelta(minutes=2))
    send_until(sessions, configured, given, clock, lambda: mute.asked, options=FAST)
    assert world.states(campaign) == {"unknown": 1}


def test_an_idle_sender_does_not_sleep_on(
    sessions: Sessions, clock: FrozenClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the sender would sleep between two looks at the database, being told to stop wakes it."""
    monkeypatch.setattr(sender, "EXPAND_SECONDS", 3_600.0)
    monkeypatch.setattr(sender, "RECONCILE_SECONDS", 3_600.0)
    given = {channel: FakeNotifier(channel) for channel in Channel}
    send_until(sessions, settings(tmp_path), given, clock, lambda: True, options=EngineOptions())


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_lost_database_is_not_waited_for(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever listens for PostgreSQL's knock, and waits before he tries a dead one again, stops when told to."""
    monkeypatch.setattr(wake, "AGAIN_SECONDS", 3_600.0)
    lost, stopped = threading.Event(), threading.Event()

    def gone(*_: object) -> None:
        lost.set()
        raise OperationalError("LISTEN", {}, RuntimeError("gone"))

    monkeypatch.setattr(wake, "_hear", gone)
    listening = threading.Thread(target=wake.listen, args=(engine, lambda: None, stopped), daemon=True)
    listening.start()
    assert lost.wait(PATIENCE)
    stopped.set()
    listening.join(PATIENCE)
    assert not listening.is_alive()


def test_a_task_with_much_to_do_stops_between_two_steps(
    sessions: Sessions, clock: FrozenClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scheduler's work that goes on as long as there is more leaves the rest to whoever comes next."""
    stopped = threading.Event()
    steps: list[object] = []

    def endless(session: object, *_: object, **__: object) -> tuple[int, int]:
        steps.append(session)
        if len(steps) == 3:
            stopped.set()
        return 1, 0

    monkeypatch.setattr(tasks, "reap", endless)
    chores = Chores(Composition(settings(tmp_path), sessions, {}, clock), "test", stopped.is_set)
    chores.reap()
    chores.close()
    assert len(steps) == 3
