from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, select

from statuspage.db import Sessions, transaction
from statuspage.domain.errors import RuleError
from statuspage.models import AuditEntry
from statuspage.services import approval, break_glass, campaign_course, campaigns
from statuspage.services.actor import CLI, Actor
from statuspage.services.break_glass import ReleasedAlone
from tests.databases import NOW
from tests.outbox import Person, World, settings

WHY = "Nobody answers the phone"
LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def world(sessions: Sessions) -> World:
    made = World(sessions)
    made.people(Person(1), Person(2))
    return made


def _alone(world: World, tmp_path: Path, incident: int, actor: Actor) -> str:
    public_id = world.draft(incident)
    with transaction(world.sessions) as session:
        campaign = campaigns.get_campaign(session, public_id)
        given = settings(tmp_path, break_glass_cap=50, sms_price="0")
        approval.break_glass(session, actor, campaign, reason=WHY, settings=given, now=NOW)
    return public_id


def _review(world: World, public_id: str, actor: Actor) -> None:
    with transaction(world.sessions) as session:
        break_glass.review(session, actor, campaigns.get_campaign(session, public_id), now=LATER)


def _shown(world: World, incident: int) -> tuple[ReleasedAlone, ...]:
    with transaction(world.sessions, read_only=True) as session:
        return break_glass.released_alone(session, [incident]).get(incident, ())


def test_a_second_person_looks_at_what_one_released_alone(world: World, tmp_path: Path) -> None:
    """Who released it and how many messages is known until, and after, somebody else has looked; that is audited."""
    incident = world.incident()
    assert _shown(world, incident) == ()
    public_id = _alone(world, tmp_path, incident, world.author)
    (before,) = _shown(world, incident)
    assert (before.by_id, before.at, before.messages, before.reviewed_by) == (world.author.name, NOW, 4, None)
    _review(world, public_id, world.approver)
    (after,) = _shown(world, incident)
    assert after.reviewed_at == LATER
    assert after.reviewed_by not in (None, after.by)
    with transaction(world.sessions, read_only=True) as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == break_glass.REVIEWED)).one()
    assert (entry.actor_id, entry.entity_id, entry.detail) == (world.approver.name, public_id, {"messages": 4})


def test_nobody_reviews_his_own_release_or_work(world: World, tmp_path: Path) -> None:
    """Neither who wrote it nor who released it nor the command line; and once is enough."""
    public_id = _alone(world, tmp_path, world.incident(), CLI)
    for actor in (world.author, CLI):
        with pytest.raises(RuleError) as refused:
            _review(world, public_id, actor)
        assert refused.value.code == "actor.not_allowed"
    both = Actor("user", world.author.id, world.author.name, world.author.permissions | world.approver.permissions)
    with pytest.raises(RuleError) as refused:
        _review(world, public_id, both)
    assert refused.value.code == "campaign.own_approval"
    own = _alone(world, tmp_path, world.incident(), both)
    with pytest.raises(RuleError) as refused:
        _review(world, own, both)
    assert refused.value.code == "campaign.own_release"
    _review(world, public_id, world.approver)
    with pytest.raises(RuleError) as refused:
        _review(world, public_id, world.approver)
    assert refused.value.code == "campaign.reviewed_already"


def test_the_audit_is_asked_once_however_many_there_are(world: World, tmp_path: Path) -> None:
    """A list of incidents with many such campaigns takes two queries, one for the campaigns and one for who did what;
    each campaign has its own release and review."""
    incidents = [world.incident(), world.incident()]
    released = [_alone(world, tmp_path, incident, world.author) for incident in (*incidents, incidents[0])]
    _review(world, released[2], world.approver)
    asked: list[str] = []
    engine = world.sessions.kw["bind"]
    with transaction(world.sessions, read_only=True) as session:
        session.connection()
        event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
        found = break_glass.released_alone(session, incidents)
    assert len(asked) == 2
    shown = {one.campaign.public_id: one.reviewed_by for incident in incidents for one in found[incident]}
    assert list(shown) == [released[0], released[2], released[1]]
    assert shown[released[0]] is None
    assert shown[released[2]] is not None


def test_what_went_to_nobody_needs_no_second_look(world: World, tmp_path: Path) -> None:
    """Cancelled before it started, or approved by two, a campaign is none of those; released anew it is unreviewed."""
    incident = world.incident()
    public_id = _alone(world, tmp_path, incident, world.author)
    with transaction(world.sessions) as session:
        campaign_course.cancel_campaign(session, world.author, campaigns.get_campaign(session, public_id), now=NOW)
    assert _shown(world, incident) == ()
    approved = world.draft(incident)
    world.approve_and(approved, settings(tmp_path))
    assert _shown(world, incident) == ()
    with pytest.raises(RuleError) as refused:
        _review(world, approved, world.approver)
    assert refused.value.code == "campaign.not_alone"
