"""Campaigns: drafted, edited, approved, started, stopped; and what a restoration makes of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from notifiers.base import Channel
from statuspage.config import Settings
from statuspage.db import Sessions, transaction
from statuspage.domain.campaign import CampaignState
from statuspage.domain.errors import NotAllowed, RuleError
from statuspage.domain.incident import IncidentState
from statuspage.i18n import KNOWN_LOCALES, catalogue
from statuspage.models import AuditEntry, Campaign, Delivery, Incident, LocalizedText, User
from statuspage.services import approval, audit, campaign_course, campaign_texts, campaigns, templates
from statuspage.services.actor import CLI
from statuspage.services.campaigns import Edit
from statuspage.services.templates import MessageTerms
from tests.databases import NOW
from tests.outbox import SMS, Person, World, settings


@pytest.fixture
def world(sessions: Sessions) -> World:
    made = World(sessions)
    made.people(*(Person(n) for n in range(10)))
    return made


@pytest.fixture
def configured(tmp_path: Path) -> Settings:
    return settings(tmp_path, approval_threshold=5)


def requested(world: World, configured: Settings, incident: int) -> str:
    public_id = world.draft(incident)
    with transaction(world.sessions) as session:
        campaign = campaigns.get_campaign(session, public_id)
        approval.request_approval(session, world.author, campaign, settings=configured, now=NOW)
    return public_id


def refused(code: str) -> pytest.RaisesExc[RuleError]:
    return pytest.RaisesExc(RuleError, check=lambda error: error.code == code)


def test_a_second_person_approves_what_he_saw(world: World, configured: Settings) -> None:
    """The author cannot approve, the approver can, twice has one effect, and every step is audited."""
    public_id = requested(world, configured, world.incident())
    seen = str(world.campaign(public_id).content_hash)
    for actor, code in ((world.author, "actor.not_allowed"), (CLI, "actor.not_allowed")):
        with refused(code), transaction(world.sessions) as session:
            campaign = campaigns.get_campaign(session, public_id)
            approval.approve(session, actor, campaign, seen_hash=seen, now=NOW)
    for _ in range(2):
        with transaction(world.sessions) as session:
            campaign = campaigns.get_campaign(session, public_id)
            approval.approve(session, world.approver, campaign, seen_hash=seen, now=NOW)
    campaign = world.campaign(public_id)
    assert (campaign.state, campaign.approved_by) == (CampaignState.APPROVED, world.approver.id)
    with transaction(world.sessions, read_only=True) as session:
        assert audit.verify(session)[1] is None
        actions = list(session.scalars(select(AuditEntry.action).where(AuditEntry.entity == "campaign")))
    assert actions == ["campaign.drafted", "campaign.approval_requested", "campaign.approved"]


def test_nobody_approves_his_own_work(world: World, configured: Settings) -> None:
    """Whoever may both write and approve does not approve what he edited."""
    both = replace(world.author, permissions=world.author.permissions | world.approver.permissions)
    public_id = requested(world, configured, world.incident())
    seen = str(world.campaign(public_id).content_hash)
    with pytest.raises(NotAllowed), transaction(world.sessions) as session:
        approval.approve(session, both, campaigns.get_campaign(session, public_id), seen_hash=seen, now=NOW)


def test_an_edit_voids_the_approval(world: World, configured: Settings) -> None:
    """After an edit the campaign is a draft again, and neither the old approval nor the old hash starts it."""
    public_id = requested(world, configured, world.incident())
    seen = str(world.campaign(public_id).content_hash)
    with transaction(world.sessions) as session:
        campaign = campaigns.get_campaign(session, public_id)
        approval.approve(session, world.approver, campaign, seen_hash=seen, now=NOW)
    with transaction(world.sessions) as session:
        campaign = campaigns.get_campaign(session, public_id)
        change = Edit(audience="segment = prepaid")
        campaigns.edit_campaign(session, world.author, campaign, change, version=campaign.version, now=NOW)
    assert world.campaign(public_id).state is CampaignState.DRAFT
    with refused("campaign.illegal_move"), transaction(world.sessions) as session:
        campaign_course.start_campaign(session, world.author, campaigns.get_campaign(session, public_id), now=NOW)
    with transaction(world.sessions) as session:
        campaign = campaigns.get_campaign(session, public_id)
        approval.request_approval(session, world.author, campaign, settings=configured, now=NOW)
    with refused("campaign.approval_void"), transaction(world.sessions) as session:
        campaign = campaigns.get_campaign(session, public_id)
        approval.approve(session, world.approver, campaign, seen_hash=seen, now=NOW)


def test_a_first_password_approves_nothing(world: World, configured: Settings) -> None:
    """Whoever made a log-in has seen its first password, so that log-in is no second person until it is changed."""
    public_id = requested(world, configured, world.incident())
    seen = str(world.campaign(public_id).content_hash)
    with transaction(world.sessions) as session:
        session.get_one(User, world.approver.id).must_change_password = True
    with pytest.raises(NotAllowed, match="first password"), transaction(world.sessions) as session:
        approval.approve(session, world.approver, campaigns.get_campaign(session, public_id), seen_hash=seen, now=NOW)


def test_what_goes_out_is_what_was_approved(world: World, configured: Settings) -> None:
    """A text changed behind the verbs' back after the approval keeps the campaign from starting."""
    public_id = requested(world, configured, world.incident())
    seen = str(world.campaign(public_id).content_hash)
    with transaction(world.sessions) as session:
        campaign = campaigns.get_campaign(session, public_id)
        approval.approve(session, world.approver, campaign, seen_hash=seen, now=NOW)
        session.execute(update(Campaign).where(Campaign.public_id == public_id).values(cost_ceiling=Decimal(9_999)))
    with refused("campaign.approval_void"), transaction(world.sessions) as session:
        campaign_course.start_campaign(session, world.author, campaigns.get_campaign(session, public_id), now=NOW)


def test_a_missing_text_is_named_before_approval(world: World, configured: Settings) -> None:
    """A placeholder without a value and a language without a text are refused by name, and nothing is asked."""
    public_id = world.draft(world.incident())
    with transaction(world.sessions) as session:
        campaign = campaigns.get_campaign(session, public_id)
        texts = {"sms": {"ru": "Оплата зачислится {credited_by}.", "en": "Down"}}
        unwritten = delete(LocalizedText).where(LocalizedText.entity == "campaign", LocalizedText.locale == "zh")
        session.execute(unwritten.where(LocalizedText.field == "draft.sms"))
        campaigns.edit_campaign(session, world.author, campaign, Edit(texts=texts), version=1, now=NOW)
    with pytest.raises(RuleError, match=r"sms\.zh") as caught, transaction(world.sessions) as session:
        campaign = campaigns.get_campaign(session, public_id)
        approval.request_approval(session, world.author, campaign, settings=configured, now=NOW)
    assert caught.value.code == "campaign.missing_text"
    with transaction(world.sessions) as session:
        campaign = campaigns.get_campaign(session, public_id)
        filled = campaign_texts.fill(session, campaign, configured, now=NOW)
    assert "sms.ru: {credited_by}" in filled.missing
    assert world.campaign(public_id).state is CampaignState.DRAFT


@pytest.mark.parametrize("hostile", ["{{7*7}}", "{0.__class__}", "%(x)s ${y}", "<script>alert(1)</script> ‮"])
def test_a_template_is_never_code(world: World, hostile: str) -> None:
    """What looks like a template of another language is refused or goes out as it stands."""
    public_id = world.draft(world.incident())
    edit = Edit(texts={"sms": {"ru": hostile, "zh": "停", "en": "Down"}})
    try:
        with transaction(world.sessions) as session:
            campaign = campaigns.get_campaign(session, public_id)
            campaigns.edit_campaign(session, world.author, campaign, edit, version=1, now=NOW)
    except RuleError as error:
        assert error.code.startswith("message.")  # noqa: PT017 -- either outcome is right
        return
    with transaction(world.sessions, read_only=True) as session:
        assert campaign_texts.draft(session, campaigns.get_campaign(session, public_id))["sms"]["ru"] == hostile


@pytest.mark.parametrize(
    ("subject", "code"),
    [
        ("Оплата\r\nBcc: x@example.com", "message.header_break"),
        ("Оплата\nпозже", "message.header_break"),
        ("Оплата\tпозже", "message.control_character"),
        ("Оплата\x00", "message.control_character"),
    ],
)
def test_a_subject_no_header_can_hold_is_not_kept(world: World, subject: str, code: str) -> None:
    """A campaign and a template refuse it at once, at the field, and a reader of each language is told why."""
    public_id = world.draft(world.incident())
    edit = Edit(texts={"subject": {"en": "Down", "ru": subject}})
    terms = MessageTerms("t", "outage", {"ru": "Сбой"}, {"ru": subject}, {"ru": "Сбой"})
    with pytest.raises(RuleError) as edited, transaction(world.sessions) as session:
        campaign = campaigns.get_campaign(session, public_id)
        campaigns.edit_campaign(session, world.author, campaign, edit, version=1, now=NOW)
    with pytest.raises(RuleError) as put, transaction(world.sessions) as session:
        templates.put_message(session, world.author, terms, now=NOW)
    for error in (edited.value, put.value):
        assert (error.code, error.field) == (code, "subject.ru")
    assert all(f"console.refusal.{code.replace('.', '_')}" in catalogue(one) for one in KNOWN_LOCALES)
    with transaction(world.sessions, read_only=True) as session:
        kept = campaign_texts.draft(session, campaigns.get_campaign(session, public_id))
    assert subject not in kept["subject"].values()


def test_two_starts_have_one_effect(world: World, configured: Settings) -> None:
    """The second start is refused, says since when it runs, and tells nobody twice."""
    public_id = world.start(world.incident(), configured)
    with refused("campaign.started_already") as told, transaction(world.sessions) as session:
        later = NOW + timedelta(minutes=5)
        campaign_course.start_campaign(session, world.author, campaigns.get_campaign(session, public_id), now=later)
    assert told.value.values == {"at": NOW, "variant": CampaignState.RUNNING}
    world.expand(public_id, configured)
    assert world.states(public_id) == {"pending": 20}


def test_break_glass_is_small_reasoned_and_audited(world: World, tmp_path: Path) -> None:
    """One person alone releases a small campaign with a reason; a larger one or none is refused."""
    why = "Nobody answers the phone"
    for cap, reason, code in ((5, why, "campaign.break_glass_cap"), (50, "", "campaign.break_glass_reason")):
        public_id = world.draft(world.incident())
        with refused(code), transaction(world.sessions) as session:
            campaign = campaigns.get_campaign(session, public_id)
            limited = settings(tmp_path, break_glass_cap=cap)
            approval.break_glass(session, world.author, campaign, reason=reason, settings=limited, now=NOW)
    public_id = world.draft(world.incident())
    with transaction(world.sessions) as session:
        campaign = campaigns.get_campaign(session, public_id)
        given = settings(tmp_path, break_glass_cap=50, sms_price="0")
        approval.break_glass(session, world.author, campaign, reason=why, settings=given, now=NOW)
        campaign_course.start_campaign(session, world.author, campaign, now=NOW)
    world.people(*(Person(n) for n in range(20, 60)))
    with transaction(world.sessions) as session:
        session.execute(update(Campaign).where(Campaign.public_id == public_id).values(expand_until=10_000))
    world.expand(public_id, given)
    assert world.states(public_id) == {"pending": 50, "suppressed:break_glass_cap": 50}
    assert world.counted(public_id) == world.states(public_id)


def test_break_glass_is_capped_over_the_whole_incident(world: World, tmp_path: Path) -> None:
    """Two campaigns of one incident that fit the cap each but not together are not both released by one person; the
    refusal names cap, what went before, this one and their sum. A cancelled draft is none."""
    why, given = "Nobody answers the phone", settings(tmp_path, break_glass_cap=30, sms_price="0")

    def alone(public_id: str) -> None:
        with transaction(world.sessions) as session:
            campaign = campaigns.get_campaign(session, public_id)
            approval.break_glass(session, world.author, campaign, reason=why, settings=given, now=NOW)

    incident = world.incident()
    first, second = world.draft(incident), world.draft(incident)
    alone(first)
    with pytest.raises(RuleError, match=r"recipients: 20, with 20 released so before, .* is 40: above 30, .* a second"):
        alone(second)
    with transaction(world.sessions) as session:
        campaign_course.cancel_campaign(session, world.author, campaigns.get_campaign(session, first), now=NOW)
    alone(second)


def test_restored_cancels_and_drafts_the_end_notice(world: World, configured: Settings) -> None:
    """What is left is cancelled at once; those who were told, and only those, get the end notice's draft."""
    incident = world.incident()
    public_id = world.start(incident, configured, channels=(Channel.SMS,))
    world.expand(public_id, configured)
    with transaction(world.sessions) as session:
        for place, one in enumerate(session.scalars(select(Delivery).order_by(Delivery.id)).all()):
            one.state = ("accepted", "delivered", "unknown", "failed")[place] if place < 4 else "pending"
    with transaction(world.sessions) as session:
        row = session.get_one(Incident, incident)
        row.state, row.restored_at = IncidentState.RESTORED_CATCHING_UP, NOW
        drafts = campaigns.on_restored(session, world.author, row, NOW)
        assert campaigns.on_restored(session, world.author, row, NOW) == []
        end = drafts[0].public_id
    assert world.campaign(public_id).state is CampaignState.CANCELLED
    with transaction(world.sessions) as session:
        assert campaign_course.sweep_cancelled(session, now=NOW) is False
    assert world.states(public_id)["cancelled:incident_over"] == 6
    with transaction(world.sessions) as session:
        campaign = campaigns.get_campaign(session, end)
        found = approval.request_approval(session, world.author, campaign, settings=configured, now=NOW)
        assert found.recipients == 3
        campaign_course.start_campaign(session, world.author, campaign, now=NOW)
    world.expand(end, configured)
    told = {one.address for one in world.deliveries(public_id) if one.state in ("accepted", "delivered", "unknown")}
    assert {one.address for one in world.deliveries(end)} == told


def test_cancelled_rest_is_marked_in_steps(world: World, configured: Settings) -> None:
    """Cancelling is one update; the sweep then gives every waiting delivery its reason and its count."""
    public_id = world.start(world.incident(), configured)
    world.expand(public_id, configured)
    with transaction(world.sessions) as session:
        campaign_course.cancel_campaign(session, world.author, campaigns.get_campaign(session, public_id), now=NOW)
    with transaction(world.sessions) as session:
        assert not campaign_course.sweep_cancelled(session, now=NOW)
    assert world.states(public_id) == {"cancelled:campaign_cancelled": 20}
    assert world.counted(public_id) == world.states(public_id)


def test_a_campaign_finishes_when_nothing_is_open(world: World, configured: Settings) -> None:
    """It is finished once everybody is expanded and nothing waits, an SMS's receipt only until its validity passed."""
    public_id = world.start(world.incident(), configured, channels=(Channel.SMS,))
    with transaction(world.sessions) as session:
        assert campaign_course.finish_done(session, now=NOW) == []
    world.expand(public_id, configured)
    with transaction(world.sessions) as session:
        session.execute(update(Delivery).values(state="accepted"))
        session.connection().exec_driver_sql("UPDATE campaign_count SET state = 'accepted'")
    with transaction(world.sessions) as session:
        assert campaign_course.finish_done(session, now=NOW) == []
        assert campaign_course.finish_done(session, now=NOW + timedelta(hours=5)) == [public_id]
    assert world.campaign(public_id).state is CampaignState.FINISHED


def test_a_scheduled_campaign_starts_by_itself(world: World, configured: Settings) -> None:
    """At its time it starts; one whose incident is over by then is cancelled with the reason."""
    over, due = world.incident(), world.incident()
    ids = []
    for incident in (over, due):
        public_id = requested(world, configured, incident)
        with transaction(world.sessions) as session:
            campaign = campaigns.get_campaign(session, public_id)
            approval.approve(session, world.approver, campaign, seen_hash=str(campaign.content_hash), now=NOW)
            campaign_course.schedule_campaign(session, world.author, campaign, NOW + timedelta(hours=1), now=NOW)
        ids.append(public_id)
    with transaction(world.sessions) as session:
        session.execute(update(Incident).where(Incident.id == over).values(state=IncidentState.RESOLVED))
        assert campaign_course.start_due(session, now=NOW) == 0
    with transaction(world.sessions) as session:
        assert campaign_course.start_due(session, now=NOW + timedelta(hours=1)) == 1
    assert [world.campaign(one).state for one in ids] == [CampaignState.CANCELLED, CampaignState.RUNNING]


def test_what_somebody_has_started_meanwhile_is_left_to_run(
    world: World, configured: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scheduler that comes a moment after a person neither starts nor cancels the campaign."""
    public_id = requested(world, configured, world.incident())
    with transaction(world.sessions) as session:
        campaign = campaigns.get_campaign(session, public_id)
        approval.approve(session, world.approver, campaign, seen_hash=str(campaign.content_hash), now=NOW)
        campaign_course.schedule_campaign(session, world.author, campaign, NOW + timedelta(hours=1), now=NOW)

    def quicker(_session: Session, campaign: Campaign) -> Campaign:
        campaign.state, campaign.started_at = CampaignState.RUNNING, NOW
        return campaign

    with monkeypatch.context() as patch, transaction(world.sessions) as session:
        patch.setattr(campaign_course, "lock", quicker)
        assert campaign_course.start_due(session, now=NOW + timedelta(hours=1)) == 0
    assert world.campaign(public_id).state is CampaignState.RUNNING


def test_a_text_is_not_taken_away(world: World) -> None:
    """Emptied, the text of one language is refused by its name and nothing of the edit is kept; what was never written
    may stay empty."""
    public_id = world.draft(world.incident())

    def edit(**bodies: str) -> None:
        with transaction(world.sessions) as session:
            campaign = campaigns.get_campaign(session, public_id)
            change = Edit(texts={"sms": bodies})
            campaigns.edit_campaign(session, world.author, campaign, change, version=campaign.version, now=NOW)

    with refused("campaign.text_cleared") as told:
        edit(ru="Иначе.", zh=" ")
    assert told.value.field == "sms.zh"
    edit(ru="Иначе.", de="")
    with transaction(world.sessions, read_only=True) as session:
        drafted = campaign_texts.draft(session, campaigns.get_campaign(session, public_id))["sms"]
    assert (drafted["ru"], drafted["zh"], "de" in drafted) == ("Иначе.", SMS["zh"], False)
