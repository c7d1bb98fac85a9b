"""Receipts that were lost on their way to us are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from notifiers.base import Channel, Notifier, Query, Receipt
from notifiers.fake import FakeNotifier
from statuspage.clock import FrozenClock
from statuspage.db import Sessions, transaction
from statuspage.jobs import overdue, sender
from statuspage.jobs.overdue import ask_about_overdue
from statuspage.jobs.turn import Means
from statuspage.services import receipts
from tests.databases import NOW
from tests.outbox import FAST, Person, World, send_until, settings


class Telling(FakeNotifier):
    """Remembers which deliveries it was asked about."""

    def __init__(self, channel: Channel) -> None:
        super().__init__(channel)
        self.asked: list[int] = []
        self.batches: list[int] = []

    async def reconcile(self, queries: Sequence[Query]) -> list[Receipt]:
        self.asked += [query.delivery_id for query in queries]
        self.batches.append(len(queries))
        return await super().reconcile(queries)


def test_lost_receipts_are_asked_for(
    sessions: Sessions, clock: FrozenClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An SMS of which no callback came is asked about after an hour, six and a day, and never sent again."""
    world, configured = World(sessions), settings(tmp_path)
    world.people(Person(1), Person(2), Person(3))
    campaign = world.start(world.incident(), configured)
    sms, email = Telling(Channel.SMS), Telling(Channel.EMAIL)

    def run(done: Callable[[], bool]) -> None:
        send_until(sessions, configured, {Channel.SMS: sms, Channel.EMAIL: email}, clock, done, options=FAST)

    run(lambda: world.counted(campaign) == {"accepted": 6})
    one, other, _ = (row for row in world.deliveries(campaign) if row.channel == Channel.SMS)
    sms.receipts = [
        Receipt("fake", one.provider_id, one.id, 1, "delivered", "delivered", NOW),
        Receipt("fake", other.provider_id, other.id, 1, "sent", "sent", NOW),
    ]
    asked: list[int] = []
    looks: list[int] = []

    async def look(means: Means, notifier: Notifier) -> int:
        found = await ask_about_overdue(means, notifier)
        if notifier is sms:
            looks.append(found)
        return found

    monkeypatch.setattr(sender, "ask_about_overdue", look)
    for hours in (0.9, 1.1, 2, 6.1, 7, 24.1, 25, 60):
        clock.set(NOW + timedelta(hours=hours))
        before = len(sms.asked)
        looks.clear()
        run(lambda: 0 in looks)
        with transaction(sessions) as session:
            receipts.apply_receipts(session, now=clock.now())
        asked.append(len(sms.asked) - before)
    assert asked == [0, 3, 0, 2, 0, 2, 0, 0]
    assert world.counted(campaign) == {"accepted": 4, "sent": 1, "delivered": 1}
    assert email.asked == []
    assert len(sms.sent) == 3


def test_many_are_found_in_one_pass(
    sessions: Sessions, clock: FrozenClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deliveries are read through once for several batches; when there may be more, once again, at once."""
    monkeypatch.setattr(overdue, "BATCH", 2)
    monkeypatch.setattr(overdue, "FOUND_AT_ONCE", 6)
    world, configured = World(sessions), settings(tmp_path)
    world.people(*(Person(n) for n in range(9)))
    campaign = world.start(world.incident(), configured, channels=(Channel.SMS,))
    sms = Telling(Channel.SMS)
    given = {Channel.SMS: sms}
    send_until(sessions, configured, given, clock, lambda: world.counted(campaign) == {"accepted": 9}, options=FAST)
    passes: list[int] = []

    def counted(*given: Any) -> list[Query]:
        found = read(*given)
        passes.append(len(found))
        return found

    read = overdue._overdue
    monkeypatch.setattr(overdue, "_overdue", counted)
    clock.advance(timedelta(hours=1, minutes=1))
    send_until(sessions, configured, given, clock, lambda: len(sms.asked) == 9, options=FAST)
    assert passes == [6, 3]
    assert sms.batches == [2, 2, 2, 2, 1]
    assert len(set(sms.asked)) == 9
