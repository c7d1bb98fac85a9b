"""Words about a security incident reach nobody before the legal department has agreed to them."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import event, select

from notifiers.base import Channel
from statuspage.db import transaction
from statuspage.domain.campaign import CampaignState
from statuspage.domain.errors import NotAllowed, RuleError
from statuspage.domain.incident import CauseCategory, IncidentState
from statuspage.models import AuditEntry, Campaign, Incident
from statuspage.services import (
    approval,
    campaign_course,
    campaign_templates,
    campaign_texts,
    campaigns,
    incidents,
    lifecycle,
    playbook,
    preview,
    templates,
    waiting_words,
    words,
)
from statuspage.services.actor import CLI
from statuspage.services.incidents import Facts
from statuspage.services.updates import NewUpdate
from tests.databases import NOW
from tests.outbox import settings
from tests.services.world import OPERATOR, World


def test_messages_about_security_wait_for_legal(world: World, tmp_path: Path) -> None:
    """Neither the author nor whoever has a shell sends them, alone or not; nor do they answer for the words."""
    configured = settings(tmp_path)
    with transaction(world.sessions) as session:
        engineer, legal = world.actor(session, "engineer"), world.person(session, "legal")
        incident = world.declare(session, engineer, "security_suspension")
        template = campaigns.get_message_template(session, "outage")
        campaign = campaigns.draft_campaign(session, engineer, incident, template, channels=list(Channel), now=NOW)
        drafted = campaign_texts.draft(session, campaign)
        with pytest.raises(NotAllowed) as refused:
            approval.request_approval(session, engineer, campaign, settings=configured, now=NOW)
        assert refused.value.code == "campaign.words_not_approved"
        with pytest.raises(NotAllowed) as alone:
            approval.break_glass(session, engineer, campaign, reason="Nobody answers.", settings=configured, now=NOW)
        assert alone.value.code == "campaign.words_not_approved"
        for actor in (engineer, CLI):
            with pytest.raises(NotAllowed):
                words.approve_words(session, actor, incident, drafted.values(), now=NOW)
            with pytest.raises(NotAllowed):
                playbook.tick(session, actor, incident, "security_words", "I say so.", now=NOW)
        words.approve_words(session, legal, incident, drafted.values(), now=NOW)
        with pytest.raises(RuleError) as next_:
            approval.request_approval(session, engineer, campaign, settings=configured, now=NOW)
        assert next_.value.code == "campaign.nobody"


def test_a_security_cause_that_is_learned_later_goes_out_once_legal_agrees(world: World) -> None:
    """Refused before; kept, agreed to together with all that was said so far, offered again, said, and then gone."""
    body = {"ru": "Подозреваем мошенничество, разбираемся."}
    with transaction(world.sessions) as session:
        engineer, legal = world.actor(session, "engineer"), world.person(session, "legal")
        incident = world.declare(session, engineer)
        assert words.unapproved(session, incident) == []
        new = NewUpdate(IncidentState.IDENTIFIED, body, "ru", cause=CauseCategory.SECURITY)
        session.commit()
        with pytest.raises(NotAllowed):
            lifecycle.add_update(session, engineer, incident, new, OPERATOR, now=NOW)
        session.rollback()
        lifecycle.keep_words(session, engineer, incident, new.state, body, "ru", now=NOW)
        assert [(one.state, one.approved) for one in words.kept(session, incident)] == [(new.state, False)]
        waiting = words.unapproved(session, incident)
        assert [len(one) for one in waiting] == [3, 3, 1]  # title and first update in three languages, and this
        assert waiting[-1] == body
        words.approve_words(session, legal, incident, read=words.seen(session, incident), now=NOW)
        assert words.unapproved(session, incident) == []
        offered = templates.words_for(session, incident, new.state)
        assert (offered is not None and offered.bodies) == body
        lifecycle.add_update(session, engineer, incident, new, OPERATOR, now=NOW)
        assert incident.cause is CauseCategory.SECURITY
        assert words.kept(session, incident) == []


def test_words_changed_while_they_were_read_are_not_approved(world: World) -> None:
    """Who agrees answers for what was read, not for what came since."""
    with transaction(world.sessions) as session:
        engineer, legal = world.actor(session, "engineer"), world.person(session, "legal")
        incident = world.declare(session, engineer, "security_suspension")
        read = words.seen(session, incident)
        state = IncidentState.IDENTIFIED
        lifecycle.keep_words(session, engineer, incident, state, {"ru": "Нашли следы взлома."}, "ru", now=NOW)
        with pytest.raises(RuleError) as refused:
            words.approve_words(session, legal, incident, read=read, now=NOW)
        assert refused.value.code == "incident.words_changed"
        lifecycle.keep_words(session, engineer, incident, state, {"en": "Somebody broke in."}, "en", now=NOW)
        (waiting,) = words.kept(session, incident)
        assert waiting.wording.bodies == {"en": "Somebody broke in."}


def test_a_security_incident_is_told_in_words_of_its_own(world: World) -> None:
    """They come first for it, whatever an outage would be told in, and last for every other incident; its end is told
    as any other's."""
    with transaction(world.sessions) as session:
        engineer = world.actor(session, "engineer")
        for key, first in (("security_suspension", "security"), ("billing_outage", "outage")):
            incident = world.declare(session, engineer, key)
            offered = campaign_templates.fitting(session, incident, [])
            assert (offered[0].key, [one.key for one in offered].count("security")) == (first, 1)
        assert campaign_templates.END_PURPOSE["security"] == "end"


def test_security_is_taken_back_by_legal_only(world: World) -> None:
    """Else its words would go out by calling the cause another: not by an update, not as a fact, not from a shell."""
    body = {"en": "Somebody broke in."}
    with transaction(world.sessions) as session:
        engineer, legal = world.actor(session, "engineer"), world.person(session, "legal")
        incident = world.declare(session, engineer, "security_suspension")
        session.commit()
        for actor in (engineer, CLI):
            for cause in (CauseCategory.UNKNOWN, CauseCategory.SOFTWARE):
                new = NewUpdate(IncidentState.IDENTIFIED, body, "en", cause=cause)
                with pytest.raises(NotAllowed) as refused:
                    lifecycle.add_update(session, actor, incident, new, OPERATOR, now=NOW)
                assert (refused.value.code, refused.value.field) == ("incident.security_stays", "cause")
                session.rollback()
                with pytest.raises(NotAllowed):
                    incidents.set_facts(session, actor, incident, Facts(cause=cause), now=NOW)
                session.rollback()
        words.check_cause(legal, incident, CauseCategory.SOFTWARE)
        incidents.set_facts(session, engineer, incident, Facts(cause=CauseCategory.SECURITY), now=NOW)


def test_a_cause_that_is_set_right_is_named_in_the_audit(world: World) -> None:
    """Both the new one and the one it was: who said when that it is, or is not, security."""
    with transaction(world.sessions) as session:
        engineer = world.actor(session, "engineer")
        incident = world.declare(session, engineer)
        incidents.set_facts(session, engineer, incident, Facts(cause=CauseCategory.DATABASE), now=NOW)
        query = select(AuditEntry.detail).where(AuditEntry.action == "incident.facts_set")
        assert session.scalars(query).all() == [{"fields": ["cause"], "cause": "database", "cause_was": "unknown"}]


def test_the_holding_statement_is_looked_at_by_legal_too(world: World) -> None:
    """It went out before; the playbook's row is answered by agreeing to it."""
    with transaction(world.sessions) as session:
        engineer, legal = world.actor(session, "engineer"), world.person(session, "legal")
        incident = world.declare(session, engineer, "security_suspension")
        assert [len(one) for one in words.unapproved(session, incident)] == [3, 3]
        words.approve_words(session, legal, incident, read=words.seen(session, incident), now=NOW)
        assert words.approved(session, incident)
        assert words.unapproved(session, incident) == []


def test_what_runs_stops_when_the_cause_becomes_security(world: World) -> None:
    """Its words were nobody's to agree to when it began; it goes on once they are agreed to."""
    with transaction(world.sessions) as session:
        engineer, legal = world.actor(session, "engineer"), world.person(session, "legal")
        incident = world.declare(session, engineer)
        template = campaigns.get_message_template(session, "outage")
        campaign = campaigns.draft_campaign(session, engineer, incident, template, channels=list(Channel), now=NOW)
        campaign.state = CampaignState.RUNNING
        campaign.approved_hash = preview.current_hash(session, campaign, campaign_texts.going_out(session, campaign))
        words.approve_words(session, legal, incident, now=NOW)
        incidents.set_facts(session, engineer, incident, Facts(cause=CauseCategory.SECURITY), now=NOW)
        assert (campaign.state, campaign.pause_reason) == (CampaignState.PAUSED, campaign_course.WORDS_WAIT)
        with pytest.raises(NotAllowed) as refused:
            campaign_course.resume_campaign(session, engineer, campaign, now=NOW)
        assert refused.value.code == "campaign.words_not_approved"
        words.approve_words(session, legal, incident, campaign_texts.draft(session, campaign).values(), now=NOW)
        campaign_course.resume_campaign(session, engineer, campaign, now=NOW)
        assert campaign.state is CampaignState.RUNNING


def test_drafted_words_changed_while_they_were_read_are_not_approved(world: World) -> None:
    """Nor are they without saying what was read."""
    with transaction(world.sessions) as session:
        engineer, legal = world.actor(session, "engineer"), world.person(session, "legal")
        incident = world.declare(session, engineer, "security_suspension")
        template = campaigns.get_message_template(session, "security")
        campaign = campaigns.draft_campaign(session, engineer, incident, template, channels=list(Channel), now=NOW)
        read = words.digest(campaign_texts.draft(session, campaign).values())
        changed = {"sms": {"en": "Hackers stole everything."}}
        for given in (read, ""):
            with pytest.raises(RuleError) as refused:
                words.approve_words(session, legal, incident, changed.values(), read=given, now=NOW)
            assert refused.value.code == "incident.words_changed"


def test_a_list_is_marked_in_as_many_queries_as_one(world: World) -> None:
    """What waits for legal of many incidents and campaigns is what waits of each, and no row asks by itself."""
    statements: list[str] = []
    with transaction(world.sessions) as session:
        engineer, legal = world.actor(session, "engineer"), world.person(session, "legal")
        template = campaigns.get_message_template(session, "outage")
        told: list[Campaign] = []
        for key in ("security_suspension", "security_suspension", "security_suspension", "billing_outage"):
            incident = world.declare(session, engineer, key)
            told.append(campaigns.draft_campaign(session, engineer, incident, template, now=NOW))
        listed = incidents.list_incidents(session)
        agreed = session.get_one(Incident, told[0].incident_id)
        words.approve_words(session, legal, agreed, now=NOW)
        words.approve_words(session, legal, agreed, campaign_texts.draft(session, told[0]).values(), now=NOW)
        assert waiting_words.campaigns(session, told) == {told[1].id, told[2].id}
        assert waiting_words.incidents(session, listed) == {told[1].incident_id, told[2].incident_id}
        session.flush()

        def count(*passed: object) -> None:
            statements.append(str(passed[2]))

        asked: list[int] = []
        event.listen(world.sessions.kw["bind"], "before_cursor_execute", count)
        for some in (told[1:2], told):
            statements.clear()
            waiting_words.campaigns(session, some)
            waiting_words.incidents(session, [one for one in listed if one.id in {each.incident_id for each in some}])
            asked.append(len(statements))
        event.remove(world.sessions.kw["bind"], "before_cursor_execute", count)
    assert asked[0] == asked[1]
