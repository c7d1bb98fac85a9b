"""How many SMS wait for the end of quiet hours, and until when: what the sender put off, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from notifiers.base import Channel
from notifiers.fake import FakeNotifier
from statuspage.clock import FrozenClock
from statuspage.config import Settings
from statuspage.db import Sessions, transaction
from statuspage.models import Delivery
from statuspage.services import campaigns, quiet_wait
from statuspage.services.quiet_wait import QuietWait, ZoneWait
from tests.outbox import Person, World, send_until, settings

NIGHT = datetime(2026, 11, 22, 19, 30, tzinfo=UTC)
"""22:30 in Moscow, 05:30 of the next day in Vladivostok."""

MORNINGS = datetime(2026, 11, 22, 22, 0, tzinfo=UTC), datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
"""08:00 there, and 08:00 here."""


@pytest.fixture
def world(sessions: Sessions) -> World:
    made = World(sessions)
    made.people(*(Person(n, region="far_east") for n in range(3)), *(Person(n) for n in range(3, 5)))
    return made


@pytest.fixture
def configured(tmp_path: Path) -> Settings:
    return settings(tmp_path)


def asked(world: World, public_id: str, configured: Settings, now: datetime = NIGHT) -> QuietWait | None:
    with transaction(world.sessions, read_only=True) as session:
        return quiet_wait.waiting(session, campaigns.get_campaign(session, public_id), configured, now=now)


def test_it_says_how_many_wait_and_until_when(world: World, configured: Settings) -> None:
    """Everybody's SMS waits for his own morning; the mails have gone, and a retry does not wait for quiet hours."""
    public_id = world.start(world.incident(), configured, now=NIGHT)
    assert asked(world, public_id, configured) is None
    world.expand(public_id, configured, now=NIGHT)
    notifiers = {channel: FakeNotifier(channel) for channel in Channel}

    def settled() -> bool:
        held = asked(world, public_id, configured)
        return world.states(public_id).get("accepted") == 5 and held is not None and held.messages == 5

    send_until(world.sessions, configured, notifiers, FrozenClock(NIGHT), settled)
    assert asked(world, public_id, configured) == QuietWait(5, *MORNINGS)
    with transaction(world.sessions) as session:
        one = next(one for one in world.deliveries(public_id) if one.not_before == MORNINGS[0])
        session.get_one(Delivery, one.id).not_before = NIGHT + timedelta(minutes=17, seconds=3)
    assert asked(world, public_id, configured) == QuietWait(4, *MORNINGS)
    assert asked(world, public_id, configured, MORNINGS[0]) == QuietWait(2, MORNINGS[1], MORNINGS[1])
    assert asked(world, public_id, configured, MORNINGS[1]) is None


def test_who_may_be_woken_does_not_wait(world: World, configured: Settings) -> None:
    """Where a second person overrode quiet hours, or the operator has none, nothing is said of them."""
    public_id = world.start(world.incident(), configured, channels=(Channel.SMS,), now=NIGHT)
    world.expand(public_id, configured, now=NIGHT)
    with transaction(world.sessions) as session:
        for one in world.deliveries(public_id):
            session.get_one(Delivery, one.id).not_before = MORNINGS[1]
        assert asked(world, public_id, settings(configured.data_dir, quiet_end="22:00")) is None
        campaigns.get_campaign(session, public_id).quiet_override_by = world.approver.id
    assert asked(world, public_id, configured) is None


def test_what_would_wait_past_a_day_would_not_go(world: World, configured: Settings) -> None:
    """Where quiet hours last longer than a notice is worth sending, it says that before anybody starts it."""
    campaign = world.campaign(world.draft(world.incident()))
    longest = settings(configured.data_dir, quiet_start="08:01", quiet_end="08:00")
    # The clocks go back in the night, so that this day has 25 hours.
    autumn = datetime(2026, 10, 31, 12, 2, tzinfo=UTC)
    found = quiet_wait.ahead(campaign, {"America/New_York": 2, "Asia/Vladivostok": 3}, longest, at=autumn)
    assert found is not None
    assert found.expired == 2
    assert found.zones == (ZoneWait("Asia/Vladivostok", 3, datetime(2026, 10, 31, 22, 0, tzinfo=UTC)),)


def test_without_quiet_hours_nothing_is_said_ahead(world: World, configured: Settings) -> None:
    """Of a campaign that may wake people, has no SMS, or whose operator keeps no quiet hours."""
    campaign, zones = world.campaign(world.draft(world.incident())), {"Europe/Moscow": 1}
    assert quiet_wait.ahead(campaign, {}, configured, at=NIGHT) is None
    without = settings(configured.data_dir, quiet_end="22:00")
    assert quiet_wait.ahead(campaign, zones, without, at=NIGHT) is None
    campaign.quiet_override_by = world.approver.id
    assert quiet_wait.ahead(campaign, zones, configured, at=NIGHT) is None
