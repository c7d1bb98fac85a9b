"""Of several end notices of one incident each person gets one, and the clock knows it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select

from notifiers.base import Channel
from statuspage.config import Settings
from statuspage.db import Sessions, transaction
from statuspage.domain.campaign import ordinal
from statuspage.domain.errors import RuleError
from statuspage.domain.incident import IncidentState
from statuspage.models import AuditEntry, Incident
from statuspage.services import campaign_course, campaigns, preview
from tests.databases import NOW
from tests.outbox import Person, World, settings
from tests.services.test_clock_facts import MINUTE, deliver, end_notice, release, restore

RESTORED = NOW + timedelta(hours=1)


@pytest.fixture
def configured(tmp_path: Path) -> Settings:
    return settings(tmp_path)


@pytest.fixture
def world(sessions: Sessions) -> World:
    made = World(sessions)
    made.people(Person(1), Person(2), Person(3, segment="pos_m2m"), Person(4, segment="pos_m2m"))
    return made


def narrowed(world: World, incident: int, audience: str, configured: Settings) -> str:
    """An outage notice to that audience, delivered to all of it."""
    public_id = world.draft(incident)
    with transaction(world.sessions) as session:
        campaign = campaigns.get_campaign(session, public_id)
        edit = campaigns.Edit(audience=audience)
        campaigns.edit_campaign(session, world.author, campaign, edit, version=campaign.version, now=NOW)
    release(world, configured, public_id, NOW)
    deliver(world, configured, public_id, NOW + MINUTE)
    return public_id


def everybody(world: World, incident: int, configured: Settings) -> str:
    public_id = world.start(incident, configured)
    deliver(world, configured, public_id, NOW + MINUTE)
    return public_id


def test_whoever_is_in_two_audiences_is_told_the_end_once(world: World, configured: Settings) -> None:
    """The second end notice leaves out whom the first one told; its preview says so, and nobody is missing after it."""
    incident = world.incident()
    some = narrowed(world, incident, "segment = pos_m2m", configured)
    all_ = everybody(world, incident, configured)
    ends = restore(world, incident, RESTORED)
    release(world, configured, ends[some], RESTORED)
    deliver(world, configured, ends[some], RESTORED + MINUTE)
    assert end_notice(world, incident, RESTORED + MINUTE).missing == (all_,)
    with transaction(world.sessions, read_only=True) as session:
        shown = preview.preview(session, campaigns.get_campaign(session, ends[all_]), configured, now=RESTORED)
    assert [(one.recipients, one.left_out, one.merged) for one in shown.channels] == [(2, {"end_told": 2}, 0)] * 2
    release(world, configured, ends[all_], RESTORED + 2 * MINUTE)
    deliver(world, configured, ends[all_], RESTORED + 3 * MINUTE)
    assert world.states(ends[all_]) == {"delivered": 4, "suppressed:end_told": 4}
    assert world.counted(ends[all_]) == world.states(ends[all_])
    told = [(one.channel, one.address_hash) for end in ends.values() for one in world.deliveries(end) if not one.reason]
    assert len(told) == len(set(told)) == 8
    assert end_notice(world, incident, RESTORED + 4 * MINUTE).missing == ()


def test_an_audience_that_another_end_notice_covers_is_owed_none(world: World, configured: Settings) -> None:
    """Told by the wider end notice, the narrower audience waits for nothing, and its own end notice says why it is not
    approved."""
    incident = world.incident()
    some = narrowed(world, incident, "segment = pos_m2m", configured)
    all_ = everybody(world, incident, configured)
    ends = restore(world, incident, RESTORED)
    release(world, configured, ends[all_], RESTORED)
    deliver(world, configured, ends[all_], RESTORED + MINUTE)
    clock = end_notice(world, incident, RESTORED + 2 * MINUTE)
    assert (clock.missing, clock.done_at) == ((), RESTORED + MINUTE)
    with pytest.raises(RuleError, match="another end notice"):
        release(world, configured, ends[some], RESTORED + 2 * MINUTE)


def test_nobody_left_to_tell_is_no_reason_for_a_draft(world: World, configured: Settings) -> None:
    """Restored a second time, an incident drafts no end notice for those who know the end, though somebody threw the
    one for them away; the audit says why, once a campaign."""
    incident = world.incident()
    some = narrowed(world, incident, "segment = pos_m2m", configured)
    all_ = everybody(world, incident, configured)
    ends = restore(world, incident, RESTORED)
    release(world, configured, ends[all_], RESTORED)
    deliver(world, configured, ends[all_], RESTORED + MINUTE)
    with transaction(world.sessions) as session:
        needless = campaigns.get_campaign(session, ends[some])
        campaign_course.cancel_campaign(session, world.author, needless, now=RESTORED + MINUTE)
    assert restore(world, incident, RESTORED + 2 * MINUTE) == {}
    with transaction(world.sessions, read_only=True) as session:
        said = select(AuditEntry.entity_id).where(AuditEntry.action == "campaign.end_known").order_by(AuditEntry.id)
        assert list(session.scalars(said)) == [some, all_]


def test_campaigns_of_an_incident_differ_by_name(world: World, configured: Settings) -> None:
    """A second draft from one template is numbered, also when the first was named by a person or thrown away."""
    incident = world.incident()
    everybody(world, incident, configured)
    narrowed(world, incident, "segment = pos_m2m", configured)
    ends = restore(world, incident, RESTORED)
    with transaction(world.sessions, read_only=True) as session:
        names = [one.name for one in reversed(campaigns.list_campaigns(session))]
    assert names == ["outage", "outage 2", "end", "end 2"]
    assert len(ends) == 2
    assert world.campaign(world.draft(world.incident())).name == "outage"
    assert [ordinal(name, "end") for name in ("end", "", "end 2", "end of it", "outage 2")] == [1, 1, 2, None, None]


def test_a_million_are_not_looked_up_one_by_one(world: World, configured: Settings) -> None:
    """Whether anybody misses the end is told by the counters where his own end notice spared him, and where there is
    none by comparing sets; on SQLite in the order of the unique index, without a look at the rows."""
    incident = world.incident()
    some = narrowed(world, incident, "segment = pos_m2m", configured)
    all_ = everybody(world, incident, configured)
    ends = restore(world, incident, RESTORED)
    for place, one in enumerate((some, all_)):
        release(world, configured, ends[one], RESTORED + place * MINUTE)
        deliver(world, configured, ends[one], RESTORED + place * MINUTE)
    asked: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, given: Any, *_: object) -> None:
        asked.append((statement, given))

    engine = world.sessions.kw["bind"]
    event.listen(engine, "before_cursor_execute", note)
    assert end_notice(world, incident, RESTORED + 2 * MINUTE).missing == ()
    assert not [statement for statement, _ in asked if "EXCEPT" in statement]
    with transaction(world.sessions) as session:
        own = campaigns.get_campaign(session, ends[some])
        own.told_by_id = None
    assert end_notice(world, incident, RESTORED + 2 * MINUTE).missing == ()
    compared = [one for one in asked if "EXCEPT" in one[0]]
    assert len(compared) == len(Channel)
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compared[0][0]}", compared[0][1]).all()
        steps = [step for *_, step in plan if "delivery" in step]
        assert len(steps) == 3
        assert all("COVERING INDEX" in step for step in steps)
        assert not [step for *_, step in plan if "TEMP B-TREE" in step or "CORRELATED" in step]


def test_whom_a_cancelled_end_notice_did_not_reach_the_next_one_tells(world: World, configured: Settings) -> None:
    """Waiting in one that is cancelled is not being told; left out for the sake of it, they are still owed the end."""
    incident = world.incident()
    some = narrowed(world, incident, "segment = pos_m2m", configured)
    all_ = everybody(world, incident, configured)
    ends = restore(world, incident, RESTORED)
    release(world, configured, ends[some], RESTORED)
    world.expand(ends[some], configured, RESTORED)
    release(world, configured, ends[all_], RESTORED)
    deliver(world, configured, ends[all_], RESTORED + MINUTE)
    with transaction(world.sessions) as session:
        cut = campaigns.get_campaign(session, ends[some])
        campaign_course.cancel_campaign(session, world.author, cut, now=RESTORED + MINUTE)
    assert set(end_notice(world, incident, RESTORED + 2 * MINUTE).missing) == {some, all_}
    again = restore(world, incident, RESTORED + 3 * MINUTE)
    release(world, configured, again[some], RESTORED + 3 * MINUTE)
    deliver(world, configured, again[some], RESTORED + 4 * MINUTE)
    assert world.states(again[some]) == {"delivered": 4}
    assert end_notice(world, incident, RESTORED + 5 * MINUTE).missing == ()


def test_the_end_of_an_earlier_break_is_not_the_end_of_the_next(world: World, configured: Settings) -> None:
    """Told of the outage again after an end notice, a person is told its end again."""
    incident = world.incident()
    first = everybody(world, incident, configured)
    ends = restore(world, incident, NOW + 5 * MINUTE)
    release(world, configured, ends[first], NOW + 5 * MINUTE)
    deliver(world, configured, ends[first], NOW + 6 * MINUTE)
    with transaction(world.sessions) as session:
        session.get_one(Incident, incident).state = IncidentState.INVESTIGATING
    second = world.start(incident, configured, now=NOW + 10 * MINUTE)
    deliver(world, configured, second, NOW + 11 * MINUTE)
    again = restore(world, incident, RESTORED)
    release(world, configured, again[second], RESTORED)
    deliver(world, configured, again[second], RESTORED + MINUTE)
    assert world.states(again[second]) == {"delivered": 8}


def test_the_preview_says_who_was_told_before(world: World, configured: Settings) -> None:
    """Of a second notice of one incident it names the first with its messages; of another incident's, and of an end
    notice, nothing."""
    incident = world.incident()
    some = narrowed(world, incident, "segment = pos_m2m", configured)
    again, other = world.draft(incident), world.draft(world.incident())
    end = restore(world, incident, RESTORED)[some]
    with transaction(world.sessions, read_only=True) as session:
        found = {
            one: preview.preview(session, campaigns.get_campaign(session, one), configured, now=RESTORED).earlier
            for one in (some, again, other, end)
        }
        said = [(one.campaign.public_id, one.campaign.started_at, one.messages) for one in found[again]]
    assert said == [(some, NOW, 4)]
    assert found[some] == found[other] == found[end] == ()
