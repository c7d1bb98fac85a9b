"""The report says what the rows say, in every form."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage import i18n
from statuspage.db import transaction
from statuspage.domain.campaign import CampaignKind, CampaignState, priority
from statuspage.domain.errors import NotAllowed
from statuspage.domain.incident import IncidentState
from statuspage.domain.route import RouteState
from statuspage.models import Campaign, CampaignCount, Delivery, Incident, MessageTemplate
from statuspage.publish import report as words
from statuspage.publish.report import Report
from statuspage.services import campaigns, grace, grace_policies, lifecycle, playbook, report_acts, routes
from statuspage.services.actor import CLI, PUBLIC
from statuspage.services.lifecycle import Crediting
from tests.databases import NOW
from tests.services.world import OPERATOR, World, tell


def _campaign(session: Session, incident: Incident) -> None:
    campaign = Campaign(
        incident_id=incident.id,
        kind=CampaignKind.INCIDENT_NOTICE,
        purpose="outage",
        name="outage",
        state=CampaignState.RUNNING,
        priority=priority(CampaignKind.INCIDENT_NOTICE),
        channels=["sms"],
        audience="",
        basis="contract",
        validity_seconds=3600,
        resend_unknown=[],
        estimated={},
        created_at=NOW,
        updated_at=NOW,
    )
    session.add(campaign)
    session.flush()
    for state, reason, n in (("delivered", "", 90), ("failed", "invalid_address", 4), ("unknown", "", 6)):
        session.add(CampaignCount(campaign_id=campaign.id, channel="sms", state=state, reason=reason, n=n))
    session.flush()


def _built(world: World, session: Session) -> Report:
    engineer = world.actor(session, "engineer")
    incident = world.declare(session, engineer, started_at=NOW - timedelta(minutes=20))
    tell(session, incident, world.clock)
    _campaign(session, incident)
    world.clock.advance(timedelta(minutes=30))
    world.update(session, engineer, incident, IncidentState.IDENTIFIED, next_update_at=NOW + timedelta(hours=2))
    world.clock.advance(timedelta(hours=3))
    return words.build(session, CLI, incident, OPERATOR, world.clock.now())


def test_figures_follow_the_rows(world: World) -> None:
    """Time to the first notice, cadence, people by state and reason, grace and proof are those of the tables."""
    with transaction(world.sessions) as session:
        report = _built(world, session)
    facts = report.facts
    assert facts.first_page_after_start == timedelta(minutes=20)
    assert facts.first_page_after_declaration == timedelta(0)
    assert (facts.compliance.due, facts.compliance.on_time) == (2, 1)
    channel = facts.campaigns[0].channels[0]
    assert (channel.total, channel.told, facts.campaigns[0].people) == (100, 90, 90)
    assert [line.cause for line in facts.grace[0].ledger] == ["declared"]
    assert facts.audit_holds
    assert facts.audit_entries >= 2
    assert len(report.rows) == 16
    assert report.recurrence == 1


@pytest.mark.parametrize("locale", i18n.KNOWN_LOCALES)
def test_page_names_everything(world: World, locale: str) -> None:
    """The page is in the reader's language and leaves no key untranslated."""
    with transaction(world.sessions) as session:
        report = _built(world, session)
    page = words.html(report, i18n.Moments(locale, ZoneInfo("Europe/Moscow"), report.as_of), "Demo").decode()
    assert report.title.pick(locale)[0] in page
    assert i18n.gettext(locale, "console.delivery.delivered") in page
    assert i18n.gettext(locale, "console.why.invalid_address") in page
    assert report.facts.audit_head in page
    assert all(report.measures[row.key].pick(locale)[0] in page for row in report.rows)


def test_all_that_belongs_to_the_incident_is_counted(world: World) -> None:
    """Audit entries of its campaigns, promises, checked routes and playbook count, those of another incident do not."""
    with transaction(world.sessions) as session:
        engineer = world.actor(session, "engineer")
        other = world.declare(session, engineer, "data_sim_outage")
        incident = world.declare(session, engineer)
        routes.set_state(session, engineer, routes.get_route(session, "bank_app"), RouteState.WORKS, now=NOW)
        playbook.tick(session, engineer, incident, "dunning_muted", "Rang the billing team.", now=NOW)
        template = session.scalars(select(MessageTemplate).where(MessageTemplate.key == "outage")).one()
        campaigns.draft_campaign(session, engineer, incident, template, now=NOW)
        for policy in grace_policies.policies_of(session, incident):
            grace.acknowledge(session, engineer, policy, system="dunning-1", revision=1, held=7, now=NOW)
        report = words.build(session, CLI, incident, OPERATOR, world.clock.now())
        belonging = {one.entity_id for one in report_acts.of(session, incident, world.clock.now()).entries}
    facts = report.facts
    assert facts.audit_by_kind == {"campaign": 1, "grace": 3, "incident": 1, "playbook": 1, "route": 1}
    assert facts.audit_entries == 7
    assert other.public_id not in belonging
    assert facts.audit_chain > facts.audit_entries
    assert [(one.system, one.held) for one in facts.grace[0].applied] == [("dunning-1", 7)]
    assert [(one.route, one.state) for one in facts.route_checks] == [("bank_app", "works")]


def test_people_are_named(world: World) -> None:
    """Who declared, wrote, owns, approved and verified is read by name, whether at the console or at the server."""
    with transaction(world.sessions) as session:
        engineer, manager = world.actor(session, "engineer"), world.person(session, "manager")
        incident = world.declare(session, engineer, owner=manager.name)
        world.clock.advance(timedelta(minutes=5))
        world.update(session, CLI, incident, IncidentState.RESTORED_CATCHING_UP)
        lifecycle.verify_crediting(session, engineer, incident, Crediting(3, 3), now=world.clock.now())
        report = words.build(session, CLI, incident, OPERATOR, world.clock.now())
    assert (report.facts.declared_by, report.facts.owner) == (engineer.name, manager.name)
    assert report.facts.crediting_verified_by == engineer.name
    assert [one.author for one in report.facts.said] == [engineer.name, "cli"]
    page = words.html(report, i18n.Moments("ru", ZoneInfo("Europe/Moscow"), report.as_of), "Demo").decode()
    assert page.count("Demo Engineer") >= 3
    assert "manager.2" in page
    assert "командная строка сервера" in page
    assert engineer.name not in page


def test_json_and_csv_hold_the_same_figures(world: World) -> None:
    """Whatever JSON says stands in the CSV too, under its path."""
    with transaction(world.sessions) as session:
        report = _built(world, session)
    document = json.loads(words.to_json(report))
    assert document["facts"]["campaigns"][0]["channels"][0]["outcomes"][0] == {
        "state": "delivered",
        "reason": "",
        "n": 90,
    }
    rows = dict(csv.reader(io.StringIO(words.to_csv(report).decode())))
    assert rows["facts.campaigns.0.channels.0.outcomes.0.n"] == "90"
    assert rows["facts.audit_head"] == document["facts"]["audit_head"]


def test_a_formula_becomes_text(world: World) -> None:
    """A title that a spreadsheet would run is made text."""
    with transaction(world.sessions) as session:
        report = _built(world, session)
        report.title.bodies["en"] = "=cmd|' /C calc'!A1"
    rows = dict(csv.reader(io.StringIO(words.to_csv(report).decode())))
    assert rows["title.en"].startswith("'=")


def test_only_who_may_see_reports(world: World) -> None:
    """Without the permission there is no report."""
    with transaction(world.sessions) as session:
        incident = world.declare(session, world.actor(session, "engineer"))
        with pytest.raises(NotAllowed):
            words.build(session, PUBLIC, incident, OPERATOR, world.clock.now())


def test_who_got_an_sms_and_a_mail_is_one_person(world: World) -> None:
    """Messages are counted by channel, people once; whoever was left out or could not be reached is none of them."""
    told = ((1, "sms", "delivered"), (1, "email", "accepted"), (2, "sms", "failed"), (2, "email", "sent"))
    others = ((3, "sms", "suppressed"), (4, "sms", "unknown"), (5, "email", "pending"))
    with transaction(world.sessions) as session:
        incident = world.declare(session, world.actor(session, "engineer"))
        _campaign(session, incident)
        campaign = session.scalars(select(Campaign)).one()
        campaign.channels = ["sms", "email"]
        session.add(CampaignCount(campaign_id=campaign.id, channel="email", state="sent", reason="", n=2))
        for contact, channel, state in (*told, *others):
            session.add(
                Delivery(
                    campaign_id=campaign.id,
                    channel=channel,
                    contact_id=contact,
                    address_hash=f"h{contact}",
                    locale="ru",
                    time_zone="Europe/Moscow",
                    state=state,
                    not_before=NOW,
                )
            )
        session.flush()
        report = words.build(session, CLI, incident, OPERATOR, world.clock.now())
    by_both = report.facts.campaigns[0]
    assert ([one.told for one in by_both.channels], by_both.people) == ([90, 2], 91)
    page = words.html(report, i18n.Moments("ru", ZoneInfo("Europe/Moscow"), report.as_of), "Demo").decode()
    assert "Сообщено 91 человеку: получивший и SMS, и письмо считается один раз." in page
