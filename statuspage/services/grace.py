"""The promise in force: open it with the incident, move it only later, follow the incident, let it run out."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage.domain.errors import NotAllowed, RuleError
from statuspage.domain.grace import (
    Evaluation,
    GraceCause,
    GraceFacts,
    GraceMode,
    GraceState,
    check_extension,
    check_system,
    check_two_people,
    evaluate,
    hard_cap,
)
from statuspage.domain.incident import Publication
from statuspage.domain.roles import Permission
from statuspage.models import AuditEntry, GraceAcknowledgement, GraceLedger, GracePolicy, Incident
from statuspage.services import audit, grace_policies, ledger_seal, page
from statuspage.services.actor import SYSTEM, Actor

STANDING = (GraceState.ACTIVE, GraceState.TAIL)
_REVOCATION_ASKED = "grace.revocation_asked"


def open_for_incident(
    session: Session, actor: Actor, incident: Incident, key: str, *, now: datetime
) -> GracePolicy | None:
    """Give the incident its copy of the default policy `key`.

    Approved in peacetime and published, it stands at once; a draft incident's waits for its publication, an unapproved
    one for the second person. None when the default covers none of the incident's segments or regions.
    """
    actor.require(Permission.INCIDENT_EDIT)
    default = grace_policies.default_policy(session, key)
    policy = grace_policies.copy_for_incident(session, actor, incident, default, now)
    outside = default.regions and incident.regions and not policy.regions
    if not policy.segments or outside:
        session.delete(policy)
        session.flush()
        audit.record(session, actor, "grace.not_covering", "incident", incident.public_id, now, {"default": key})
        return None
    audit.record(
        session, actor, "grace.opened", "grace_policy", policy.public_id, now, {"incident": incident.public_id}
    )
    activate_approved(session, actor, incident, now)
    return policy


def approve_policy(session: Session, actor: Actor, policy: GracePolicy, *, now: datetime) -> None:
    """The second person agrees; the policy of a published incident stands from now on."""
    grace_policies.approve(session, actor, policy, now=now)
    if policy.incident_id is not None:
        activate_approved(session, actor, session.get_one(Incident, policy.incident_id), now)


def activate_approved(session: Session, actor: Actor, incident: Incident, now: datetime) -> None:
    """Make the promise of every approved draft policy of a published incident."""
    if incident.publication is not Publication.PUBLISHED:
        return
    for policy in grace_policies.policies_of(session, incident):
        if policy.state is GraceState.DRAFT and policy.approved_at is not None:
            facts = GraceFacts(incident.state, incident.resolved_at, GraceState.ACTIVE)
            result = evaluate(grace_policies.terms(policy, now), facts, policy.published_until, now)
            _write(session, actor, policy, result, GraceCause.DECLARED, now)


def follow(session: Session, actor: Actor, incident: Incident, now: datetime) -> None:
    """Bring the incident's policies to where its state puts them: tail at resolving, active again at a reopening."""
    for policy in grace_policies.policies_of(session, incident):
        _evaluate(session, actor, policy, incident, now)


def tick(session: Session, *, now: datetime) -> int:
    """Move every standing promise that the clock has moved, and return how many; asking again changes nothing."""
    query = select(GracePolicy, Incident).join(Incident, Incident.id == GracePolicy.incident_id)
    standing = query.where(GracePolicy.state.in_(STANDING)).order_by(GracePolicy.id).with_for_update(of=GracePolicy)
    return sum(
        _evaluate(session, SYSTEM, policy, incident, now) for policy, incident in session.execute(standing).all()
    )


def extend(session: Session, actor: Actor, policy: GracePolicy, until: datetime, *, now: datetime) -> None:
    """Promise until `until`, an exclusive end. One person suffices within the cap; past it another lifts it first."""
    actor.require(Permission.GRACE_EDIT)
    _lock(session, policy)
    if policy.state not in (*STANDING, GraceState.RELEASED) or policy.published_until is None:
        raise RuleError(
            "grace.not_standing",
            f"policy: it is {policy.state}, so there is no promise to extend. Open one first.",
            "policy",
        )
    terms = grace_policies.terms(policy, now)
    check_extension(terms, policy.published_until, until)
    if until > hard_cap(terms) and actor.id is not None and actor.id == policy.cap_exceeded_by:
        raise NotAllowed("grace.own_approval", "until: you lifted the cap, so another person extends past it.", "until")
    if until == policy.published_until:
        return
    policy.min_until = until
    incident = session.get_one(Incident, policy.incident_id)
    state = policy.state if policy.state is not GraceState.RELEASED else GraceState.ACTIVE
    facts = GraceFacts(incident.state, incident.resolved_at, state)
    result = evaluate(grace_policies.terms(policy, now), facts, policy.published_until, now)
    _write(session, actor, policy, result, GraceCause.EXTENDED, now)


def lift_cap(session: Session, actor: Actor, policy: GracePolicy, *, now: datetime) -> None:
    """The second person agrees that this policy may go past its hard cap; who opened the policy cannot be he."""
    actor.require(Permission.GRACE_APPROVE)
    _lock(session, policy)
    if actor.id is None:
        raise RuleError("grace.no_person", "approved_by: a person has to agree, by his own log-in.", "approved_by")
    if policy.author_id is not None:
        check_two_people(policy.author_id, actor.id, "lifting the cap")
    policy.cap_exceeded_by = actor.id
    session.flush()
    audit.record(session, actor, "grace.cap_lifted", "grace_policy", policy.public_id, now)


def ask_revocation(session: Session, actor: Actor, policy: GracePolicy, *, now: datetime) -> None:
    """The first person asks that the policy take no new subjects; a second one decides by `revoke`."""
    actor.require(Permission.GRACE_EDIT)
    if actor.kind != "user":
        raise NotAllowed("grace.no_person", "policy: a person asks for a revocation, by his own log-in.", "policy")
    if policy.state not in STANDING:
        raise RuleError("grace.not_standing", f"policy: it is {policy.state}; there is nothing to revoke.", "policy")
    audit.record(session, actor, _REVOCATION_ASKED, "grace_policy", policy.public_id, now)


def revoke(session: Session, actor: Actor, policy: GracePolicy, *, now: datetime) -> None:
    """End the policy for future subjects. Whoever is covered stays covered to the published end, which never moves."""
    actor.require(Permission.GRACE_APPROVE)
    _lock(session, policy)
    if policy.state is GraceState.REVOKED:
        return
    asked_by = _revocation_asked_by(session, policy)
    if asked_by is None:
        raise RuleError("grace.revocation_not_asked", "policy: nobody has asked to revoke it. Ask first.", "policy")
    if actor.id is None:
        raise NotAllowed("grace.no_person", "policy: a person decides, by his own log-in.", "policy")
    check_two_people(asked_by, actor.id, "revoking a grace policy")
    _write(
        session, actor, policy, Evaluation(policy.published_until, GraceState.REVOKED, None), GraceCause.REVOKED, now
    )


def stop_following(session: Session, incident: Incident) -> None:
    """An incident that was withdrawn moves its promises no further; what was promised still holds."""
    for policy in grace_policies.policies_of(session, incident):
        if policy.state in STANDING and policy.mode is GraceMode.FOLLOWS_INCIDENT:
            policy.mode, policy.min_until = GraceMode.FIXED, policy.published_until
    session.flush()


def acknowledge(
    session: Session,
    actor: Actor,
    policy: GracePolicy,
    *,
    system: str,
    revision: int,
    held: int | None = None,
    suspended_in_error: int | None = None,
    now: datetime,
) -> GraceAcknowledgement:
    """A dunning system says which revision it applies, and how many lines it holds or has suspended in error."""
    actor.require(Permission.GRACE_EDIT)
    system = check_system(system)
    if not 1 <= revision <= policy.revision or policy.published_until is None:
        raise RuleError(
            "grace.unknown_revision",
            f"revision: {revision} is not published; the newest is {policy.revision}.",
            "revision",
        )
    counts = {"held": held, "suspended_in_error": suspended_in_error}
    for name, count in counts.items():
        if count is not None and count < 0:
            raise RuleError("grace.bad_count", f"{name}: {count} is no count. Give 0 or more.", name)
    query = select(GraceAcknowledgement).where(
        GraceAcknowledgement.policy_id == policy.id,
        GraceAcknowledgement.system == system,
        GraceAcknowledgement.revision == revision,
    )
    row = session.scalar(query) or GraceAcknowledgement(policy_id=policy.id, revision=revision, system=system)
    row.at, row.actor, row.held, row.suspended_in_error = now, actor.name, held, suspended_in_error
    session.add(row)
    session.flush()
    detail: audit.Detail = {"revision": revision, "held": held, "suspended_in_error": suspended_in_error}
    audit.record(session, actor, "grace.acknowledged", "grace_policy", policy.public_id, now, detail)
    return row


def _evaluate(session: Session, actor: Actor, policy: GracePolicy, incident: Incident, now: datetime) -> bool:
    if policy.state in (GraceState.DRAFT, GraceState.REVOKED):
        return False
    facts = GraceFacts(incident.state, incident.resolved_at, policy.state)
    result = evaluate(grace_policies.terms(policy, now), facts, policy.published_until, now)
    if result.cause is None:
        return False
    _write(session, actor, policy, result, result.cause, now)
    return True


def _write(
    session: Session, actor: Actor, policy: GracePolicy, result: Evaluation, cause: GraceCause, now: datetime
) -> None:
    if result.until is None:
        raise RuleError("grace.nothing_promised", "policy: it has promised nothing yet.", "policy")
    old = policy.published_until
    policy.revision = policy.revision + 1 if old is not None else 1
    policy.state, policy.published_until = result.state, result.until
    session.flush()
    row = GraceLedger(
        policy_id=policy.id,
        revision=policy.revision,
        at=now,
        actor=actor.name,
        cause=cause.value,
        state=result.state,
        old_until=old,
        new_until=result.until,
    )
    session.add(row)
    detail: audit.Detail = {"revision": policy.revision, "until": result.until.isoformat(), "state": result.state.value}
    detail[ledger_seal.SEAL] = ledger_seal.seal(policy.public_id, row)
    audit.record(session, actor, f"grace.{cause.value}", "grace_policy", policy.public_id, now, detail)
    page.bump(session)


def _lock(session: Session, policy: GracePolicy) -> None:
    session.refresh(policy, with_for_update=True)


def _revocation_asked_by(session: Session, policy: GracePolicy) -> int | None:
    query = select(AuditEntry.actor_id).where(
        AuditEntry.entity == "grace_policy",
        AuditEntry.entity_id == policy.public_id,
        AuditEntry.action == _REVOCATION_ASKED,
    )
    name = session.scalar(query.order_by(AuditEntry.id.desc()).limit(1))
    return None if name is None else grace_policies.person(session, name)
