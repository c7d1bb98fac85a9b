from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text, update

from notifiers.base import Channel
from statuspage.config import Settings
from statuspage.db import Sessions, transaction
from statuspage.domain.clocks import Clock
from statuspage.domain.incident import IncidentState
from statuspage.models import Campaign, Delivery, Incident, Suppression
from statuspage.services import campaign_course, campaigns, clock_facts
from statuspage.services.operator_facts import OperatorFacts
from tests.databases import NOW
from tests.outbox import Person, World, settings

OPERATOR = OperatorFacts(ZoneInfo("Europe/Moscow"), "0500", ("ru", "zh", "en"))
MINUTE = timedelta(minutes=1)


@pytest.fixture
def configured(tmp_path: Path) -> Settings:
    return settings(tmp_path)


@pytest.fixture
def world(sessions: Sessions) -> World:
    made = World(sessions)
    made.people(Person(1), Person(2), Person(3, segment="pos_m2m"))
    return made


def deliver(world: World, configured: Settings, campaign: str, at: datetime, *, state: str = "delivered") -> None:
    """Everybody of the running campaign gets it at `at`; the counters follow."""
    world.expand(campaign, configured, at)
    with transaction(world.sessions) as session:
        row = campaigns.get_campaign(session, campaign)
        here = update(Delivery).where(Delivery.campaign_id == row.id, Delivery.state == "pending")
        session.execute(here.values(state=state, attempt=1))
        moved = "UPDATE campaign_count SET state = :state WHERE campaign_id = :id AND state = 'pending'"
        session.execute(text(moved), {"state": state, "id": row.id})
        row.first_accepted_at = at


def restore(world: World, incident: int, at: datetime) -> dict[str, str]:
    """The end notices that are drafted, by the campaign whose people they go to."""
    with transaction(world.sessions) as session:
        row = session.get_one(Incident, incident)
        row.state, row.restored_at = IncidentState.RESTORED_CATCHING_UP, at
        drafts = campaigns.on_restored(session, world.author, row, at)
        return {session.get_one(Campaign, one.told_by_id).public_id: one.public_id for one in drafts}


def release(world: World, configured: Settings, campaign: str, at: datetime) -> None:
    world.approve_and(campaign, configured, at)
    world.start_approved(campaign, at)


def end_notice(world: World, incident: int, now: datetime) -> Clock:
    with transaction(world.sessions, read_only=True) as session:
        due = clock_facts.due(session, session.get_one(Incident, incident), OPERATOR, now)
    return next(one for one in due if one.key == "end_notice")


def test_each_audience_that_was_told_needs_its_own_end_notice(world: World, configured: Settings) -> None:
    """Subscribers told in time do not make the clock kept while merchants wait; it names whose notice is missing."""
    incident = world.incident()
    told = [world.draft(incident, key) for key in ("outage", "merchants")]
    with transaction(world.sessions) as session:
        campaign = campaigns.get_campaign(session, told[0])
        others = campaigns.Edit(audience="not segment = pos_m2m")
        campaigns.edit_campaign(session, world.author, campaign, others, version=campaign.version, now=NOW)
    for one in told:
        release(world, configured, one, NOW)
        deliver(world, configured, one, NOW + MINUTE)
    restored = NOW + timedelta(hours=1)
    ends = restore(world, incident, restored)
    release(world, configured, ends[told[0]], restored + 5 * MINUTE)
    deliver(world, configured, ends[told[0]], restored + 6 * MINUTE)
    late = end_notice(world, incident, restored + 31 * MINUTE)
    assert (late.done_at, late.overdue, late.missing) == (None, True, (told[1],))
    release(world, configured, ends[told[1]], restored + 40 * MINUTE)
    deliver(world, configured, ends[told[1]], restored + 41 * MINUTE)
    done = end_notice(world, incident, restored + 60 * MINUTE)
    assert (done.done_at, done.late, done.missing) == (restored + 41 * MINUTE, True, ())


def test_an_end_notice_by_one_channel_leaves_out_those_told_by_another(world: World, configured: Settings) -> None:
    """Told by SMS and by mail, the end by SMS only: whoever was told by mail still waits."""
    incident = world.incident()
    told = world.start(incident, configured)
    deliver(world, configured, told, NOW + MINUTE)
    end = restore(world, incident, NOW + 10 * MINUTE)[told]
    with transaction(world.sessions) as session:
        campaign = campaigns.get_campaign(session, end)
        only = campaigns.Edit(channels=[Channel.SMS])
        campaigns.edit_campaign(session, world.author, campaign, only, version=campaign.version, now=NOW)
    release(world, configured, end, NOW + 11 * MINUTE)
    deliver(world, configured, end, NOW + 12 * MINUTE)
    assert end_notice(world, incident, NOW + 12 * MINUTE).missing == (told,)


@pytest.mark.parametrize("tried", [False, True])
def test_an_end_notice_that_was_cut_off_is_none(world: World, configured: Settings, *, tried: bool) -> None:
    """Cancelled before everybody was tried it leaves people out; cancelled while some wait for another try it does
    not."""
    incident = world.incident()
    told = world.start(incident, configured)
    deliver(world, configured, told, NOW + MINUTE)
    end = restore(world, incident, NOW + 10 * MINUTE)[told]
    release(world, configured, end, NOW + 11 * MINUTE)
    deliver(world, configured, end, NOW + 12 * MINUTE)
    with transaction(world.sessions) as session:
        campaign = campaigns.get_campaign(session, end)
        session.execute(
            update(Delivery)
            .where(Delivery.campaign_id == campaign.id, Delivery.channel == "sms")
            .values(state="pending", attempt=int(tried))
        )
        one_left = "UPDATE campaign_count SET n = 1 WHERE campaign_id = :id AND channel = 'sms'"
        session.execute(text(one_left), {"id": campaign.id})
        campaign_course.cancel_campaign(session, world.author, campaign, now=NOW + 13 * MINUTE)
    assert end_notice(world, incident, NOW + 14 * MINUTE).missing == (() if tried else (told,))
    with transaction(world.sessions) as session:
        campaign_course.sweep_cancelled(session, now=NOW + 14 * MINUTE)
    assert end_notice(world, incident, NOW + 15 * MINUTE).missing == (() if tried else (told,))


def test_whoever_opted_out_since_is_owed_nothing(world: World, configured: Settings) -> None:
    """Of an audience that may not be written to any more no end notice is asked."""
    incident = world.incident()
    told = [world.start(incident, configured, key, (Channel.SMS,)) for key in ("outage", "merchants")]
    for one in told:
        deliver(world, configured, one, NOW + MINUTE)
    restore(world, incident, NOW + 10 * MINUTE)
    assert end_notice(world, incident, NOW + 11 * MINUTE).missing == tuple(told)
    with transaction(world.sessions) as session:
        merchant = next(one for one in world.deliveries(told[1]))
        session.add(
            Suppression(channel="sms", address_hash=merchant.address_hash, reason="opt_out", source="sms", at=NOW)
        )
    assert end_notice(world, incident, NOW + 12 * MINUTE).missing == (told[0],)
