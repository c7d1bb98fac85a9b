"""Campaigns of equal urgency take turns at the sender."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from notifiers.base import Channel, Message, Settle
from notifiers.fake import FakeNotifier
from statuspage.clock import FrozenClock
from statuspage.db import Sessions, transaction
from statuspage.jobs.options import LARGEST_WINDOW, EngineOptions
from statuspage.models import Account, Contact, Line, Region, Segment, Subscription
from tests.databases import NOW
from tests.outbox import KEY, Person, World, send_until, settings
from tests.waiting import until

SMS = Channel.SMS
CROWD, MERCHANTS = 5_000, 50


def test_equals_take_turns(world: World, tmp_path: Path, clock: FrozenClock) -> None:
    """50 merchants whose campaign starts amid one to 5,000 people are told after what is in hand and in flight."""
    _crowd(world)
    configured = settings(tmp_path)
    incident = world.incident()
    large = world.start(incident, configured, channels=(SMS,))
    world.expand(large, configured)
    small: list[str] = []

    def start_merchants() -> None:
        small.append(world.start(incident, configured, "merchants", (SMS,)))
        until(lambda: world.campaign(small[0]).expanded_at, "the merchants are in the outbox")

    notifier = _Interrupted(after=1_500, act=start_merchants)
    options = EngineOptions(poll_seconds=0.02, idle_poll_seconds=0.05, flush_seconds=0.005, sms_cap=3)
    everything = CROWD + MERCHANTS
    send_until(
        world.sessions,
        configured,
        {SMS: notifier},
        clock,
        lambda: len(notifier.sent) >= everything,
        options=options,
    )
    since = [message.campaign for message in notifier.sent[notifier.interrupted_at :]]
    last = len(since) - 1 - since[::-1].index(small[0])
    ahead = since[:last].count(large)
    assert since.count(small[0]) == MERCHANTS
    assert ahead <= options.claim_size + LARGEST_WINDOW
    assert since.count(large) - ahead > options.claim_size, "the large one was nearly done: nothing is proven"
    assert len({(message.campaign, message.to) for message in notifier.sent}) == len(notifier.sent) == everything


class _Interrupted(FakeNotifier):
    """After so many messages `act` runs, and nothing more is taken before it is through."""

    def __init__(self, *, after: int, act: Callable[[], None]) -> None:
        super().__init__(SMS)
        self.interrupted_at = 0
        self._after, self._act = after, act
        self._gate = asyncio.Lock()

    async def send(self, messages: Sequence[Message], settle: Settle) -> None:
        # The window slides: while one hand-over waits here, the next ones queue up behind it.
        async with self._gate:
            if not self.interrupted_at and len(self.sent) >= self._after:
                self.interrupted_at = len(self.sent)
                await asyncio.to_thread(self._act)
            await super().send(messages, settle)


@pytest.fixture
def world(sessions: Sessions) -> World:
    return World(sessions)


def _crowd(world: World) -> None:
    """5,000 people, 50 of them merchants, in four statements."""
    people = [Person(n, segment="pos_m2m" if n <= MERCHANTS else "prepaid", email=False) for n in range(1, CROWD + 1)]
    with transaction(world.sessions) as session:
        segments = dict(session.execute(select(Segment.key, Segment.id)).all())
        region = session.scalars(select(Region.id).where(Region.key == "moscow")).one()
        ids = [one.number for one in people]
        session.execute(insert(Account), [{"id": n, "external_id": f"A{n}"} for n in ids])
        session.execute(
            insert(Contact),
            [
                {"id": one.number, "account_id": one.number, "language": "ru", "valid_from": 1}
                | {"sms": one.msisdn, "sms_hash": KEY.hash(one.msisdn)}
                for one in people
            ],
        )
        session.execute(
            insert(Line),
            [
                {"account_id": one.number, "contact_id": one.number, "key": f"+7911{one.number:07d}", "valid_from": 1}
                | {"segment_id": segments[one.segment], "region_id": region}
                for one in people
            ],
        )
        told = {"channel": "sms", "topic": "service", "state": "active", "basis": "contract", "source": "import"}
        session.execute(insert(Subscription), [{**told, "contact_id": n, "at": NOW} for n in ids])
