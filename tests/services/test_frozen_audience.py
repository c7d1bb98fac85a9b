"""Between the count that the approver saw and the start nobody comes in whom he has not seen."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from notifiers.base import Channel
from statuspage.clock import FrozenClock
from statuspage.config import Settings
from statuspage.db import Sessions, transaction
from statuspage.domain.campaign import COUNT_LASTS, CampaignState
from statuspage.domain.component import ComponentState
from statuspage.domain.errors import RuleError
from statuspage.models import Campaign, Component, Contact, IncidentComponent, Installation, Line
from statuspage.services import approval, campaign_course, campaigns, preview
from statuspage.services.campaigns import Edit
from statuspage.services.people_import_purge import tend_imports
from statuspage.services.preview import Preview
from tests.databases import NOW
from tests.outbox import Person, World, settings

LATER = NOW + timedelta(minutes=5, microseconds=123_457)


@pytest.fixture
def world(sessions: Sessions) -> World:
    made = World(sessions)
    made.people(*(Person(n) for n in range(1, 4)))
    made.sign_up(500)
    return made


@pytest.fixture
def configured(tmp_path: Path) -> Settings:
    return settings(tmp_path, approval_threshold=1, sms_price="0")


def newer_file(world: World, *people: Person) -> None:
    """Everybody of before is replaced, and `people` are in the file too; it is visible at once."""
    with transaction(world.sessions) as session:
        last = session.scalar(select(func.max(Line.id))) or 0
        session.execute(update(Line).values(valid_to=2))
        session.execute(update(Contact).where(Contact.account_id.is_not(None)).values(valid_to=2))
    world.people(*(Person(10 + n, address=n) for n in range(1, 4)), *people)
    with transaction(world.sessions) as session:
        fresh = select(Line.contact_id).where(Line.id > last)
        session.execute(update(Contact).where(Contact.id.in_(fresh)).values(valid_from=2))
        session.execute(update(Line).where(Line.id > last).values(valid_from=2))
        session.get_one(Installation, 1).generation = 2


def approved(world: World, configured: Settings, at: datetime = NOW) -> str:
    public_id = world.draft(world.incident())
    world.approve_and(public_id, configured, at)
    assert world.campaign(public_id).approved_by == world.approver.id
    return public_id


def told(world: World, public_id: str) -> set[str]:
    return {str(one.address) for one in world.deliveries(public_id) if one.state == "pending"}


def touched(incident: int, component: int) -> IncidentComponent:
    down = ComponentState.MAJOR_OUTAGE
    return IncidentComponent(incident_id=incident, component_id=component, state=down, current=down)


SEEN = {Person(n).msisdn for n in range(1, 4)} | {Person(n).mail for n in (1, 2, 3, 500)}


@pytest.mark.parametrize("way", ["start", "schedule", "break_glass"])
def test_nobody_comes_in_after_the_count(world: World, tmp_path: Path, configured: Settings, way: str) -> None:
    """Another file and another sign-up between count and start: exactly the counted people are told, whichever way the
    campaign is released."""
    if way == "break_glass":
        public_id, configured = world.draft(world.incident()), settings(tmp_path, break_glass_cap=50, sms_price="0")
        with transaction(world.sessions) as session:
            campaign = campaigns.get_campaign(session, public_id)
            why = "Nobody answers the phone"
            approval.break_glass(session, world.author, campaign, reason=why, settings=configured, now=LATER)
    else:
        public_id = approved(world, configured, LATER)
    newer_file(world, Person(90), Person(91))
    world.sign_up(501, at=LATER + timedelta(seconds=1))
    start = LATER + timedelta(hours=1)
    with transaction(world.sessions) as session:
        campaign = campaigns.get_campaign(session, public_id)
        if way == "schedule":
            campaign_course.schedule_campaign(session, world.author, campaign, start, now=LATER)
            assert campaign_course.start_due(session, now=start) == 1
        else:
            campaign_course.start_campaign(session, world.author, campaign, now=start)
    world.expand(public_id, configured, start)
    assert told(world, public_id) == SEEN
    assert world.campaign(public_id).estimated["recipients"] == len(SEEN)


def test_the_preview_says_whom_it_would_tell_now(world: World, configured: Settings) -> None:
    """Approved for 7 messages, now 12: the count for the approval stays, a new one says what asking again gives."""
    public_id = approved(world, configured)
    newer_file(world, Person(90), Person(91))
    world.sign_up(501, at=LATER)
    with transaction(world.sessions, read_only=True) as session:
        campaign = campaigns.get_campaign(session, public_id)
        frozen = preview.preview(session, campaign, configured, now=LATER)
        anew = preview.preview(session, campaign, configured, now=LATER, anew=True)
    assert (frozen.recipients, anew.recipients) == (7, 12)


def test_asking_again_counts_anew_and_needs_the_approver_again(world: World, configured: Settings) -> None:
    """Whoever has come since is taken in by a new request, and its approval is a new one."""
    public_id = approved(world, configured)
    newer_file(world, Person(90))
    with transaction(world.sessions) as session:
        campaign = campaigns.get_campaign(session, public_id)
        before = campaign.content_hash
        found = approval.request_approval(session, world.author, campaign, settings=configured, now=LATER)
        assert found.recipients == 9
        assert (campaign.state, campaign.approved_by) == (CampaignState.AWAITING_APPROVAL, None)
        assert campaign.content_hash != before
    world.approve_and(public_id, configured, LATER)
    world.start_approved(public_id, LATER)
    world.expand(public_id, configured, LATER)
    assert Person(90).msisdn in told(world, public_id)


def test_a_file_that_comes_in_while_people_are_counted_makes_the_count_void(
    world: World, configured: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted in a file that is already replaced: asked again, nothing frozen, so that the purge takes nobody away."""
    public_id = world.draft(world.incident())
    counted = preview.preview

    def disturbed(session: Session, *given: Any, **named: Any) -> Preview:
        found = counted(session, *given, **named)
        session.execute(update(Installation).values(generation=2))
        return found

    monkeypatch.setattr(preview, "preview", disturbed)
    with pytest.raises(RuleError) as refused, transaction(world.sessions) as session:
        campaign = campaigns.get_campaign(session, public_id)
        approval.request_approval(session, world.author, campaign, settings=configured, now=NOW)
    assert refused.value.code == "campaign.file_came_in"
    assert world.campaign(public_id).counted_at is None


def test_an_old_count_is_not_started_on(world: World, configured: Settings) -> None:
    """After a week the people are counted anew, also for what was to start by itself."""
    public_id = approved(world, configured)
    late = NOW + COUNT_LASTS + timedelta(seconds=1)
    for verb in ("start", "schedule"):
        with pytest.raises(RuleError) as refused, transaction(world.sessions) as session:
            campaign = campaigns.get_campaign(session, public_id)
            if verb == "start":
                campaign_course.start_campaign(session, world.author, campaign, now=late)
            else:
                campaign_course.schedule_campaign(session, world.author, campaign, late, now=NOW)
        assert refused.value.code == "campaign.count_too_old"


def test_replaced_people_are_kept_for_a_campaign_that_may_start(world: World, configured: Settings) -> None:
    """The purge of a replaced import waits for the campaign whose people it holds, and not for ever."""
    public_id = approved(world, configured)
    newer_file(world)
    for at, left in ((NOW + timedelta(days=6), 6), (NOW + COUNT_LASTS, 3)):
        tend_imports(world.sessions, FrozenClock(at))
        with transaction(world.sessions, read_only=True) as session:
            assert session.scalar(select(func.count()).select_from(Line)) == left
    assert world.campaign(public_id).state is CampaignState.APPROVED


def test_an_audience_by_component_is_bound_to_what_the_incident_touches(world: World, configured: Settings) -> None:
    """When the incident's scope grows and the audience follows it, the approval is void."""
    incident = world.incident()
    with transaction(world.sessions) as session:
        found = [Component(key=key, created_at=NOW, updated_at=NOW) for key in ("top_up", "balance")]
        session.add_all(found)
        session.flush()
        ids = [one.id for one in found]
        session.add(touched(incident, ids[0]))
    public_id = world.draft(incident, channels=(Channel.SMS,))
    with transaction(world.sessions) as session:
        campaign = campaigns.get_campaign(session, public_id)
        change = Edit(audience="component in (balance, top_up)")
        campaigns.edit_campaign(session, world.author, campaign, change, version=1, now=NOW)
    world.approve_and(public_id, configured)
    with transaction(world.sessions) as session:
        session.add(touched(incident, ids[1]))
    with pytest.raises(RuleError, match="approval"):
        world.start_approved(public_id)


def test_what_was_counted_is_part_of_what_was_approved(world: World, configured: Settings) -> None:
    """A later count set behind the verbs' back keeps the campaign from starting."""
    public_id = approved(world, configured)
    with transaction(world.sessions) as session:
        session.execute(update(Campaign).where(Campaign.public_id == public_id).values(counted_at=LATER))
    with pytest.raises(RuleError, match="approval"):
        world.start_approved(public_id)
