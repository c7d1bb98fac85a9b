"""What follows from each change of an incident's state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage.db import transaction
from statuspage.domain.component import ComponentState
from statuspage.domain.errors import NotAllowed, RuleError
from statuspage.domain.grace import GraceState
from statuspage.domain.incident import ENDED, OPEN, RESTORED, IncidentState, current_state, state_since
from statuspage.models import AuditEntry, Component, ComponentChange, Incident, PlaybookRow
from statuspage.services import clock_facts, grace_policies, lifecycle, updates
from statuspage.services.actor import Actor
from statuspage.services.lifecycle import Crediting
from statuspage.services.updates import NewUpdate
from tests.databases import NOW
from tests.services.world import OPERATOR, World, tell

TEXT = {"ru": "Оплата снова работает, зачисляем платежи."}


def _state(session: Session, key: str) -> ComponentState:
    return session.scalars(select(Component.state).where(Component.key == key)).one()


def _restore(world: World, session: Session, actor: Actor, incident: Incident) -> None:
    now = world.clock.now()
    due = now + timedelta(hours=4)
    lifecycle.restore_incident(session, actor, incident, TEXT, "ru", OPERATOR, credited_by_at=due, now=now)


def _resolve(world: World, session: Session, actor: Actor, incident: Incident, override: str = "") -> None:
    now = world.clock.now()
    lifecycle.resolve_incident(session, actor, incident, TEXT, "ru", OPERATOR, override=override, now=now)


def _now(incident: Incident) -> tuple[IncidentState, datetime | None]:
    return incident.state, incident.resolved_at


def _told(world: World, session: Session) -> tuple[Actor, Incident]:
    engineer = world.actor(session, "engineer")
    incident = world.declare(session, engineer)
    tell(session, incident, world.clock)
    return engineer, incident


def test_whole_life_of_an_incident(world: World) -> None:
    """Identified, restored, credited, resolved: components and grace follow step by step."""
    with transaction(world.sessions) as session:
        engineer, incident = _told(world, session)
        world.clock.advance(timedelta(minutes=30))
        world.update(session, engineer, incident, IncidentState.IDENTIFIED, next_update_at=NOW + timedelta(hours=2))
        assert incident.next_update_at == NOW + timedelta(hours=2)
        restored_at = world.clock.advance(timedelta(minutes=45))
        _restore(world, session, engineer, incident)
        assert (incident.state, incident.restored_at) == (IncidentState.RESTORED_CATCHING_UP, restored_at)
        assert incident.credited_by_at == restored_at + timedelta(hours=4)
        assert _state(session, "top_up") is ComponentState.DEGRADED_PERFORMANCE
        (policy,) = grace_policies.policies_of(session, incident)
        assert policy.state is GraceState.ACTIVE
        resolved_at = world.clock.advance(timedelta(minutes=20))
        lifecycle.verify_crediting(session, engineer, incident, Crediting(120, 120, 3), now=resolved_at)
        _resolve(world, session, engineer, incident)
        assert _now(incident) == (IncidentState.RESOLVED, resolved_at)
        assert incident.next_update_at is None
        assert _state(session, "top_up") is ComponentState.OPERATIONAL
        assert policy.state is GraceState.TAIL
        assert policy.published_until == datetime(2026, 11, 25, 21, tzinfo=UTC)
        assert [entry.cause for entry in grace_policies.ledger(session, policy)] == ["declared", "resolved"]
        changes = select(ComponentChange.new_state).join(Component).where(Component.key == "top_up")
        assert list(session.scalars(changes.order_by(ComponentChange.id))) == [
            ComponentState.MAJOR_OUTAGE,
            ComponentState.DEGRADED_PERFORMANCE,
            ComponentState.OPERATIONAL,
        ]


def test_an_incident_is_resolved_once(world: World) -> None:
    """Resolving what is resolved is refused, so that nobody reads "resolved" twice."""
    with transaction(world.sessions) as session:
        engineer, incident = _told(world, session)
        _resolve(world, session, engineer, incident, "A drill of the gate.")
        world.clock.advance(timedelta(minutes=1))
        with pytest.raises(RuleError, match="already"):
            _resolve(world, session, engineer, incident, "A drill of the gate.")
        assert [one.state for one in updates.list_updates(session, incident)].count(IncidentState.RESOLVED) == 1


def test_resolving_asks_for_verified_crediting(world: World) -> None:
    """Without figures the gate refuses and names the row; a reason goes on, and is kept by name."""
    with transaction(world.sessions) as session:
        engineer, incident = _told(world, session)
        _restore(world, session, engineer, incident)
        with pytest.raises(RuleError) as refused:
            _resolve(world, session, engineer, incident)
        assert refused.value.code == "playbook.gate"
        assert "crediting is verified" in refused.value.message
        assert _now(incident) == (IncidentState.RESTORED_CATCHING_UP, None)
        _resolve(world, session, engineer, incident, "The bank confirms the figures tomorrow morning.")
        row = session.scalars(select(PlaybookRow).where(PlaybookRow.key == "restored_truthfully")).one()
        assert row.ticked_by == engineer.id
        assert row.not_needed_reason == "The bank confirms the figures tomorrow morning."
        assert _now(incident) == (IncidentState.RESOLVED, world.clock.now())


def test_gate_cannot_be_gone_round_by_a_plain_update(world: World) -> None:
    """Posting "resolved" as an ordinary update asks the same questions."""
    with transaction(world.sessions) as session:
        engineer, incident = _told(world, session)
        with pytest.raises(RuleError) as refused:
            world.update(session, engineer, incident, IncidentState.RESOLVED)
        assert refused.value.code == "playbook.gate"
        viewer = world.person(session, "viewer")
        with pytest.raises(NotAllowed):
            world.update(session, viewer, incident, IncidentState.IDENTIFIED)


@pytest.mark.parametrize(
    ("figures", "code", "said"),
    [
        (Crediting(100, 120), "incident.more_credited_than_queued", "credited: 120 is more than the 100 queued."),
        (Crediting(9, 9, 10), "incident.more_duplicated_than_credited", "duplicated: 10 is more than the 9 credited."),
        (Crediting(9, 5, 6), "incident.more_duplicated_than_credited", "duplicated: 6 is more than the 5 credited."),
        (Crediting(-1, 0), "incident.bad_figure", "queued: -1 is no count"),
        (Crediting(1, -1), "incident.bad_figure", "credited: -1 is no count"),
        (Crediting(1, 1, -1), "incident.bad_figure", "duplicated: -1 is no count"),
        (Crediting(2**31, 1), "incident.bad_figure", "queued: 2147483648 is no count"),
    ],
)
def test_figures_that_cannot_be_are_refused(world: World, figures: Crediting, code: str, said: str) -> None:
    """Counts below nothing, or more of a part than of the whole, are named with value and remedy, and not kept."""
    with transaction(world.sessions) as session:
        engineer, incident = _told(world, session)
        _restore(world, session, engineer, incident)
        with pytest.raises(RuleError) as refused:
            lifecycle.verify_crediting(session, engineer, incident, figures, now=NOW)
        assert refused.value.code == code
        assert refused.value.field == said.partition(":")[0]
        assert said in refused.value.message
        assert (incident.crediting_verified_at, incident.payments_queued) == (None, None)


def test_a_lower_figure_takes_the_verification_back(world: World) -> None:
    """Whoever finds that fewer were credited than verified says so; it is kept, and resolving asks again."""
    with transaction(world.sessions) as session:
        engineer, incident = _told(world, session)
        _restore(world, session, engineer, incident)
        now = world.clock.advance(timedelta(minutes=1))
        assert lifecycle.verify_crediting(session, engineer, incident, Crediting(10, 10, 2), now=now)
        assert incident.crediting_verified_by == engineer.id
        now = world.clock.advance(timedelta(minutes=1))
        assert not lifecycle.verify_crediting(session, engineer, incident, Crediting(10, 9), now=now)
        assert (incident.crediting_verified_at, incident.crediting_verified_by) == (None, None)
        assert (incident.payments_queued, incident.payments_credited, incident.payments_duplicated) == (10, 9, 0)
        told = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).one()
        assert told.action == "incident.crediting_unfinished"
        with pytest.raises(RuleError) as refused:
            _resolve(world, session, engineer, incident)
        assert refused.value.code == "playbook.gate"
        assert lifecycle.verify_crediting(session, engineer, incident, Crediting(10, 10), now=now)
        _resolve(world, session, engineer, incident)


def test_crediting_is_verified_after_the_restoration(world: World) -> None:
    """Figures of an outage that still runs prove nothing."""
    with transaction(world.sessions) as session:
        engineer, incident = _told(world, session)
        with pytest.raises(RuleError) as refused:
            lifecycle.verify_crediting(session, engineer, incident, Crediting(1, 1), now=NOW)
    assert refused.value.code == "incident.not_restored"


def test_reopening_undoes_the_end(world: World) -> None:
    """It fails again: components as bad as before, grace active and later, crediting to be verified anew."""
    with transaction(world.sessions) as session:
        engineer, incident = _told(world, session)
        _restore(world, session, engineer, incident)
        lifecycle.verify_crediting(session, engineer, incident, Crediting(5, 5), now=NOW)
        _resolve(world, session, engineer, incident)
        (policy,) = grace_policies.policies_of(session, incident)
        promised = policy.published_until
        again = world.clock.advance(timedelta(days=2))
        new = NewUpdate(IncidentState.INVESTIGATING, {"ru": "Сбой повторился, разбираемся."}, "ru")
        lifecycle.reopen_incident(session, engineer, incident, new, OPERATOR, now=again)
        assert (incident.restored_at, incident.resolved_at, incident.crediting_verified_at) == (None, None, None)
        assert incident.credited_by_at is None
        assert _state(session, "top_up") is ComponentState.MAJOR_OUTAGE
        assert policy.state is GraceState.ACTIVE
        assert policy.published_until is not None
        assert promised is not None
        assert policy.published_until > promised
        with pytest.raises(RuleError) as refused:
            lifecycle.reopen_incident(session, engineer, incident, new, OPERATOR, now=again)
        assert refused.value.code == "incident.not_closed"


def test_reopening_goes_to_a_broken_state(world: World) -> None:
    """ "Restored" does not reopen anything."""
    with transaction(world.sessions) as session:
        engineer, incident = _told(world, session)
        new = NewUpdate(IncidentState.RESTORED_CATCHING_UP, TEXT, "ru")
        with pytest.raises(RuleError) as refused:
            lifecycle.reopen_incident(session, engineer, incident, new, OPERATOR, now=NOW)
    assert refused.value.code == "incident.bad_reopening"


def test_an_update_keeps_the_promise_whose_time_has_come(world: World) -> None:
    """Said nothing of the next one, a promise that lies ahead stands, and one that has passed is renewed."""
    with transaction(world.sessions) as session:
        engineer, incident = _told(world, session)
        world.clock.advance(timedelta(minutes=30))
        world.update(session, engineer, incident, IncidentState.INVESTIGATING)
        assert incident.next_update_at == NOW + timedelta(minutes=60)
        world.clock.advance(timedelta(minutes=45))
        world.update(session, engineer, incident, IncidentState.INVESTIGATING)
        assert incident.next_update_at == NOW + timedelta(minutes=75 + 60)
        incident.profile = "trai_in"  # asks for no updates
        session.flush()
        world.clock.advance(timedelta(minutes=90))
        world.update(session, engineer, incident, IncidentState.INVESTIGATING)
        assert incident.next_update_at is None


def test_the_clock_holds_to_the_promise_on_the_page(world: World) -> None:
    """One place says by when the next update is due: an update that is dated back promises nothing."""
    with transaction(world.sessions) as session:
        engineer, incident = _told(world, session)
        world.clock.advance(timedelta(minutes=20))
        soon = NOW + timedelta(minutes=30)
        world.update(session, engineer, incident, IncidentState.MONITORING, next_update_at=soon)
        at = NOW + timedelta(minutes=10)
        world.update(
            session, engineer, incident, IncidentState.IDENTIFIED, at=at, next_update_at=NOW + timedelta(days=1)
        )
        found = clock_facts.next_update(session, incident, OPERATOR)
        assert found is not None
        assert (found.due_at, found.promised_at, found.asked_at) == (soon, soon, NOW + timedelta(minutes=80))


def test_dated_back_update_stands_at_its_place(world: World) -> None:
    """An earlier time puts the update before the newest one and leaves state, times and components as they are."""
    with transaction(world.sessions) as session:
        engineer, incident = _told(world, session)
        world.clock.advance(timedelta(minutes=30))
        world.update(session, engineer, incident, IncidentState.MONITORING)
        before = incident.next_update_at
        at = NOW + timedelta(minutes=10)
        world.update(
            session, engineer, incident, IncidentState.IDENTIFIED, at=at, next_update_at=NOW + timedelta(days=1)
        )
        assert incident.state is IncidentState.MONITORING
        assert incident.next_update_at == before
        assert [one.state for one in updates.list_updates(session, incident)] == [
            IncidentState.MONITORING,
            IncidentState.IDENTIFIED,
            IncidentState.INVESTIGATING,
        ]


@pytest.mark.parametrize(
    ("at", "code"),
    [
        (NOW + timedelta(hours=2), "incident.update_in_future"),
        (NOW - timedelta(minutes=1), "incident.update_before_start"),
        (datetime(2026, 11, 22, 8, 0), "incident.naive_time"),  # noqa: DTZ001 - the point of the test
    ],
)
def test_bad_time_of_an_update_is_refused(world: World, at: datetime, code: str) -> None:
    """Neither in the future, nor before the start, nor without a zone."""
    with transaction(world.sessions) as session:
        engineer, incident = _told(world, session)
        world.clock.advance(timedelta(hours=1))
        with pytest.raises(RuleError) as refused:
            world.update(session, engineer, incident, IncidentState.IDENTIFIED, at=at)
    assert refused.value.code == code


def test_past_update_moves_no_component(world: World) -> None:
    """Components are as the newest update says; one that is dated back cannot change them."""
    with transaction(world.sessions) as session:
        engineer, incident = _told(world, session)
        world.clock.advance(timedelta(minutes=30))
        world.update(session, engineer, incident, IncidentState.MONITORING)
        better = {"top_up": ComponentState.OPERATIONAL}
        with pytest.raises(RuleError) as refused:
            world.update(session, engineer, incident, IncidentState.IDENTIFIED, at=NOW, components=better)
    assert refused.value.code == "update.components_in_the_past"


def test_clock_set_back_does_not_hide_the_news(world: World) -> None:
    """An update posted after the clock jumped back is the newest all the same."""
    with transaction(world.sessions) as session:
        engineer, incident = _told(world, session)
        world.clock.advance(timedelta(minutes=-20))
        world.update(session, engineer, incident, IncidentState.IDENTIFIED)
        assert incident.state is IncidentState.IDENTIFIED
        assert updates.list_updates(session, incident)[0].at == NOW


def test_illegal_move_is_refused(world: World) -> None:
    """A postmortem follows a resolved incident only."""
    with transaction(world.sessions) as session:
        engineer, incident = _told(world, session)
        manager = world.person(session, "manager")
        with pytest.raises(RuleError):
            world.update(session, manager, incident, IncidentState.POSTMORTEM, override="There is nothing to wait for.")
        world.update(session, engineer, incident, IncidentState.RESOLVED, override="A test of the alarm, nothing else.")
        with pytest.raises(NotAllowed):
            world.update(session, engineer, incident, IncidentState.POSTMORTEM)
        world.update(session, manager, incident, IncidentState.POSTMORTEM)
        assert incident.resolved_at == NOW


def test_every_update_is_audited(world: World) -> None:
    """Each step leaves an entry with the old and the new state, by the person who took it."""
    with transaction(world.sessions) as session:
        engineer, incident = _told(world, session)
        world.update(session, engineer, incident, IncidentState.IDENTIFIED)
        query = select(AuditEntry).where(AuditEntry.action == "incident.updated")
        (entry,) = session.scalars(query)
        assert (entry.detail["old"], entry.detail["new"]) == ("investigating", "identified")
        assert entry.actor_id == engineer.name


def _post(
    world: World, session: Session, actor: Actor, incident: Incident, state: IncidentState, at: datetime | None
) -> str | None:
    """The code of the refusal, if any."""
    try:
        world.update(session, actor, incident, state, at=at)
    except RuleError as refused:
        return refused.code
    return None


_STEPS = st.lists(
    st.tuples(st.sampled_from(sorted(OPEN)), st.none() | st.integers(0, 90), st.integers(0, 30)), max_size=7
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=_STEPS)
def test_state_is_that_of_the_latest_update(world: World, steps: list[tuple[IncidentState, int | None, int]]) -> None:
    """Whatever is posted in whatever order, dated back or not, state and times are those of the updates by (at, id)."""
    world.clock.set(NOW)
    with world.sessions() as session:
        engineer = world.actor(session, "engineer")
        incident = world.declare(session, engineer)
        (policy,) = grace_policies.policies_of(session, incident)
        promised = policy.published_until
        for state, minutes_back, wait in steps:
            now = world.clock.advance(timedelta(minutes=wait))
            at = None if minutes_back is None else max(now - timedelta(minutes=minutes_back), NOW)
            assert _post(world, session, engineer, incident, state, at) in (None, "incident.illegal_move")
            points = updates.points(session, incident)
            assert incident.state is current_state(points)
            assert incident.restored_at == state_since(points, RESTORED)
            assert incident.resolved_at == state_since(points, ENDED)
            assert promised is not None
            assert policy.published_until is not None
            assert policy.published_until >= promised
            promised = policy.published_until
        session.rollback()
