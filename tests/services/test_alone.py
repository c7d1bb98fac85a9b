"""Many small campaigns are one large one: what needs no second person, and what one releases alone, is a sum."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text, update

from notifiers.base import Channel
from statuspage.config import Settings
from statuspage.db import Sessions, make_engine, make_sessions, transaction
from statuspage.domain.campaign import CampaignState
from statuspage.domain.errors import RuleError
from statuspage.models import AuditEntry, Campaign
from statuspage.services import alone, approval, campaign_course, campaigns
from statuspage.services.campaigns import Edit
from statuspage.services.preview import Preview
from tests.databases import NOW
from tests.outbox import SMS, Person, World, settings
from tests.services.test_clock_facts import deliver, restore
from tests.waiting import PATIENCE, until

DAY = timedelta(hours=24)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
WHY = "Nobody answers the phone"
AWAITING, APPROVED = CampaignState.AWAITING_APPROVAL, CampaignState.APPROVED


@pytest.fixture
def world(sessions: Sessions) -> World:
    made = World(sessions)
    made.people(*(Person(n) for n in range(10)))
    return made


@pytest.fixture
def configured(tmp_path: Path) -> Settings:
    """Ten people by SMS are one campaign; two of them are too many without a second person, three for one alone."""
    return settings(tmp_path, approval_threshold=15, break_glass_cap=25, sms_price="0")


def ask(world: World, configured: Settings, public_id: str, at: datetime = NOW) -> Preview:
    with transaction(world.sessions) as session:
        campaign = campaigns.get_campaign(session, public_id)
        return approval.request_approval(session, world.author, campaign, settings=configured, now=at)


def asked(world: World, configured: Settings, incident: int, at: datetime = NOW) -> tuple[str, CampaignState]:
    public_id = world.draft(incident, channels=(Channel.SMS,), now=at)
    ask(world, configured, public_id, at)
    return public_id, world.campaign(public_id).state


def smash(world: World, configured: Settings, incident: int, at: datetime = NOW) -> str:
    public_id = world.draft(incident, channels=(Channel.SMS,), now=at)
    with transaction(world.sessions) as session:
        campaign = campaigns.get_campaign(session, public_id)
        approval.break_glass(session, world.author, campaign, reason=WHY, settings=configured, now=at)
    return public_id


def cancel(world: World, public_id: str) -> None:
    with transaction(world.sessions) as session:
        campaign_course.cancel_campaign(session, world.author, campaigns.get_campaign(session, public_id), now=NOW)


def test_an_audience_cut_into_small_campaigns_needs_a_second_person(world: World, configured: Settings) -> None:
    """The first goes by itself; the next ones wait, the answer says for which sum, and the audit has it."""
    incident = world.incident()
    first, state = asked(world, configured, incident)
    assert (state, world.campaign(first).approved_by) == (APPROVED, None)
    for _ in range(2):
        public_id = world.draft(incident, channels=(Channel.SMS,))
        release = ask(world, configured, public_id).release
        assert (release.needed, release.by_nobody, release.together) == (True, 10, 20)
        assert world.campaign(public_id).state is AWAITING
    with transaction(world.sessions, read_only=True) as session:
        newest = session.query(AuditEntry).order_by(AuditEntry.id.desc()).first()
        assert newest is not None
        assert (newest.detail["needed"], newest.detail["released"]) == (True, 10)


def test_what_a_second_person_approved_is_not_in_the_sum(world: World, configured: Settings) -> None:
    """Nor is what one person released with a reason, which has a cap of its own, nor what was cancelled before it
    started; what was cancelled later, and asking again for the same campaign, change nothing."""
    incident = world.incident()
    world.approve_and(world.draft(incident), configured)
    smash(world, configured, incident)
    first, state = asked(world, configured, incident)
    assert state is APPROVED
    assert ask(world, configured, first).release.by_nobody == 0
    assert asked(world, configured, incident)[1] is AWAITING
    cancel(world, first)
    second, state = asked(world, configured, incident)
    assert state is APPROVED
    world.start_approved(second)
    cancel(world, second)
    assert asked(world, configured, incident)[1] is AWAITING


def test_an_edit_takes_it_out_of_the_sum_until_it_is_released_again(world: World, configured: Settings) -> None:
    """Two small ones, of which one is edited and the other asked for meanwhile, do not both go without a second."""
    incident = world.incident()
    first, _ = asked(world, configured, incident)
    with transaction(world.sessions) as session:
        campaign = campaigns.get_campaign(session, first)
        edit = Edit(texts={"sms": {**SMS, "en": "{operator}: down."}})
        campaigns.edit_campaign(session, world.author, campaign, edit, version=campaign.version, now=NOW)
    assert asked(world, configured, incident)[1] is APPROVED
    ask(world, configured, first)
    assert world.campaign(first).state is AWAITING


def test_the_end_notice_is_summed_apart(world: World, configured: Settings) -> None:
    """Whom a small notice told may hear the end without a second person too, while another notice may not go."""
    incident = world.incident()
    first, _ = asked(world, configured, incident)
    world.start_approved(first)
    deliver(world, configured, first, NOW + MINUTE)
    end = restore(world, incident, NOW + 2 * MINUTE)[first]
    shown = ask(world, configured, end, NOW + 3 * MINUTE)
    assert (shown.recipients, shown.release.by_nobody) == (10, 0)
    assert world.campaign(end).state is APPROVED
    assert asked(world, configured, incident, NOW + 3 * MINUTE)[1] is AWAITING


def test_an_incident_for_each_campaign_is_no_way_round_the_threshold(world: World, configured: Settings) -> None:
    """Other incidents count for a day; the same one, and one without a row, as long as it is said."""
    incident = world.incident()
    first, _ = asked(world, configured, incident)
    assert asked(world, configured, world.incident(), NOW + DAY - SECOND)[1] is AWAITING
    assert asked(world, configured, world.incident(), NOW + DAY)[1] is APPROVED
    assert asked(world, configured, incident, NOW + 3 * DAY)[1] is AWAITING
    with transaction(world.sessions) as session:
        session.execute(update(Campaign).where(Campaign.public_id == first).values(incident_id=None))
        loose = Campaign(incident_id=None, kind=campaigns.get_campaign(session, first).kind, id=0)
        for at, found in ((NOW + MINUTE, 10), (NOW + 5 * DAY, 0)):
            assert alone.release(session, loose, 1, configured, at=at).by_nobody == found


def test_an_incident_for_each_campaign_is_no_way_round_the_cap(world: World, configured: Settings) -> None:
    """On three fresh incidents one person releases what fits the cap together; a day later it is free again."""
    for minute in range(2):
        smash(world, configured, world.incident(), NOW + minute * MINUTE)
    with pytest.raises(RuleError) as refused:
        smash(world, configured, world.incident(), NOW + 2 * MINUTE)
    assert refused.value.code == "campaign.break_glass_cap"
    assert refused.value.values == {
        "recipients": 10,
        "released": 20,
        "together": 30,
        "cap": 25,
        "variant": "released",
    }
    smash(world, configured, world.incident(), NOW + DAY)
    with pytest.raises(RuleError):
        smash(world, configured, world.incident(), NOW + DAY)
    smash(world, configured, world.incident(), NOW + DAY + MINUTE)


def waits(world: World) -> bool:
    """Whether a transaction waits for a lock that another one holds by name."""
    with transaction(world.sessions, read_only=True) as session:
        return bool(session.scalar(text(_WAITING)))


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("way", [smash, asked])
def test_two_who_release_at_once_see_each_other(
    world: World, tmp_path: Path, database_url: str, way: Callable[[World, Settings, int], object]
) -> None:
    """While one has released and not yet committed, another waits, for another incident too, and then counts it."""
    given = settings(tmp_path, approval_threshold=15, break_glass_cap=15, sms_price="0")
    engine = make_engine(database_url)
    beside = World.beside(make_sessions(engine))
    beside.author = world.author
    drafts = [world.draft(world.incident(), channels=(Channel.SMS,)) for _ in range(2)]

    def release(one: World, public_id: str, meanwhile: Callable[[], object]) -> None:
        with transaction(one.sessions) as session:
            campaign = campaigns.get_campaign(session, public_id)
            if way is smash:
                approval.break_glass(session, one.author, campaign, reason=WHY, settings=given, now=NOW)
            else:
                approval.request_approval(session, one.author, campaign, settings=given, now=NOW)
            meanwhile()

    def second() -> None:
        try:
            release(beside, drafts[1], lambda: None)
        except RuleError as refusal:
            refusals.append(refusal.code)

    def begun() -> None:
        thread.start()
        until(lambda: waits(world), "the other one waits")

    refusals: list[str] = []
    thread = threading.Thread(target=second)
    release(world, drafts[0], begun)
    thread.join(PATIENCE)
    engine.dispose()
    states = [world.campaign(one).state for one in drafts]
    assert states == [APPROVED, CampaignState.DRAFT if way is smash else AWAITING]
    assert refusals == (["campaign.break_glass_cap"] if way is smash else [])


_WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' "
    "AND query LIKE '%advisory%'"
)
