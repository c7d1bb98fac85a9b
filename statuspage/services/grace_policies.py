"""Grace policies at rest: their terms, the default ones made in peacetime, and their approval by a second person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage.domain.errors import NotFound, RuleError
from statuspage.domain.grace import (
    GraceAction,
    GraceExclusion,
    GraceMode,
    GraceState,
    PolicyTerms,
    Release,
    ReleaseMode,
    check_terms,
    check_two_people,
)
from statuspage.domain.roles import Permission
from statuspage.models import GraceAcknowledgement, GraceLedger, GracePolicy, Incident, User
from statuspage.services import audit, reference, texts
from statuspage.services.actor import Actor
from statuspage.services.texts import Texts

SOURCE = "ru"


@dataclass(frozen=True)
class PolicyDraft:
    """What a person writes down for a policy. Empty `regions` means all; days are those of the operator's calendar."""

    title: Texts
    not_covered: Texts
    segments: tuple[str, ...]
    time_zone: str
    regions: tuple[str, ...] = ()
    actions: tuple[GraceAction, ...] = (GraceAction.NO_SUSPEND,)
    excluded: tuple[GraceExclusion, ...] = tuple(GraceExclusion)
    mode: GraceMode = GraceMode.FOLLOWS_INCIDENT
    min_until: datetime | None = None
    rolling_hours: int = 48
    tail_days: int = 3
    hard_cap_days: int = 14
    release: Release = field(default_factory=Release)
    legal_basis: str | None = None


def get_policy(session: Session, public_id: str) -> GracePolicy:
    """Raises NotFound."""
    policy = session.scalar(select(GracePolicy).where(GracePolicy.public_id == public_id))
    if policy is None:
        raise NotFound("grace.not_found", f"policy: there is none with the id {public_id!r}.", "policy")
    return policy


def default_policy(session: Session, key: str) -> GracePolicy:
    """A default policy by its key. Raises NotFound naming those that exist."""
    policy = session.scalar(select(GracePolicy).where(GracePolicy.key == key))
    if policy is None:
        known = ", ".join(session.scalars(select(GracePolicy.key).where(GracePolicy.key.is_not(None)))) or "none"
        raise NotFound("grace.unknown_default", f"grace: {key!r} is no default policy. There are: {known}.", "grace")
    return policy


def default_policies(session: Session) -> list[GracePolicy]:
    return list(session.scalars(select(GracePolicy).where(GracePolicy.key.is_not(None)).order_by(GracePolicy.key)))


def policies_of(session: Session, incident: Incident) -> list[GracePolicy]:
    """The incident's own policies, the oldest first."""
    query = select(GracePolicy).where(GracePolicy.incident_id == incident.id)
    return list(session.scalars(query.order_by(GracePolicy.id)))


def ledger(session: Session, policy: GracePolicy) -> list[GraceLedger]:
    """What was promised when, in order."""
    return list(
        session.scalars(select(GraceLedger).where(GraceLedger.policy_id == policy.id).order_by(GraceLedger.revision))
    )


def acknowledgements(session: Session, policy: GracePolicy) -> list[GraceAcknowledgement]:
    """Which system applies which revision, the newest first."""
    query = select(GraceAcknowledgement).where(GraceAcknowledgement.policy_id == policy.id)
    return list(session.scalars(query.order_by(GraceAcknowledgement.at.desc(), GraceAcknowledgement.id.desc())))


def terms(policy: GracePolicy, starts_at: datetime) -> PolicyTerms:
    """The policy as the rule reads it. `starts_at` stands in for a default policy, which has none."""
    release: Mapping[str, object] = policy.release or {}
    return PolicyTerms(
        starts_at=policy.starts_at or starts_at,
        zone=ZoneInfo(policy.time_zone),
        segments=frozenset(policy.segments),
        actions=frozenset(GraceAction(one) for one in policy.actions),
        excluded=frozenset(GraceExclusion(one) for one in policy.excluded),
        mode=policy.mode,
        min_until=policy.min_until,
        rolling_hours=policy.rolling_hours,
        tail_days=policy.tail_days,
        hard_cap_days=policy.hard_cap_days,
        cap_lifted=policy.cap_exceeded_by is not None,
        release=Release(
            ReleaseMode(str(release.get("mode", ReleaseMode.AT_ONCE))), int(str(release.get("percent_per_hour", 100)))
        ),
    )


def put_default(session: Session, actor: Actor, key: str, draft: PolicyDraft, *, now: datetime) -> GracePolicy:
    """Make a default policy or change it; a change of its terms needs the second person's approval anew."""
    actor.require(Permission.GRACE_EDIT)
    policy = session.scalar(select(GracePolicy).where(GracePolicy.key == key))
    if policy is None:
        policy = GracePolicy(key=key, state=GraceState.DRAFT, created_at=now, author_id=actor.id)
    if _fill(session, policy, draft, now):
        policy.author_id, policy.approved_by, policy.approved_at = actor.id, None, None
    _write_texts(session, policy, draft, now)
    audit.record(session, actor, "grace.default_put", "grace_policy", policy.public_id, now)
    return policy


def draft_for_incident(
    session: Session, actor: Actor, incident: Incident, draft: PolicyDraft, *, now: datetime
) -> GracePolicy:
    """A policy of the incident's own, apart from the default; it promises nothing until a second person approves it."""
    actor.require(Permission.GRACE_EDIT)
    policy = GracePolicy(
        incident_id=incident.id,
        state=GraceState.DRAFT,
        created_at=now,
        author_id=actor.id,
        starts_at=incident.started_at,
    )
    _fill(session, policy, draft, now)
    _write_texts(session, policy, draft, now)
    audit.record(session, actor, "grace.drafted", "grace_policy", policy.public_id, now)
    return policy


def approve(session: Session, actor: Actor, policy: GracePolicy, *, now: datetime) -> None:
    """The second person agrees to the terms. Approving twice changes nothing."""
    actor.require(Permission.GRACE_APPROVE)
    if policy.approved_at is not None:
        return
    if actor.id is None:
        raise RuleError("grace.no_person", "approved_by: a person has to approve, by his own log-in.", "approved_by")
    if policy.author_id is not None:
        check_two_people(policy.author_id, actor.id, "approving a grace policy")
    policy.approved_by, policy.approved_at = actor.id, now
    session.flush()
    audit.record(session, actor, "grace.approved", "grace_policy", policy.public_id, now)


def copy_for_incident(
    session: Session, actor: Actor, incident: Incident, default: GracePolicy, now: datetime
) -> GracePolicy:
    """The incident's own copy of a default policy, narrowed to the incident's segments and regions."""
    policy = GracePolicy(
        incident_id=incident.id,
        default_id=default.id,
        state=GraceState.DRAFT,
        mode=default.mode,
        segments=_narrowed(default.segments, incident.segments),
        regions=_narrowed(default.regions, incident.regions) if default.regions else list(incident.regions),
        excluded=list(default.excluded),
        actions=list(default.actions),
        starts_at=incident.started_at,
        rolling_hours=default.rolling_hours,
        tail_days=default.tail_days,
        time_zone=default.time_zone,
        hard_cap_days=default.hard_cap_days,
        release=dict(default.release),
        legal_basis=default.legal_basis,
        author_id=actor.id,
        approved_by=default.approved_by,
        approved_at=default.approved_at,
        created_at=now,
    )
    session.add(policy)
    session.flush()
    for (_, name), wording in texts.read(session, "grace_policy", [default.id]).items():
        texts.write(session, "grace_policy", policy.id, name, wording.bodies, wording.source, now)
    return policy


def person(session: Session, public_id: str) -> int | None:
    """The row of the user with this public id: audit entries name people by it."""
    return session.scalar(select(User.id).where(User.public_id == public_id))


def _narrowed(covered: list[str], affected: list[str]) -> list[str]:
    return [one for one in covered if one in affected] if affected else list(covered)


def _fill(session: Session, policy: GracePolicy, draft: PolicyDraft, now: datetime) -> bool:
    """Write the terms; whether any of them changed."""
    reference.check_keys(session, draft.segments, draft.regions)
    values: dict[str, object] = {
        "mode": draft.mode,
        "segments": list(draft.segments),
        "regions": list(draft.regions),
        "excluded": [one.value for one in draft.excluded],
        "actions": [one.value for one in draft.actions],
        "min_until": draft.min_until,
        "rolling_hours": draft.rolling_hours,
        "tail_days": draft.tail_days,
        "time_zone": draft.time_zone,
        "hard_cap_days": draft.hard_cap_days,
        "release": {"mode": draft.release.mode.value, "percent_per_hour": draft.release.percent_per_hour},
        "legal_basis": draft.legal_basis,
    }
    changed = [name for name, value in values.items() if getattr(policy, name) != value]
    for name in changed:
        setattr(policy, name, values[name])
    check_terms(terms(policy, now))
    session.add(policy)
    session.flush()
    return bool(changed)


def _write_texts(session: Session, policy: GracePolicy, draft: PolicyDraft, now: datetime) -> None:
    for name, bodies in (("title", draft.title), ("not_covered", draft.not_covered)):
        if bodies:
            texts.write(session, "grace_policy", policy.id, name, bodies, SOURCE, now)
