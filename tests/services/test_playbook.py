"""The playbook of an incident: evidence, ticks, the operator's own measures, recurrence."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage.db import transaction
from statuspage.domain.campaign import CampaignKind, CampaignState
from statuspage.domain.errors import NotAllowed, NotFound, RuleError
from statuspage.domain.incident import IncidentState, Publication
from statuspage.domain.playbook import Row, RowState
from statuspage.domain.route import RouteState
from statuspage.models import Campaign, CampaignCount, Incident, PageRevision, PlaybookRow
from statuspage.services import grace, grace_policies, playbook, publication, routes, texts
from statuspage.services.actor import CLI
from tests.databases import NOW
from tests.services.world import OPERATOR, World, tell

NOTE = "Told by telephone, ticket 4711."


def _rows(world: World, session: Session, incident: Incident) -> dict[str, Row]:
    return {row.key: row for row in playbook.rows(session, incident, OPERATOR, world.clock.now())}


def _campaign(
    session: Session, incident: Incident, purpose: str, counts: dict[tuple[str, str], int], audience: str = "all"
) -> None:
    campaign = Campaign(
        incident_id=incident.id,
        kind=CampaignKind.INCIDENT_NOTICE,
        purpose=purpose,
        name=purpose,
        state=CampaignState.RUNNING,
        started_at=NOW,
        expanded_at=NOW,
        priority=20,
        channels=["sms", "email"],
        audience=audience,
        basis="contract",
        validity_seconds=3600,
        resend_unknown=[],
        estimated={},
        created_at=NOW,
        updated_at=NOW,
    )
    session.add(campaign)
    session.flush()
    for (channel, state), n in counts.items():
        session.add(CampaignCount(campaign_id=campaign.id, channel=channel, state=state, reason="", n=n))
    session.flush()


def test_page_row_asks_for_a_revision_that_tells_it(world: World) -> None:
    """Declaring is not telling: the row is done when a published revision has the incident, without gaps."""
    with transaction(world.sessions) as session:
        incident = world.declare(session, world.actor(session, "engineer"))
        assert _rows(world, session, incident)["page_tells"].state is RowState.OPEN
        tell(session, incident, world.clock)
        assert _rows(world, session, incident)["page_tells"].state is RowState.DONE


def test_row_is_overdue_after_its_time(world: World) -> None:
    """After a quarter of an hour without a page the row is overdue."""
    with transaction(world.sessions) as session:
        incident = world.declare(session, world.actor(session, "engineer"))
        world.clock.advance(timedelta(minutes=16))
        row = _rows(world, session, incident)["page_tells"]
        assert (row.state, row.due_at) == (RowState.OVERDUE, NOW + timedelta(minutes=15))


def test_told_means_nine_of_ten_who_can_be_reached(world: World) -> None:
    """Whoever was suppressed does not count as reachable; nine of ten is enough, eight is not."""
    with transaction(world.sessions) as session:
        incident = world.declare(session, world.actor(session, "engineer"))
        counts = {("sms", "delivered"): 80, ("sms", "pending"): 20, ("sms", "suppressed"): 500}
        _campaign(session, incident, "outage", counts)
        assert _rows(world, session, incident)["told_directly"].state is RowState.OPEN
        _campaign(session, incident, "outage", {("email", "accepted"): 100})
        assert _rows(world, session, incident)["told_directly"].state is RowState.DONE


def test_channels_and_merchants_are_counted(world: World) -> None:
    """Two independent channels carried the news; the terminals' contacts were told and the check is linked."""
    with transaction(world.sessions) as session:
        incident = world.declare(session, world.actor(session, "engineer"))
        tell(session, incident, world.clock)
        rows = _rows(world, session, incident)
        assert rows["independent_channels"].state is RowState.OPEN
        _campaign(session, incident, "merchants", {("sms", "sent"): 5})
        rows = _rows(world, session, incident)
        assert rows["independent_channels"].state is RowState.DONE
        assert rows["merchants"].state is RowState.DONE


def test_routes_must_be_checked_and_cover_everybody(world: World) -> None:
    """One checked route for all is enough; when the check is stale the row opens again."""
    with transaction(world.sessions) as session:
        incident = world.declare(session, world.actor(session, "engineer"))
        tell(session, incident, world.clock)
        for key in ("bank_transfer", "voice_menu"):
            route = routes.get_route(session, key)
            routes.set_state(session, CLI, route, RouteState.WORKS, now=world.clock.now())
        rows = _rows(world, session, incident)
        assert (rows["payment_routes"].state, rows["service_routes"].state) == (RowState.DONE, RowState.DONE)
        world.clock.advance(timedelta(minutes=40))
        assert _rows(world, session, incident)["payment_routes"].state is not RowState.DONE


def test_grace_row_waits_for_dunning(world: World) -> None:
    """A policy that no dunning system applies is a promise nobody keeps."""
    with transaction(world.sessions) as session:
        engineer = world.actor(session, "engineer")
        incident = world.declare(session, engineer)
        (policy,) = grace_policies.policies_of(session, incident)
        assert _rows(world, session, incident)["grace_active"].state is RowState.OPEN
        grace.acknowledge(session, engineer, policy, system="dunning", revision=1, now=NOW)
        assert _rows(world, session, incident)["grace_active"].state is RowState.DONE
        grace.tick(session, now=NOW + timedelta(days=1))
        assert _rows(world, session, incident)["grace_active"].state is RowState.OPEN


def test_rows_that_do_not_apply_say_so(world: World) -> None:
    """Security words without a security cause, partners where no settlement is touched."""
    with transaction(world.sessions) as session:
        rows = _rows(world, session, world.declare(session, world.actor(session, "engineer"), "top_up_outage"))
        assert rows["security_words"].state is RowState.NOT_NEEDED
        assert rows["partners"].state is RowState.NOT_NEEDED


def test_person_answers_for_what_the_system_cannot_know(world: World) -> None:
    """A tick has a name and a note, can be taken back, and "not needed" has its reason."""
    with transaction(world.sessions) as session:
        engineer = world.actor(session, "engineer")
        incident = world.declare(session, engineer)
        playbook.tick(session, engineer, incident, "dunning_muted", NOTE, now=NOW)
        row = _rows(world, session, incident)["dunning_muted"]
        assert (row.state, row.by, row.reason) == (RowState.DONE, engineer.name, NOTE)
        playbook.waive(session, CLI, incident, "dunning_muted", NOTE, now=NOW)
        row = _rows(world, session, incident)["dunning_muted"]
        assert (row.state, row.by) == (RowState.NOT_NEEDED, "cli")
        playbook.untick(session, engineer, incident, "dunning_muted", now=NOW)
        assert _rows(world, session, incident)["dunning_muted"].state is RowState.OPEN


def test_tick_without_a_note_or_a_name_is_refused(world: World) -> None:
    """Nobody ticks without saying how he knows, nor without the right, nor a row there is not."""
    with transaction(world.sessions) as session:
        engineer = world.actor(session, "engineer")
        incident = world.declare(session, engineer)
        with pytest.raises(RuleError):
            playbook.tick(session, engineer, incident, "dunning_muted", " ", now=NOW)
        with pytest.raises(NotFound):
            playbook.tick(session, engineer, incident, "no_such_row", NOTE, now=NOW)
        with pytest.raises(NotAllowed):
            playbook.tick(session, world.person(session, "viewer"), incident, "dunning_muted", NOTE, now=NOW)


def test_proof_is_kept_with_its_time(world: World) -> None:
    """When a row was first proved stays known after the proof is gone."""
    with transaction(world.sessions) as session:
        incident = world.declare(session, world.actor(session, "engineer"))
        tell(session, incident, world.clock)
        seen = world.clock.advance(timedelta(minutes=3))
        assert playbook.keep_proofs(session, OPERATOR, now=seen) > 0
        assert playbook.keep_proofs(session, OPERATOR, now=world.clock.advance(timedelta(minutes=1))) == 0
        row = session.scalars(select(PlaybookRow).where(PlaybookRow.key == "page_tells")).one()
        assert row.proved_at == seen
        assert _rows(world, session, incident)["page_tells"].done_at == seen


def test_a_proof_that_does_not_last_is_forgotten_when_it_is_gone(world: World) -> None:
    """A way to pay checked once and never again does not make the row done for good, nor at the end."""
    with transaction(world.sessions) as session:
        incident = world.declare(session, world.actor(session, "engineer"))
        tell(session, incident, world.clock)
        routes.set_state(session, CLI, routes.get_route(session, "bank_transfer"), RouteState.WORKS, now=NOW)
        playbook.keep_proofs(session, OPERATOR, now=NOW)
        kept = select(PlaybookRow.proved_at).where(PlaybookRow.key == "payment_routes")
        assert session.scalar(kept) == NOW
        playbook.keep_proofs(session, OPERATOR, now=world.clock.advance(timedelta(minutes=40)))
        assert session.scalar(kept) is None
        incident.state, incident.resolved_at = IncidentState.RESOLVED, world.clock.now()
        incident.restored_at = world.clock.now()
        assert _rows(world, session, incident)["payment_routes"].state is RowState.OVERDUE


def test_what_was_sent_stays_sent(world: World) -> None:
    """A campaign that the restoration cancelled counts as one that ran: its row does not flip back."""
    with transaction(world.sessions) as session:
        incident = world.declare(session, world.actor(session, "engineer"))
        _campaign(session, incident, "outage", {("sms", "delivered"): 95, ("sms", "cancelled"): 5})
        session.scalars(select(Campaign)).one().state = CampaignState.CANCELLED
        assert _rows(world, session, incident)["told_directly"].state is RowState.DONE


def test_those_who_are_not_gathered_yet_are_not_told(world: World) -> None:
    """All of the first five hundred told, of a million approved: that is not nine of ten."""
    with transaction(world.sessions) as session:
        incident = world.declare(session, world.actor(session, "engineer"))
        _campaign(session, incident, "outage", {("sms", "delivered"): 500})
        campaign = session.scalars(select(Campaign)).one()
        campaign.expanded_at = None
        campaign.estimated = {"recipients": 1_000_000, "channels": {"sms": {"recipients": 1_000_000}}}
        row = _rows(world, session, incident)["told_directly"]
        assert (row.state, row.facts[1].n, row.facts[1].of) == (RowState.OPEN, 500, 1_000_000)
        campaign.expanded_at = NOW
        session.flush()
        assert _rows(world, session, incident)["told_directly"].state is RowState.DONE


def test_writing_to_the_same_people_again_takes_nothing_back(world: World) -> None:
    """A second notice to people who were told leaves the row done, and the share that it shows as it was."""
    with transaction(world.sessions) as session:
        incident = world.declare(session, world.actor(session, "engineer"))
        _campaign(session, incident, "outage", {("sms", "delivered"): 95, ("sms", "failed"): 5})
        for again in ("all", "segment = prepaid"):
            _campaign(session, incident, "outage", {("sms", "pending"): 60}, again)
            row = _rows(world, session, incident)["told_directly"]
            assert (row.state, row.facts[1].n, row.facts[1].of) == (RowState.DONE, 95, 100)


def test_a_notice_to_more_people_opens_the_row_until_they_are_told(world: World) -> None:
    """Done never stands beside a share below nine of ten: people who are written to later are waited for."""
    with transaction(world.sessions) as session:
        incident = world.declare(session, world.actor(session, "engineer"))
        _campaign(session, incident, "outage", {("sms", "delivered"): 100}, "segment = prepaid")
        playbook.keep_proofs(session, OPERATOR, now=world.clock.now())
        assert _rows(world, session, incident)["told_directly"].state is RowState.DONE
        _campaign(session, incident, "outage", {("sms", "pending"): 100}, "segment = postpaid")
        row = _rows(world, session, incident)["told_directly"]
        assert (row.state, row.facts[1].holds) == (RowState.OPEN, False)
        playbook.keep_proofs(session, OPERATOR, now=world.clock.now())
        session.scalars(select(CampaignCount).where(CampaignCount.state == "pending")).one().state = "delivered"
        session.flush()
        assert _rows(world, session, incident)["told_directly"].state is RowState.DONE


@pytest.mark.parametrize(("field", "says"), [("draft.mail", "{page}"), ("mail", "Bank transfer"), ("sms", "Wait.")])
def test_the_message_has_to_name_a_way_or_lead_to_the_list(world: World, field: str, says: str) -> None:
    """Once a message went out it counts as evidence only if it says where one can pay."""
    with transaction(world.sessions) as session:
        incident = world.declare(session, world.actor(session, "engineer"))
        tell(session, incident, world.clock)
        route = routes.get_route(session, "bank_transfer")
        routes.set_state(session, CLI, route, RouteState.WORKS, now=NOW)
        texts.write(session, "route", route.id, "name", {"en": "Bank transfer"}, "en", NOW)
        assert _rows(world, session, incident)["payment_routes"].state is RowState.DONE
        _campaign(session, incident, "outage", {})
        campaign = session.scalars(select(Campaign)).one()
        texts.write(session, "campaign", campaign.id, "mail", {"en": "Wait."}, "en", NOW)
        texts.write(session, "campaign", campaign.id, field, {"en": says}, "en", NOW)
        row = _rows(world, session, incident)["payment_routes"]
        assert row.proved == (says != "Wait.")
        assert [fact.key for fact in row.facts] == ["ways", "covered", "in_message"]


def test_a_closed_incident_keeps_what_its_page_left_out(world: World) -> None:
    """Resolving takes the incident off the newest revision, and makes nothing complete that was not."""
    with transaction(world.sessions) as session:
        incident = world.declare(session, world.actor(session, "engineer"))
        tell(session, incident, world.clock)
        session.scalars(select(PageRevision)).one().incidents = {incident.public_id: ["contact"]}
        assert _rows(world, session, incident)["page_tells"].state is RowState.OPEN
        world.clock.advance(timedelta(hours=1))
        incident.state = IncidentState.RESOLVED
        incident.restored_at = incident.resolved_at = world.clock.now()
        tell(session, incident, world.clock, revision=2)
        session.get_one(PageRevision, 2).incidents = {}
        row = _rows(world, session, incident)["page_tells"]
        assert (row.state, row.facts[1].names) == (RowState.OVERDUE, ("contact",))


def test_the_facts_name_who_and_when(world: World) -> None:
    """Published, checked, promised and credited: each fact has its time and its person."""
    with transaction(world.sessions) as session:
        engineer = world.actor(session, "engineer")
        incident = world.declare(session, engineer)
        tell(session, incident, world.clock)
        seen = world.clock.advance(timedelta(minutes=2))
        routes.set_state(session, engineer, routes.get_route(session, "bank_transfer"), RouteState.WORKS, now=seen)
        rows = playbook.rows(session, incident, OPERATOR, seen)
        facts = {fact.key: fact for row in rows for fact in row.facts}
        assert (facts["on_page"].at, facts["on_page"].by) == (NOW, engineer.name)
        assert (facts["ways"].at, facts["ways"].by) == (seen, engineer.name)
        assert facts["ways"].until == seen + timedelta(minutes=30)
        assert (facts["hold"].at, facts["hold"].by) == (NOW, engineer.name)
        assert facts["followed"].holds is False
        assert set(playbook.people_of(session, rows)) == {engineer.name}


def test_operator_changes_the_table_for_later_incidents(world: World) -> None:
    """A measure of one's own needs a tick and keeps its time; running incidents keep their copy."""
    with transaction(world.sessions) as session:
        engineer, manager = world.actor(session, "engineer"), world.person(session, "manager")
        running = world.declare(session, engineer)
        with pytest.raises(NotAllowed):
            playbook.retire_measure(session, engineer, "partners", now=NOW)
        playbook.retire_measure(session, manager, "partners", now=NOW)
        with pytest.raises(RuleError):
            playbook.retire_measure(session, manager, "updates_on_time", now=NOW)
        words = {"ru": "Позвонить дежурному банка."}
        playbook.put_measure(
            session, manager, "bank", words, owner="engineer", source_row="own", position=25, due_minutes=20, now=NOW
        )
        assert len(_rows(world, session, running)) == 16
        later = world.declare(session, engineer)
        rows = _rows(world, session, later)
        assert "partners" not in rows
        assert list(rows)[2] == "bank"
        assert (rows["bank"].state, rows["bank"].due_at) == (RowState.OPEN, NOW + timedelta(minutes=20))
        assert playbook.measure_texts(session, later)["bank"].bodies == words
        world.clock.advance(timedelta(minutes=21))
        assert _rows(world, session, later)["bank"].state is RowState.OVERDUE
        playbook.tick(session, engineer, later, "bank", NOTE, now=world.clock.now())
        assert _rows(world, session, later)["bank"].state is RowState.DONE


def test_recurrence_counts_billing_incidents_of_ninety_days(world: World) -> None:
    """Third billing incident in 90 days: older ones, withdrawn ones, drafts and other services' do not count."""
    with transaction(world.sessions) as session:
        engineer = world.actor(session, "engineer")
        world.declare(session, engineer, started_at=NOW - timedelta(days=91))
        second = world.declare(session, engineer, started_at=NOW - timedelta(days=30))
        withdrawn = world.declare(session, engineer, started_at=NOW - timedelta(days=5))
        publication.withdraw(session, engineer, withdrawn, now=NOW)
        world.declare(session, engineer, started_at=NOW - timedelta(days=4), publication=Publication.DRAFT)
        newest = world.declare(session, engineer)
        found = playbook.recurrence(session, newest)
        assert (found.count, found.incidents) == (2, (newest.public_id, second.public_id))
