"""Whoever lets SMS out at night is a second person, by name, and it is part of what is approved."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from notifiers.base import Channel
from statuspage.config import Settings
from statuspage.db import Sessions, transaction
from statuspage.domain.campaign import CampaignState
from statuspage.domain.errors import NotAllowed, RuleError
from statuspage.jobs.claim import Claimed
from statuspage.jobs.options import EngineOptions
from statuspage.jobs.recheck import recheck
from statuspage.jobs.window import facts_of
from statuspage.models import AuditEntry, Campaign, User
from statuspage.services import approval, audit, campaigns, quiet_hours
from statuspage.services.actor import CLI, Actor
from statuspage.services.campaigns import Edit
from tests.databases import NOW
from tests.outbox import Person, World, settings

NIGHT = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
"""23:00 in Moscow."""


@pytest.fixture
def world(sessions: Sessions) -> World:
    made = World(sessions)
    made.people(Person(1), Person(2))
    return made


@pytest.fixture
def configured(tmp_path: Path) -> Settings:
    return settings(tmp_path, approval_threshold=1)


def asked(world: World, configured: Settings, channels: tuple[Channel, ...] = (Channel.SMS,)) -> str:
    public_id = world.draft(world.incident(), channels=channels)
    with transaction(world.sessions) as session:
        campaign = campaigns.get_campaign(session, public_id)
        approval.request_approval(session, world.author, campaign, settings=configured, now=NOW)
    return public_id


def override(world: World, public_id: str, actor: Actor) -> str:
    """Decide, and answer the hash that is to be approved now."""
    with transaction(world.sessions) as session:
        campaign = quiet_hours.override(session, actor, campaigns.get_campaign(session, public_id), now=NOW)
        return str(campaign.content_hash)


def approve(world: World, public_id: str, seen: str) -> None:
    with transaction(world.sessions) as session:
        approval.approve(
            session, world.approver, campaigns.get_campaign(session, public_id), seen_hash=seen, now=NOW
        )


def held_at_night(world: World, public_id: str) -> int:
    """How many of its deliveries would wait if they were handed over at 23:00."""
    with transaction(world.sessions, read_only=True) as session:
        campaign = campaigns.get_campaign(session, public_id)
        rows = [
            Claimed(one.id, 0, str(one.address), one.address_hash, one.locale, one.time_zone, "")
            for one in world.deliveries(public_id)
        ]
        facts = facts_of(session, campaign.id)
        return len(recheck(session, facts, Channel.SMS, rows, EngineOptions(), now=NIGHT))


def test_a_second_person_lets_sms_out_at_night(world: World, configured: Settings) -> None:
    """What was seen before the decision is not approved by it; approved with it, nobody is held at 23:00."""
    public_id = asked(world, configured)
    before = str(world.campaign(public_id).content_hash)
    after = override(world, public_id, world.approver)
    assert override(world, public_id, world.approver) == after != before
    with pytest.raises(RuleError) as refused:
        approve(world, public_id, before)
    assert refused.value.code == "campaign.approval_void"
    approve(world, public_id, after)
    world.start_approved(public_id)
    world.expand(public_id, configured)
    assert held_at_night(world, public_id) == 0
    with transaction(world.sessions, read_only=True) as session:
        entries = session.scalars(select(AuditEntry).where(AuditEntry.action == "campaign.quiet_overridden")).all()
        assert [entry.actor_id for entry in entries] == [world.approver.name]
        assert audit.verify(session)[1] is None


def test_without_the_decision_everybody_sleeps(world: World, configured: Settings) -> None:
    """The same campaign without it waits until morning."""
    public_id = asked(world, configured)
    approve(world, public_id, str(world.campaign(public_id).content_hash))
    world.start_approved(public_id)
    world.expand(public_id, configured)
    assert held_at_night(world, public_id) == 2


def test_nobody_decides_it_for_his_own_message(world: World, configured: Settings) -> None:
    """Neither the author, nor the command line, nor a first password, nor whoever may not approve."""
    public_id = asked(world, configured)
    both = Actor("user", world.author.id, world.author.name, world.approver.permissions)
    for actor in (world.author, both, CLI):
        with pytest.raises(NotAllowed):
            override(world, public_id, actor)
    with transaction(world.sessions) as session:
        session.get_one(User, world.approver.id).must_change_password = True
    with pytest.raises(NotAllowed):
        override(world, public_id, world.approver)
    assert world.campaign(public_id).quiet_override_by is None


def test_an_approved_campaign_is_approved_anew(world: World, tmp_path: Path) -> None:
    """Also one so small that nobody had to approve it: to wake people takes two."""
    public_id = asked(world, settings(tmp_path))
    assert world.campaign(public_id).state is CampaignState.APPROVED
    seen = override(world, public_id, world.approver)
    assert world.campaign(public_id).state is CampaignState.AWAITING_APPROVAL
    with pytest.raises(RuleError):
        world.start_approved(public_id)
    approve(world, public_id, seen)
    world.start_approved(public_id)


def test_an_edit_takes_the_decision_back(world: World, configured: Settings) -> None:
    """Other words, another decision; the same holds for asking again."""
    public_id = asked(world, configured)
    override(world, public_id, world.approver)
    with transaction(world.sessions) as session:
        campaign = campaigns.get_campaign(session, public_id)
        campaigns.edit_campaign(
            session, world.author, campaign, Edit(name="Other"), version=campaign.version, now=NOW
        )
    assert world.campaign(public_id).quiet_override_by is None


def test_where_nothing_wakes_anybody_there_is_nothing_to_decide(world: World, configured: Settings) -> None:
    """A campaign of mails only, a draft and a running one are refused, each by its code."""
    by_mail = asked(world, configured, (Channel.EMAIL,))
    draft = world.draft(world.incident())
    running = asked(world, configured)
    approve(world, running, str(world.campaign(running).content_hash))
    world.start_approved(running)
    for public_id, code in ((by_mail, "no_sms"), (draft, "not_now"), (running, "not_now")):
        with pytest.raises(RuleError) as refused:
            override(world, public_id, world.approver)
        assert refused.value.code == f"campaign.quiet_{code}"


def test_a_decision_behind_the_verbs_back_keeps_it_from_starting(world: World, configured: Settings) -> None:
    """The name in the row is bound to the approval like the texts."""
    public_id = asked(world, configured)
    approve(world, public_id, str(world.campaign(public_id).content_hash))
    with transaction(world.sessions) as session:
        row = session.scalars(select(Campaign).where(Campaign.public_id == public_id)).one()
        row.quiet_override_by = world.approver.id
    with pytest.raises(RuleError, match="approval"):
        world.start_approved(public_id)
