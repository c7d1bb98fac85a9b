"""A clock that jumps, or was wrong for days: everybody is told once, and nobody waits for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from notifiers.base import Accepted, Channel, Failure, Message, NotifierError
from notifiers.fake import FakeNotifier
from statuspage.clock import FrozenClock
from statuspage.config import Settings
from statuspage.db import transaction
from statuspage.jobs.reaper import reap
from statuspage.models import Attempt
from tests.outbox import FAST, Person, World, send_until
from tests.waiting import until


def test_a_clock_that_jumps_tells_nobody_twice(world: World, configured: Settings, clock: FrozenClock) -> None:
    """Forward or back by hours while messages are in flight: everybody is told once."""
    world.people(*(Person(n) for n in range(200)))
    campaign = world.start(world.incident(), configured, channels=(Channel.SMS,), validity=timedelta(hours=10))
    jumps = iter(timedelta(hours=hours) for hours in (2, -1, 3, -2))

    def jump(message: Message) -> Accepted | NotifierError:
        if message.delivery_id % 40 == 0:
            clock.advance(next(jumps, timedelta(0)))
        return Accepted(f"id-{message.delivery_id}", "fake")

    sms = FakeNotifier(Channel.SMS, script=jump)
    options = replace(FAST, window=20, claim_size=64)
    clock.advance(timedelta(hours=4))

    def settled() -> bool:
        with transaction(world.sessions) as session:
            reap(session, options, now=clock.now())
        return sum(n for state, n in world.counted(campaign).items() if state != "pending") == 200

    send_until(world.sessions, configured, {Channel.SMS: sms}, clock, settled, options=options)
    assert len({message.to for message in sms.sent}) == len(sms.sent)
    unknown = world.counted(campaign).get("unknown", 0)
    assert len(sms.sent) == 200
    assert unknown <= 2 * options.window


def test_a_clock_that_was_days_ahead_keeps_nobody_waiting(
    world: World, configured: Settings, clock: FrozenClock
) -> None:
    """A retry that was put off by such a clock is due once it is put right; what quiet hours hold back waits on."""
    world.people(Person(1), Person(2, region="far_east"))

    def send(notifier: FakeNotifier, done: Callable[[], bool]) -> None:
        send_until(world.sessions, configured, {Channel.SMS: notifier}, clock, done, options=FAST)

    clock.set(datetime(2026, 11, 25, 12, 20, tzinfo=UTC))
    campaign = world.start(world.incident(), configured, channels=(Channel.SMS,), now=clock.now())
    busy = FakeNotifier(Channel.SMS, script=lambda _: NotifierError(Failure.TEMPORARY, code="30001"))
    send(busy, lambda: _retried(world))
    clock.set(datetime(2026, 11, 22, 12, 25, tzinfo=UTC))
    sms = FakeNotifier(Channel.SMS)
    send(sms, lambda: world.counted(campaign) == {"accepted": 1, "pending": 1})
    until(lambda: "claimed" not in world.states(campaign), "what is held back is given back")
    waiting = next(one for one in world.deliveries(campaign) if one.state == "pending")
    assert (waiting.attempt, waiting.not_before) == (0, datetime(2026, 11, 22, 22, 0, tzinfo=UTC))


def _retried(world: World) -> bool:
    with transaction(world.sessions, read_only=True) as session:
        return session.scalars(select(Attempt.outcome)).all() == ["retry"]
