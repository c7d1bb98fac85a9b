"""People are counted once over all campaigns of an incident, messages each time."""

from __future__ import annotations

from pathlib import Path

import pytest

from notifiers.base import Channel
from statuspage.config import Settings
from statuspage.db import Sessions, transaction
from statuspage.services import campaigns, people_reached
from tests.databases import NOW
from tests.outbox import Person, World, settings
from tests.services.test_clock_facts import MINUTE, deliver

SMS, EMAIL = Channel.SMS, Channel.EMAIL


@pytest.fixture
def configured(tmp_path: Path) -> Settings:
    return settings(tmp_path)


@pytest.fixture
def world(sessions: Sessions) -> World:
    """Two with both addresses, one with either; a merchant who is the first of them on another line, and another."""
    made = World(sessions)
    made.people(Person(1), Person(2), Person(3, email=False), Person(4, sms=False))
    made.people(Person(5, segment="pos_m2m", address=1), Person(6, segment="pos_m2m"))
    return made


def told(world: World, configured: Settings, incident: int, key: str, *channels: Channel) -> str:
    public_id = world.start(incident, configured, key, channels)
    deliver(world, configured, public_id, NOW + MINUTE)
    return public_id


def reached(world: World, *public_ids: str) -> int:
    with transaction(world.sessions, read_only=True) as session:
        return people_reached.people(session, [campaigns.get_campaign(session, one).id for one in public_ids])


def test_who_is_told_by_two_campaigns_is_one_person(world: World, configured: Settings) -> None:
    """By the number or the address that both told, though each campaign knows him by another contact."""
    incident = world.incident()
    everybody = told(world, configured, incident, "outage", SMS, EMAIL)
    merchants = told(world, configured, incident, "merchants", SMS, EMAIL)
    assert reached(world, everybody) == 5
    assert reached(world, merchants) == 2
    assert reached(world, everybody, merchants) == 5


def test_who_got_an_sms_and_later_a_mail_is_one_person(world: World, configured: Settings) -> None:
    """Two campaigns by one channel each: by mail alone only those count who got no SMS."""
    incident = world.incident()
    by_sms = told(world, configured, incident, "outage", SMS)
    by_mail = told(world, configured, incident, "outage", EMAIL)
    assert (reached(world, by_sms), reached(world, by_mail)) == (4, 4)
    assert reached(world, by_sms, by_mail) == 5


def test_nobody_reached_is_nobody(world: World, configured: Settings) -> None:
    """Who still waits has not been told; neither have the people of no campaign."""
    waiting = world.start(world.incident(), configured)
    world.expand(waiting, configured)
    assert (reached(world, waiting), reached(world)) == (0, 0)
