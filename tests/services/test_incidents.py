"""Declaring an incident, its publication and its words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from statuspage.db import transaction
from statuspage.domain.component import ComponentState
from statuspage.domain.errors import NotAllowed, NotFound, RuleError
from statuspage.domain.grace import GraceMode, GraceState
from statuspage.domain.incident import CauseCategory, IncidentState, Publication
from statuspage.models import AuditEntry, Component, ComponentChange, GraceLedger, Incident, PageState, PlaybookRow
from statuspage.services import audit, grace, grace_policies, incidents, publication, templates, texts, updates, words
from statuspage.services.actor import CLI
from statuspage.services.incidents import Declaration, Facts
from tests.databases import NOW
from tests.services.world import OPERATOR, World

MAJOR = ComponentState.MAJOR_OUTAGE


def _component(world: World, key: str) -> Component:
    with transaction(world.sessions, read_only=True) as session:
        return session.scalars(select(Component).where(Component.key == key)).one()


def test_declaring_does_everything_in_one_transaction(world: World) -> None:
    """Incident, update, components, playbook, grace, page and audit stand together."""
    with transaction(world.sessions) as session:
        wanted = session.scalars(select(PageState.wanted)).one()
        engineer = world.actor(session, "engineer")
        incident = world.declare(session, engineer, started_at=NOW - timedelta(minutes=10))
        assert incident.state is IncidentState.INVESTIGATING
        assert incident.owner_id == engineer.id
        assert incident.next_update_at == NOW + timedelta(hours=1)
        assert len(updates.list_updates(session, incident)) == 1
        assert len(session.scalars(select(PlaybookRow).where(PlaybookRow.incident_id == incident.id)).all()) == 16
        (policy,) = grace_policies.policies_of(session, incident)
        assert policy.state is GraceState.ACTIVE
        assert policy.published_until == datetime(2026, 11, 25, 21, tzinfo=UTC)
        assert [entry.cause for entry in grace_policies.ledger(session, policy)] == ["declared"]
        assert session.scalars(select(PageState.wanted)).one() > wanted
        change = session.scalars(select(ComponentChange).join(Component).where(Component.key == "balance")).one()
        assert (change.old_state, change.new_state) == (ComponentState.OPERATIONAL, MAJOR)
        assert change.at == NOW - timedelta(minutes=10)
        assert audit.verify(session)[1] is None
    assert _component(world, "top_up").state is MAJOR
    assert _component(world, "calls").state is ComponentState.OPERATIONAL


def test_same_key_declares_once(world: World) -> None:
    """A form sent twice makes one incident; the same key with other words is refused."""
    with transaction(world.sessions) as session:
        engineer = world.actor(session, "engineer")
        prepared = templates.declaration(
            session, "billing_outage", profile="default_billing", zone=OPERATOR.zone, now=NOW
        )
        first = incidents.declare_incident(session, engineer, prepared, idempotency_key="k", now=NOW)
        again = incidents.declare_incident(session, engineer, prepared, idempotency_key="k", now=NOW)
        assert again.id == first.id
        assert session.scalar(select(func.count()).select_from(Incident)) == 1
        other = templates.declaration(session, "top_up_outage", profile="default_billing", zone=OPERATOR.zone, now=NOW)
        with pytest.raises(RuleError) as refused:
            incidents.declare_incident(session, engineer, other, idempotency_key="k", now=NOW)
    assert refused.value.code == "idempotency.other_request"


@pytest.mark.parametrize("key", ["billing_outage", "top_up_outage", "data_sim_outage", "security_suspension"])
def test_no_template_says_that_anything_works(world: World, key: str) -> None:
    """What is not affected is said by whoever looked: a template offers it and ticks nothing."""
    with transaction(world.sessions, read_only=True) as session:
        assert templates.get_template(session, key).not_affected
        assert (
            templates.declaration(session, key, profile="default_billing", zone=OPERATOR.zone, now=NOW).not_affected
            == ()
        )


def test_emergency_calls_are_ticked_by_a_person_only(world: World) -> None:
    """The command line cannot claim them, a person can."""
    ticked = ("calls", "emergency_calls")
    with transaction(world.sessions) as session:
        with pytest.raises(NotAllowed) as refused:
            world.declare(session, CLI, not_affected=ticked)
        assert refused.value.code == "incident.emergency_not_confirmed"
        incident = world.declare(session, world.actor(session, "engineer"), not_affected=ticked)
        assert "emergency_calls" in incident.not_affected


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"components": {}}, "incident.no_components"),
        ({"components": {"topup": MAJOR}}, "component.unknown"),
        ({"segments": ("vip",)}, "segments.unknown"),
        ({"regions": ("mars",)}, "regions.unknown"),
        ({"not_affected": ("top_up",)}, "incident.affected_and_not"),
        ({"started_at": NOW + timedelta(minutes=1)}, "incident.start_in_future"),
        ({"started_at": datetime(1, 1, 2, 12, tzinfo=UTC)}, "incident.start_too_long_ago"),
        ({"next_update_at": NOW}, "incident.time_passed"),
        ({"next_update_at": datetime(9999, 12, 30, tzinfo=UTC)}, "incident.time_too_far"),
        ({"expected_end_at": NOW - timedelta(hours=1)}, "incident.time_passed"),
        ({"state": IncidentState.RESOLVED}, "incident.bad_state"),
        ({"publication": Publication.WITHDRAWN}, "incident.bad_publication"),
        ({"owner": "nobody"}, "incident.unknown_owner"),
        ({"grace_key": "nothing"}, "grace.unknown_default"),
        ({"title": {"en": "only English"}}, "text.empty"),
        ({"title": {"ru": "я" * 201}}, "text.too_long"),
        ({"body": {"ru": "x\x00y"}}, "text.control_character"),
        ({"body": {"ru": "нет", "xx": "?"}}, "text.unknown_locale"),
    ],
)
def test_bad_declaration_is_refused_by_field(world: World, changes: dict[str, Any], code: str) -> None:
    """What cannot be is refused with a code, a field and a remedy, and leaves nothing behind."""
    with pytest.raises(RuleError) as refused, transaction(world.sessions) as session:
        world.declare(session, world.actor(session, "engineer"), **changes)
    assert refused.value.code == code
    assert refused.value.field is not None
    with transaction(world.sessions, read_only=True) as session:
        assert session.scalar(select(func.count()).select_from(Incident)) == 0
    assert _component(world, "top_up").state is ComponentState.OPERATIONAL


def test_declaring_needs_permission(world: World) -> None:
    """Somebody who may only look declares nothing."""
    with transaction(world.sessions) as session:
        viewer = world.person(session, "viewer")
        with pytest.raises(NotAllowed):
            world.declare(session, viewer)


def test_hostile_words_are_kept_as_they_are(world: World) -> None:
    """Markup, templates and emoji are text: nothing is evaluated, nothing is lost."""
    hostile = "{{7*7}} {0.__class__} <script>alert(1)</script> 😀 %s"
    with transaction(world.sessions) as session:
        incident = world.declare(session, world.actor(session, "engineer"), title={"ru": hostile}, body={"ru": hostile})
        kept = texts.read(session, "incident", [incident.id])[incident.id, "title"]
        assert kept.bodies == {"ru": hostile}


def test_draft_is_invisible_until_published(world: World) -> None:
    """A draft moves no component and promises nothing; publishing does both, and names what the text lacks."""
    with transaction(world.sessions) as session:
        engineer = world.actor(session, "engineer")
        incident = world.declare(session, engineer, publication=Publication.DRAFT, not_affected=())
        (policy,) = grace_policies.policies_of(session, incident)
        assert policy.state is GraceState.DRAFT
        assert policy.published_until is None
    assert _component(world, "top_up").state is ComponentState.OPERATIONAL
    with transaction(world.sessions) as session:
        engineer = world.actor(session, "engineer")
        incident = incidents.get_incident(session, incident.public_id)
        gaps = publication.publish_incident(session, engineer, incident, OPERATOR, now=NOW)
        assert [gap.field for gap in gaps] == ["not_affected"]
        assert publication.publish_incident(session, engineer, incident, OPERATOR, now=NOW) == gaps
        (policy,) = grace_policies.policies_of(session, incident)
        assert policy.state is GraceState.ACTIVE
        published = select(AuditEntry).where(AuditEntry.action == "incident.published")
        assert [entry.detail for entry in session.scalars(published)] == [{"gaps": ["not_affected"]}]
    assert _component(world, "top_up").state is MAJOR


def test_withdrawing_frees_components_but_keeps_the_promise(world: World) -> None:
    """A withdrawn incident is off the page; the date customers were given still holds and moves no further."""
    with transaction(world.sessions) as session:
        engineer = world.actor(session, "engineer")
        incident = world.declare(session, engineer)
        (policy,) = grace_policies.policies_of(session, incident)
        promised = policy.published_until
        publication.withdraw(session, engineer, incident, now=NOW)
        assert policy.mode is GraceMode.FIXED
        assert grace.tick(session, now=NOW + timedelta(days=2)) == 0
        assert policy.published_until == promised
        with pytest.raises(RuleError) as refused:
            world.update(session, engineer, incident, IncidentState.IDENTIFIED)
        assert refused.value.code == "incident.not_editable"
    assert _component(world, "top_up").state is ComponentState.OPERATIONAL


def test_duplicate_points_to_the_one_that_is_carried_on(world: World) -> None:
    """Two reports of one outage become one; the components stay down because of the other."""
    with transaction(world.sessions) as session:
        engineer = world.actor(session, "engineer")
        kept, double = world.declare(session, engineer), world.declare(session, engineer)
        with pytest.raises(RuleError):
            publication.mark_duplicate(session, engineer, double, double, now=NOW)
        publication.mark_duplicate(session, engineer, double, kept, now=NOW)
        assert double.publication is Publication.DUPLICATE
        assert double.duplicate_of_id == kept.id
        assert [one.id for one in incidents.list_incidents(session, open_only=True)] == [kept.id]
    assert _component(world, "top_up").state is MAJOR


def test_component_shows_the_worst_of_all_open_incidents(world: World) -> None:
    """When one of two incidents says better, the component stays as bad as the other says."""
    with transaction(world.sessions) as session:
        engineer = world.actor(session, "engineer")
        world.declare(session, engineer, "payments_delayed")
        second = world.declare(session, engineer)
        better = {"top_up": ComponentState.OPERATIONAL}
        world.update(session, engineer, second, IncidentState.MONITORING, components=better)
    assert _component(world, "top_up").state is ComponentState.DEGRADED_PERFORMANCE
    assert _component(world, "balance").state is MAJOR


def test_security_words_wait_for_legal(world: World) -> None:
    """With a security cause the holding statement goes out at once; other words after approval of those very words."""
    with transaction(world.sessions) as session:
        engineer = world.actor(session, "engineer")
        legal = world.person(session, "legal")
        with pytest.raises(NotAllowed) as refused:
            world.declare(session, engineer, cause=CauseCategory.SECURITY)
        assert refused.value.code == "incident.words_not_approved"
        incident = world.declare(session, engineer, "security_suspension")
        assert incident.publication is Publication.PUBLISHED
        assert not words.approved(session, incident)
        said = {"ru": "Мы чиним и скоро расскажем больше."}
        with pytest.raises(NotAllowed):
            words.approve_words(session, engineer, incident, [said], now=NOW)
        words.approve_words(session, legal, incident, [{"ru": "Другие слова, не эти."}], now=NOW)
        with pytest.raises(NotAllowed):
            world.update(session, engineer, incident, IncidentState.IDENTIFIED)
        words.approve_words(session, legal, incident, [said], now=NOW)
        world.update(session, engineer, incident, IncidentState.IDENTIFIED)
        assert incident.state is IncidentState.IDENTIFIED


def test_a_cause_that_turns_out_to_be_security_waits_for_legal(world: World) -> None:
    """Learned in an update it puts all that was said so far under the same rule, and adds no sentence of its own."""
    with transaction(world.sessions) as session:
        engineer, legal = world.actor(session, "engineer"), world.person(session, "legal")
        incident = world.declare(session, engineer)
        with pytest.raises(NotAllowed) as refused:
            world.update(session, engineer, incident, IncidentState.IDENTIFIED, cause=CauseCategory.SECURITY)
        assert refused.value.code == "incident.words_not_approved"
        session.expire(incident)
        words.approve_words(session, legal, incident, now=NOW)
        words.approve_words(session, legal, incident, [{"ru": "Мы чиним и скоро расскажем больше."}], now=NOW)
        world.update(session, engineer, incident, IncidentState.IDENTIFIED, cause=CauseCategory.SECURITY)
        assert incident.cause is CauseCategory.SECURITY


def test_draft_of_a_security_incident_is_published_with_approved_words(world: World) -> None:
    """Approving a draft covers all it says; an edit afterwards waits again."""
    with transaction(world.sessions) as session:
        engineer, legal = world.actor(session, "engineer"), world.person(session, "legal")
        draft = Publication.DRAFT
        incident = world.declare(session, engineer, cause=CauseCategory.SECURITY, publication=draft)
        with pytest.raises(NotAllowed):
            publication.publish_incident(session, engineer, incident, OPERATOR, now=NOW)
        words.approve_words(session, legal, incident, now=NOW)
        publication.publish_incident(session, engineer, incident, OPERATOR, now=NOW)
        with pytest.raises(NotAllowed):
            updates.edit_title(session, engineer, incident, {"ru": "Новый заголовок"}, "ru", now=NOW)


def test_changed_source_makes_translations_outdated(world: World) -> None:
    """Mending the Russian title marks the other two; translating anew clears the mark."""
    with transaction(world.sessions) as session:
        engineer = world.actor(session, "engineer")
        incident = world.declare(session, engineer)
        updates.edit_title(session, engineer, incident, {"ru": "Оплата не работает"}, "ru", now=NOW)
        title = incidents.titles(session, [incident])[incident.id]
        assert title.outdated == {"zh", "en"}
        updates.edit_title(session, engineer, incident, {"en": "Payments are down"}, "ru", now=NOW)
        assert incidents.titles(session, [incident])[incident.id].outdated == {"zh"}
        (update,) = updates.list_updates(session, incident)
        body = {"en": "Better words than before."}
        updates.edit_update(session, engineer, incident, update, body, "ru", now=NOW)
        kept = texts.read(session, "incident_update", [update.id])[update.id, "body"]
        assert kept.bodies["en"] == body["en"]
        assert kept.outdated == frozenset()
        assert "locale:zh" in [gap.field for gap in publication.checklist(session, incident, OPERATOR)]


def test_facts_are_set_right(world: World) -> None:
    """Cause, start, scope and promises of time can be mended; what cannot be is refused."""
    with transaction(world.sessions) as session:
        engineer = world.actor(session, "engineer")
        incident = world.declare(session, engineer, started_at=NOW - timedelta(minutes=5))
        due = NOW + timedelta(hours=3)
        facts = Facts(cause=CauseCategory.DATABASE, regions=("urals",), expected_end_at=due, credited_by_at=due)
        incidents.set_facts(session, engineer, incident, facts, now=NOW)
        assert (incident.cause, incident.regions, incident.expected_end_at) == (CauseCategory.DATABASE, ["urals"], due)
        incidents.set_facts(session, engineer, incident, Facts(expected_end_at=None), now=NOW)
        assert incident.expected_end_at is None
        assert incident.credited_by_at == due
        for bad in (
            Facts(started_at=NOW + timedelta(hours=1)),
            Facts(regions=("mars",)),
            Facts(not_affected=("balance",)),
            Facts(next_update_at=NOW - timedelta(hours=1)),
            Facts(cause=CauseCategory.SECURITY),
        ):
            with pytest.raises(RuleError), session.begin_nested():
                incidents.set_facts(session, engineer, incident, bad, now=NOW)
        session.refresh(incident)
        assert incident.cause is CauseCategory.DATABASE


def test_start_cannot_follow_the_first_update(world: World) -> None:
    """The start is moved back freely, but never after something was said."""
    with transaction(world.sessions) as session:
        engineer = world.actor(session, "engineer")
        incident = world.declare(session, engineer, started_at=NOW - timedelta(hours=1))
        world.clock.advance(timedelta(hours=1))
        with pytest.raises(RuleError) as refused:
            later = Facts(started_at=NOW + timedelta(minutes=30))
            incidents.set_facts(session, engineer, incident, later, now=world.clock.now())
        assert refused.value.code == "incident.start_after_update"


def test_owner_is_a_person_who_can_act(world: World) -> None:
    """The repair is owned by somebody by name who may work on it; nobody's id is refused, and whoever only approves."""
    with transaction(world.sessions) as session:
        engineer, manager = world.actor(session, "engineer"), world.person(session, "manager")
        incident = world.declare(session, engineer)
        incidents.set_owner(session, engineer, incident, manager.name, now=NOW)
        assert incident.owner_id == manager.id
        approver = world.actor(session, "approver").name
        for owner, code in (("nobody", "incident.unknown_owner"), (approver, "incident.owner_cannot_act")):
            with pytest.raises(RuleError) as refused:
                incidents.set_owner(session, engineer, incident, owner, now=NOW)
            assert (refused.value.code, refused.value.field) == (code, "owner")
        assert incident.owner_id == manager.id


def test_a_prepared_promise_keeps_to_the_profiles_night(world: World) -> None:
    """Declared in the evening, the template promises the next update when the clock profile asks for it: by morning."""
    evening = datetime(2026, 11, 22, 18, 30, tzinfo=UTC)  # 21:30 in Moscow
    with transaction(world.sessions, read_only=True) as session:
        zone = OPERATOR.zone
        said = templates.declaration(session, "billing_outage", profile="default_billing", zone=zone, now=evening)
    assert said.next_update_at == datetime(2026, 11, 23, 5, 0, tzinfo=UTC)


def test_incident_without_a_template(world: World) -> None:
    """Fields alone make an incident; without a grace key none is opened."""
    with transaction(world.sessions) as session:
        engineer = world.actor(session, "engineer")
        bare = Declaration(
            title={"en": "Invoices are late"},
            body={"en": "Invoices come a day later than usual."},
            source_locale="en",
            components={"invoices": ComponentState.DEGRADED_PERFORMANCE},
        )
        incident = incidents.declare_incident(session, engineer, bare, now=NOW)
        assert grace_policies.policies_of(session, incident) == []
        assert session.scalar(select(func.count()).select_from(GraceLedger)) == 0
        with pytest.raises(NotFound):
            incidents.get_incident(session, "000000000000")
