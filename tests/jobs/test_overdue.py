"""Receipts that were lost on their way to us are asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from notifiers.base import Channel, Query, Receipt
from notifiers.fake import FakeNotifier
from statuspage.clock import FrozenClock
from statuspage.db import Sessions, transaction
from statuspage.jobs.options import EngineOptions
from statuspage.services import receipts
from tests.databases import NOW
from tests.outbox import Person, World, send_until, settings

FAST = EngineOptions(poll_seconds=0.02, idle_poll_seconds=0.05, flush_seconds=0.01)


class Telling(FakeNotifier):
    """Remembers which deliveries it was asked about."""

    def __init__(self, channel: Channel) -> None:
        super().__init__(channel)
        self.asked: list[int] = []

    async def reconcile(self, queries: Sequence[Query]) -> list[Receipt]:
        self.asked += [query.delivery_id for query in queries]
        return await super().reconcile(queries)


def test_lost_receipts_are_asked_for(sessions: Sessions, clock: FrozenClock, tmp_path: Path) -> None:
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

    def sender_had_time() -> bool:
        time.sleep(0.3)
        return True

    for hours in (0.9, 1.1, 2, 6.1, 7, 24.1, 25, 60):
        clock.set(NOW + timedelta(hours=hours))
        before = len(sms.asked)
        run(sender_had_time)
        with transaction(sessions) as session:
            receipts.apply_receipts(session, now=clock.now())
        asked.append(len(sms.asked) - before)
    assert asked == [0, 3, 0, 2, 0, 2, 0, 0]
    assert world.counted(campaign) == {"accepted": 4, "sent": 1, "delivered": 1}
    assert email.asked == []
    assert len(sms.sent) == 3
