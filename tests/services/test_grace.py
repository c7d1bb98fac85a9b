"""The promise that nobody is suspended: how it moves, who may move it, what a dunning system hears."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from statuspage.db import transaction
from statuspage.domain.errors import NotAllowed, NotFound, RuleError
from statuspage.domain.grace import GraceAction, GraceExclusion, GraceState, Release, ReleaseMode
from statuspage.domain.hold import Decision
from statuspage.domain.incident import IncidentState
from statuspage.models import Account, Contact, GraceLedger, GracePolicy, Incident, Installation, Line, Region, Segment
from statuspage.services import grace, grace_check, grace_policies
from statuspage.services.actor import CLI, Actor
from statuspage.services.grace_check import Query
from statuspage.services.grace_policies import PolicyDraft
from tests.databases import NOW
from tests.services.world import World

END = datetime(2026, 11, 25, 21, tzinfo=UTC)
DAY = timedelta(days=1)
DRAFT = PolicyDraft({"ru": "Отсрочка"}, {}, ("prepaid",), "Europe/Moscow")
MSISDN, ICCID = "+79161234567", "8970199000000000017"


def _open(world: World, session: Session, key: str = "billing_outage") -> tuple[Actor, Incident, GracePolicy]:
    engineer = world.actor(session, "engineer")
    incident = world.declare(session, engineer, key)
    (policy,) = grace_policies.policies_of(session, incident)
    return engineer, incident, policy


def _stands(policy: GracePolicy) -> tuple[GraceState, datetime | None]:
    return policy.state, policy.published_until


def _over(world: World, session: Session, actor: Actor, incident: Incident) -> None:
    reason = "The figures were confirmed by telephone."
    world.update(session, actor, incident, IncidentState.RESOLVED, override=reason)


def _line(session: Session, segment: str = "prepaid", msisdn: str | None = MSISDN, iccid: str | None = None) -> None:
    account, contact = Account(external_id=f"A-{segment}"), Contact(language="ru", valid_from=0)
    session.add_all([account, contact])
    session.flush()
    session.add(
        Line(
            account_id=account.id,
            contact_id=contact.id,
            key=msisdn or iccid or "",
            msisdn=msisdn,
            iccid=iccid,
            segment_id=session.scalars(select(Segment.id).where(Segment.key == segment)).one(),
            region_id=session.scalars(select(Region.id).where(Region.key == "urals")).one(),
            valid_from=0,
        )
    )
    session.flush()


def test_promise_is_written_only_when_the_day_changes(world: World) -> None:
    """A tick within the day writes nothing; the next day moves the promise by a day, once."""
    with transaction(world.sessions) as session:
        _, _, policy = _open(world, session)
        assert policy.published_until == END
        assert grace.tick(session, now=NOW + timedelta(hours=6)) == 0
        assert grace.tick(session, now=NOW + DAY) == 1
        assert grace.tick(session, now=NOW + DAY) == 0
        assert policy.published_until == END + DAY
        assert [entry.cause for entry in grace_policies.ledger(session, policy)] == ["declared", "tick"]
        assert grace.tick(session, now=NOW - DAY) == 0
        assert policy.published_until == END + DAY


def test_tail_runs_out_and_says_so(world: World) -> None:
    """Resolved, the promise lasts for the tail; then the policy is released, and nothing is promised any more."""
    with transaction(world.sessions) as session:
        engineer, incident, policy = _open(world, session)
        world.clock.advance(DAY)
        _over(world, session, engineer, incident)
        assert _stands(policy) == (GraceState.TAIL, END + DAY)
        assert grace.tick(session, now=END + DAY - timedelta(seconds=1)) == 0
        assert grace.tick(session, now=END + DAY) == 1
        assert _stands(policy) == (GraceState.RELEASED, END + DAY)
        assert grace.tick(session, now=END + 9 * DAY) == 0


def test_reopening_after_the_release_promises_anew(world: World) -> None:
    """Whoever was released is in grace again when the incident reopens."""
    with transaction(world.sessions) as session:
        engineer, incident, policy = _open(world, session)
        _over(world, session, engineer, incident)
        world.clock.set(END + 2 * DAY)
        grace.tick(session, now=world.clock.now())
        assert _stands(policy) == (GraceState.RELEASED, END)
        world.update(session, engineer, incident, IncidentState.INVESTIGATING)
        assert policy.state is GraceState.ACTIVE
        assert policy.published_until is not None
        assert policy.published_until > world.clock.now()


def test_one_person_extends_within_the_cap_and_never_shortens(world: World) -> None:
    """Later is one person's decision, earlier nobody's."""
    with transaction(world.sessions) as session:
        engineer, _, policy = _open(world, session)
        grace.extend(session, engineer, policy, END + 2 * DAY, now=NOW)
        assert policy.published_until == END + 2 * DAY
        grace.extend(session, engineer, policy, END + 2 * DAY, now=NOW)
        assert policy.revision == 2
        with pytest.raises(RuleError) as refused:
            grace.extend(session, engineer, policy, END, now=NOW)
        assert refused.value.code == "grace.never_earlier"
        assert policy.published_until == END + 2 * DAY


def test_past_the_cap_two_people_agree(world: World) -> None:
    """The cap holds until another person lifts it; he does not then extend past it himself."""
    far = END + 30 * DAY
    with transaction(world.sessions) as session:
        engineer, _, policy = _open(world, session)
        approver, manager = world.actor(session, "approver"), world.person(session, "manager")
        with pytest.raises(RuleError) as refused:
            grace.extend(session, engineer, policy, far, now=NOW)
        assert refused.value.code == "grace.over_cap"
        for actor in (engineer, CLI):
            with pytest.raises(NotAllowed):
                grace.lift_cap(session, actor, policy, now=NOW)
        grace.lift_cap(session, manager, policy, now=NOW)
        with pytest.raises(NotAllowed):
            grace.extend(session, manager, policy, far, now=NOW)
        grace.lift_cap(session, approver, policy, now=NOW)
        grace.extend(session, engineer, policy, far, now=NOW)
        assert policy.published_until == far


def test_rolling_promise_stops_at_the_cap(world: World) -> None:
    """An incident that lasts for weeks does not extend its grace without a second person."""
    with transaction(world.sessions) as session:
        _, _, policy = _open(world, session)
        for day in range(1, 30):
            grace.tick(session, now=NOW + day * DAY)
        assert policy.published_until == datetime(2026, 12, 6, 21, tzinfo=UTC)


def test_revoking_takes_two_people_and_spares_who_is_covered(world: World) -> None:
    """The published end stays; only debts that arise later are not covered."""
    with transaction(world.sessions) as session:
        engineer, _, policy = _open(world, session)
        approver = world.actor(session, "approver")
        with pytest.raises(RuleError) as refused:
            grace.revoke(session, approver, policy, now=NOW)
        assert refused.value.code == "grace.revocation_not_asked"
        manager = world.person(session, "manager")
        grace.ask_revocation(session, manager, policy, now=NOW)
        for actor in (engineer, manager):
            with pytest.raises(NotAllowed):
                grace.revoke(session, actor, policy, now=NOW)
        grace.revoke(session, approver, policy, now=NOW)
        grace.revoke(session, approver, policy, now=NOW)
        assert (policy.state, policy.published_until) == (GraceState.REVOKED, END)
        later = NOW + timedelta(hours=2)
        queries = [
            Query(segment="prepaid", region="urals"),
            Query(segment="prepaid", region="urals", overdue_since=NOW - DAY),
            Query(segment="prepaid", region="urals", overdue_since=NOW + timedelta(hours=1)),
        ]
        answers = grace_check.check(session, engineer, queries, now=later)
        assert [answer.decision for answer in answers] == [Decision.HOLD, Decision.HOLD, Decision.PROCEED]


def test_ledger_is_append_only(world: World) -> None:
    """The database itself refuses to change what was promised."""
    with transaction(world.sessions) as session:
        _open(world, session)
    with pytest.raises(DBAPIError, match="append-only"), transaction(world.sessions) as session:
        session.scalars(select(GraceLedger)).one().new_until = NOW


def test_policy_covers_only_whom_the_incident_touches(world: World) -> None:
    """The incident's copy is narrowed to its segments."""
    with transaction(world.sessions) as session:
        engineer, _, policy = _open(world, session, "data_sim_outage")
        assert policy.segments == ["pos_m2m"]
        queries = [Query(segment="pos_m2m"), Query(segment="prepaid")]
        answers = grace_check.check(session, engineer, queries, now=NOW)
        assert [answer.decision for answer in answers] == [Decision.HOLD, Decision.PROCEED]


def test_default_that_nobody_approved_promises_nothing_yet(world: World) -> None:
    """A changed default waits for the second person; what it opened waits too, and stands once he agrees."""
    with transaction(world.sessions) as session:
        engineer, approver = world.actor(session, "engineer"), world.actor(session, "approver")
        changed = replace(DRAFT, tail_days=5)
        default = grace_policies.put_default(session, engineer, "standard_outage", changed, now=NOW)
        assert default.approved_at is None
        incident = world.declare(session, engineer)
        (policy,) = grace_policies.policies_of(session, incident)
        assert (policy.state, policy.published_until) == (GraceState.DRAFT, None)
        with pytest.raises(NotAllowed):
            grace.approve_policy(session, engineer, policy, now=NOW)
        with pytest.raises(RuleError):
            grace.extend(session, engineer, policy, END, now=NOW)
        grace.approve_policy(session, approver, policy, now=NOW)
        grace.approve_policy(session, approver, policy, now=NOW)
        assert policy.state is GraceState.ACTIVE
        assert len(grace_policies.ledger(session, policy)) == 1


def test_author_does_not_approve_his_own_policy(world: World) -> None:
    """Somebody who may both write and approve still needs a colleague."""
    with transaction(world.sessions) as session:
        manager = world.person(session, "manager")
        incident = world.declare(session, manager)
        draft = PolicyDraft({"ru": "Особая"}, {}, ("roamers",), "Europe/Moscow")
        policy = grace_policies.draft_for_incident(session, manager, incident, draft, now=NOW)
        with pytest.raises(NotAllowed) as refused:
            grace.approve_policy(session, manager, policy, now=NOW)
    assert refused.value.code == "grace.own_approval"


@pytest.mark.parametrize(
    "bad",
    [
        replace(DRAFT, segments=()),
        replace(DRAFT, segments=("vip",)),
        replace(DRAFT, tail_days=90),
        replace(DRAFT, hard_cap_days=0),
        replace(DRAFT, rolling_hours=-1),
    ],
)
def test_terms_that_promise_nothing_are_refused(world: World, bad: PolicyDraft) -> None:
    """A policy for nobody, or one that cannot be kept, is not made."""
    with transaction(world.sessions) as session:
        engineer = world.actor(session, "engineer")
        with pytest.raises(RuleError):
            grace_policies.put_default(session, engineer, "other", bad, now=NOW)


def test_line_is_found_by_number_sim_and_account(world: World) -> None:
    """All three identifiers lead to the same answer; nothing of the person comes back."""
    with transaction(world.sessions) as session:
        _line(session, "pos_m2m", MSISDN, ICCID)
        engineer, _, policy = _open(world, session, "data_sim_outage")
        queries = [Query(msisdn=MSISDN), Query(iccid=ICCID), Query(account="A-pos_m2m")]
        answers = grace_check.check(session, engineer, queries, now=NOW)
        assert len({str(answer) for answer in answers}) == 1
        (answer, *_) = answers
        assert (answer.decision, answer.policy, answer.revision) == (Decision.HOLD, policy.public_id, 1)
        assert answer.recognised
        assert GraceAction.NO_SUSPEND in answer.actions
        assert MSISDN not in str(answer)


def test_line_outside_the_policy_proceeds(world: World) -> None:
    """A prepaid line is not held because terminals are."""
    with transaction(world.sessions) as session:
        _line(session)
        engineer, _, _ = _open(world, session, "data_sim_outage")
        (answer,) = grace_check.check(session, engineer, [Query(msisdn=MSISDN)], now=NOW)
        assert (answer.decision, answer.until, answer.ttl_seconds) == (Decision.PROCEED, None, 300)


def test_a_line_nobody_knows_is_held(world: World) -> None:
    """Fail open: what neither our copy nor the question explains is held, and marked."""
    with transaction(world.sessions) as session:
        engineer, _, _ = _open(world, session, "data_sim_outage")
        (answer,) = grace_check.check(session, engineer, [Query(msisdn="+79990000000")], now=NOW)
        assert (answer.decision, answer.recognised) == (Decision.HOLD, False)


def test_invisible_generation_is_not_looked_at(world: World) -> None:
    """A line of an import that is not visible yet, or was replaced, decides nothing."""
    with transaction(world.sessions) as session:
        _line(session)
        line = session.scalars(select(Line)).one()
        engineer, _, _ = _open(world, session, "data_sim_outage")
        line.valid_from = session.scalars(select(Installation.generation)).one() + 1
        session.flush()
        (answer,) = grace_check.check(session, engineer, [Query(msisdn=MSISDN)], now=NOW)
        assert not answer.recognised


def test_fraud_is_not_held_and_debt_is_no_exclusion(world: World) -> None:
    """Only the three named reasons break a hold."""
    with transaction(world.sessions) as session:
        engineer, _, _ = _open(world, session)
        queries = [
            Query(segment="prepaid", known=frozenset({GraceExclusion.FRAUD})),
            Query(segment="prepaid"),
        ]
        answers = grace_check.check(session, engineer, queries, now=NOW)
        assert [answer.decision for answer in answers] == [Decision.PROCEED, Decision.HOLD]


def test_latest_of_several_policies_wins(world: World) -> None:
    """Two incidents, two promises: the later end is the answer."""
    with transaction(world.sessions) as session:
        engineer, _, _ = _open(world, session)
        _, _, second = _open(world, session, "top_up_outage")
        grace.extend(session, engineer, second, END + 3 * DAY, now=NOW)
        (answer,) = grace_check.check(session, engineer, [Query(segment="prepaid")], now=NOW)
        assert answer.policy == second.public_id
        assert answer.until is not None
        assert answer.until >= END + 3 * DAY


@pytest.mark.parametrize("count", [0, 1001])
def test_too_many_questions_are_refused(world: World, count: int) -> None:
    """One to a thousand at a time."""
    with transaction(world.sessions) as session, pytest.raises(RuleError) as refused:
        grace_check.check(session, CLI, [Query(segment="prepaid")] * count, now=NOW)
    assert refused.value.code == "grace.too_many"


def test_checking_needs_permission(world: World) -> None:
    """Whoever may only look at incidents does not ask about lines."""
    with transaction(world.sessions) as session:
        viewer = world.person(session, "viewer")
        with pytest.raises(NotAllowed):
            grace_check.check(session, viewer, [Query(msisdn=MSISDN)], now=NOW)


def test_ledger_answers_for_the_past(world: World) -> None:
    """What held at a moment is read from what was published then, back-dated starts included."""
    with transaction(world.sessions) as session:
        engineer = world.actor(session, "engineer")
        world.declare(session, engineer, started_at=NOW - timedelta(hours=2))
        grace.tick(session, now=NOW + DAY)
        query, now = [Query(segment="prepaid")], NOW + 2 * DAY
        at: Callable[[datetime], grace_check.Answer] = lambda then: grace_check.check_at(  # noqa: E731 - one line each
            session, engineer, query, then, now=now
        )[0]
        assert at(NOW - timedelta(hours=3)).decision is Decision.PROCEED
        assert at(NOW - timedelta(hours=1)).revision == 1
        assert at(NOW + timedelta(hours=1)).revision == 1
        assert at(NOW + DAY).revision == 2
        with pytest.raises(RuleError):
            at(now + DAY)


def test_dunning_acknowledges_a_revision(world: World) -> None:
    """The same acknowledgement twice is one; a revision that was never published is refused."""
    with transaction(world.sessions) as session:
        engineer, _, policy = _open(world, session)
        for held in (10, 12):
            grace.acknowledge(session, engineer, policy, system="dunning", revision=1, held=held, now=NOW)
        (row,) = grace_policies.acknowledgements(session, policy)
        assert (row.system, row.revision, row.held) == ("dunning", 1, 12)
        for revision, system, held in ((2, "dunning", 0), (0, "dunning", 0), (1, " ", 0), (1, "dunning", -1)):
            with pytest.raises(RuleError):
                grace.acknowledge(session, engineer, policy, system=system, revision=revision, held=held, now=NOW)
        agent = world.person(session, "call_centre")
        with pytest.raises(NotAllowed):
            grace.acknowledge(session, agent, policy, system="dunning", revision=1, now=NOW)


def test_release_is_staggered(world: World) -> None:
    """Lines leave the hold over some hours, each at a moment that stays the same."""
    with transaction(world.sessions) as session:
        _line(session)
        engineer, _, _ = _open(world, session)
        ask = [Query(msisdn=MSISDN)]
        (first,) = grace_check.check(session, engineer, ask, now=NOW)
        (again,) = grace_check.check(session, engineer, ask, now=NOW + timedelta(hours=1))
        assert first.until is not None
        assert END <= first.until < END + timedelta(hours=10)
        assert (first.promised_until, first.release) == (END, Release(ReleaseMode.STAGGERED, 10))
        assert again.until == first.until


def test_unknown_policy_is_named(world: World) -> None:
    """A policy that does not exist is not found."""
    with transaction(world.sessions) as session:
        with pytest.raises(NotFound):
            grace_policies.get_policy(session, "000000000000")
        assert [one.key for one in grace_policies.default_policies(session)] == ["standard_outage"]
