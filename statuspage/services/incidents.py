"""Declare an incident, find incidents, and keep the facts of one."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage.domain.component import ComponentState
from statuspage.domain.errors import NotFound, RuleError, check_all
from statuspage.domain.incident import OPEN, CauseCategory, IncidentState, Publication
from statuspage.domain.publication import check_not_affected
from statuspage.domain.roles import ROLES, Permission
from statuspage.models import Incident, IncidentTemplate, User
from statuspage.services import (
    audit,
    campaign_course,
    components,
    grace,
    grace_policies,
    idempotency,
    page,
    playbook,
    reference,
    texts,
    updates,
    wording,
    words,
)
from statuspage.services.actor import Actor
from statuspage.services.texts import Texts
from statuspage.services.updates import KEEP, Keep, NewUpdate

_SCOPE = "incident.declare"

LONGEST_BACK = timedelta(days=730)
"""An older start is a slip of the pen; the history goes back two years."""


@dataclass(frozen=True)
class Declaration:
    """All that is said when an incident is declared; `templates.declaration` prefills one.

    Empty `segments` or `regions` means all. `expected_end_at` None is said as "unknown". `started_at` None is now.
    `grace_key` names a default policy approved in peacetime; None opens none.
    """

    title: Texts
    body: Texts
    source_locale: str
    components: Mapping[str, ComponentState]
    cause: CauseCategory = CauseCategory.UNKNOWN
    state: IncidentState = IncidentState.INVESTIGATING
    publication: Publication = Publication.PUBLISHED
    segments: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    not_affected: tuple[str, ...] = ()
    started_at: datetime | None = None
    expected_end_at: datetime | None = None
    next_update_at: datetime | None = None
    owner: str | None = None
    """Public id of the person who owns the repair."""
    profile: str = "default_billing"
    template: str | None = None
    grace_key: str | None = None


@dataclass(frozen=True)
class Facts:
    """What can be set right about an incident apart from its updates; KEEP leaves it."""

    cause: CauseCategory | Keep = KEEP
    started_at: datetime | Keep = KEEP
    segments: tuple[str, ...] | Keep = KEEP
    regions: tuple[str, ...] | Keep = KEEP
    not_affected: tuple[str, ...] | Keep = KEEP
    expected_end_at: datetime | Keep | None = KEEP
    next_update_at: datetime | Keep | None = KEEP
    credited_by_at: datetime | Keep | None = KEEP


def get_incident(session: Session, public_id: str) -> Incident:
    """Raises NotFound."""
    incident = session.scalar(select(Incident).where(Incident.public_id == public_id))
    if incident is None:
        raise NotFound("incident.not_found", f"incident: there is none with the id {public_id!r}.", "incident")
    return incident


def list_incidents(session: Session, *, open_only: bool = False, limit: int = 100) -> list[Incident]:
    """Newest first; `open_only` leaves out what is resolved, withdrawn or a duplicate."""
    query = select(Incident).order_by(Incident.started_at.desc(), Incident.id.desc()).limit(limit)
    if open_only:
        gone = (Publication.WITHDRAWN, Publication.DUPLICATE)
        query = query.where(Incident.state.in_(OPEN), Incident.publication.not_in(gone))
    return list(session.scalars(query))


def titles(session: Session, incidents: list[Incident]) -> dict[int, texts.Wording]:
    """incident row id → title."""
    found = texts.read(session, "incident", [one.id for one in incidents])
    return {entity_id: wording for (entity_id, name), wording in found.items() if name == "title"}


def lock(session: Session, incident: Incident) -> Incident:
    """Read the row anew and hold it to the end of the transaction, so that two verbs on one incident queue up."""
    session.refresh(incident, with_for_update=True)
    return incident


def check_editable(incident: Incident) -> None:
    """What was withdrawn or turned out to be another incident is closed for good."""
    if incident.publication in (Publication.WITHDRAWN, Publication.DUPLICATE):
        raise RuleError(
            "incident.not_editable",
            f"publication: the incident is {incident.publication}. Write to the one that replaced it, or declare anew.",
            "publication",
        )


def declare_incident(
    session: Session,
    actor: Actor,
    declaration: Declaration,
    *,
    idempotency_key: str | None = None,
    request: str | None = None,
    now: datetime,
) -> Incident:
    """Open an incident with its first update, components, playbook and grace policy, in one transaction.

    The same `idempotency_key` gives the incident of the first time back. `request` is what was asked under it, where
    `declaration` also holds what the moment of asking filled in. Raises RuleError naming the field.
    """
    actor.require(Permission.INCIDENT_EDIT)
    if declaration.publication is Publication.PUBLISHED:
        actor.require(Permission.INCIDENT_PUBLISH)
    if request is None:
        request = json.dumps(dataclasses.asdict(declaration), default=str, sort_keys=True)
    if idempotency_key is not None:
        earlier = idempotency.earlier_result(session, _SCOPE, idempotency_key, request)
        if earlier is not None:
            return get_incident(session, earlier)
    check_declaration(session, actor, declaration, now)
    incident = _insert(session, actor, declaration, now)
    _say_first(session, actor, incident, declaration, now)
    playbook.copy_into(session, incident)
    audit.record(session, actor, "incident.declared", "incident", incident.public_id, now, _detail(declaration))
    if declaration.grace_key is not None:
        grace.open_for_incident(session, actor, incident, declaration.grace_key, now=now)
    if idempotency_key is not None:
        idempotency.remember(session, _SCOPE, idempotency_key, request, incident.public_id, now)
    if incident.publication is Publication.PUBLISHED:
        page.bump(session)
    return incident


def set_owner(session: Session, actor: Actor, incident: Incident, owner: str | None, *, now: datetime) -> None:
    """Name the person who owns the repair, by public id."""
    actor.require(Permission.INCIDENT_EDIT)
    lock(session, incident)
    incident.owner_id = _owner_id(session, owner)  # no reader sees it, so `updated_at` stays
    session.flush()
    audit.record(session, actor, "incident.owner_set", "incident", incident.public_id, now, {"owner": owner})


def set_facts(session: Session, actor: Actor, incident: Incident, facts: Facts, *, now: datetime) -> None:
    """Set facts right; on a published incident the public sees it at once."""
    actor.require(Permission.INCIDENT_EDIT)
    lock(session, incident)
    check_editable(incident)
    public = incident.publication is Publication.PUBLISHED
    if public:
        actor.require(Permission.INCIDENT_PUBLISH)
    changed = {
        one.name: getattr(facts, one.name)
        for one in dataclasses.fields(facts)
        if not isinstance(getattr(facts, one.name), Keep)
    }
    _check_facts(session, actor, incident, changed, now)
    cause = incident.cause
    for name, value in changed.items():
        setattr(incident, name, list(value) if isinstance(value, tuple) else value)
    if public:
        words.check_public(session, actor, incident, words.all_said(session, incident), now)
        page.bump(session)
    if incident.cause is CauseCategory.SECURITY is not cause:
        campaign_course.pause_for_words(session, incident, now=now)
    incident.updated_at = now
    session.flush()
    detail: audit.Detail = {"fields": sorted(changed)}
    if incident.cause is not cause:
        detail |= {"cause": incident.cause.value, "cause_was": cause.value}
    audit.record(session, actor, "incident.facts_set", "incident", incident.public_id, now, detail)


def check_declaration(session: Session, actor: Actor, declaration: Declaration, now: datetime) -> None:
    """Raise every reason at once why `declaration` cannot be made now; nothing when it can."""
    source = declaration.source_locale
    check_all(
        (
            lambda: wording.titles(declaration.title, source),
            lambda: wording.checked(declaration.body, source, "body", wording.BODY_LENGTH),
            lambda: _check_beginning(declaration),
            lambda: _check_start(declaration.started_at, now),
            lambda: updates.check_ahead(declaration.next_update_at, "next_update_at", now),
            lambda: updates.check_ahead(declaration.expected_end_at, "expected_end_at", now),
            lambda: _check_components(session, declaration.components),
            lambda: _check_not_affected(session, actor, declaration.not_affected, declaration.components),
            lambda: reference.check_keys(session, declaration.segments, ()),
            lambda: reference.check_keys(session, (), declaration.regions),
            lambda: _owner_id(session, declaration.owner),
            lambda: _template_id(session, declaration.template),
            lambda: declaration.grace_key is None or grace_policies.default_policy(session, declaration.grace_key),
        )
    )


def _check_beginning(declaration: Declaration) -> None:
    if declaration.publication not in (Publication.DRAFT, Publication.PUBLISHED):
        raise RuleError(
            "incident.bad_publication",
            f"publication: {declaration.publication} is no beginning. Use draft or published.",
            "publication",
        )
    if declaration.state not in OPEN:
        raise RuleError(
            "incident.bad_state",
            f"state: an incident does not begin as {declaration.state}. Use an open state.",
            "state",
        )


def _check_components(session: Session, affected: Mapping[str, ComponentState]) -> None:
    if not affected:
        raise RuleError("incident.no_components", "components: name at least one that does not work.", "components")
    components.by_key(session, affected)


def _insert(session: Session, actor: Actor, declaration: Declaration, now: datetime) -> Incident:
    incident = Incident(
        state=declaration.state,
        publication=declaration.publication,
        cause=declaration.cause,
        template_id=_template_id(session, declaration.template),
        owner_id=actor.id if declaration.owner is None else _owner_id(session, declaration.owner),
        profile=declaration.profile,
        segments=list(declaration.segments),
        regions=list(declaration.regions),
        not_affected=list(declaration.not_affected),
        started_at=declaration.started_at or now,
        declared_at=now,
        published_at=now if declaration.publication is Publication.PUBLISHED else None,
        expected_end_at=declaration.expected_end_at,
        next_update_at=declaration.next_update_at,
        created_at=now,
        updated_at=now,
    )
    session.add(incident)
    session.flush()
    return incident


def _say_first(session: Session, actor: Actor, incident: Incident, declaration: Declaration, now: datetime) -> None:
    source = declaration.source_locale
    title = wording.titles(declaration.title, source)
    if incident.publication is Publication.PUBLISHED:
        words.check_public(session, actor, incident, [title], now)
    texts.write(session, "incident", incident.id, "title", title, source, now)
    update = updates.write(session, actor, incident, NewUpdate(declaration.state, declaration.body, source), now)
    components.say(session, incident, declaration.components)
    components.apply(session, incident, update.id, incident.started_at, now)


def _check_facts(
    session: Session, actor: Actor, incident: Incident, changed: Mapping[str, object], now: datetime
) -> None:
    checks: list[Callable[[], object]] = []
    for name, value in changed.items():
        if isinstance(value, datetime) and name == "started_at":
            checks.append(partial(_check_new_start, session, incident, value, now))
        elif isinstance(value, datetime):
            checks.append(partial(updates.check_ahead, value, name, now))
        elif isinstance(value, CauseCategory):
            checks.append(partial(words.check_cause, actor, incident, value))
        elif isinstance(value, tuple) and name == "not_affected":
            affected = components.states_of(session, incident)
            checks.append(partial(_check_not_affected, session, actor, value, affected))
        elif isinstance(value, tuple):
            given = {"segments": (), "regions": ()} | {name: value}
            checks.append(partial(reference.check_keys, session, given["segments"], given["regions"]))
    check_all(checks)


def _check_new_start(session: Session, incident: Incident, started_at: datetime, now: datetime) -> None:
    _check_start(started_at, now)
    first = min(point.at for point in updates.points(session, incident))
    if started_at > first:
        raise RuleError(
            "incident.start_after_update",
            f"started_at: {started_at.isoformat()} is after the first update ({first.isoformat()}).",
            "started_at",
        )


def _check_not_affected(
    session: Session, actor: Actor, keys: tuple[str, ...], affected: Mapping[str, ComponentState]
) -> None:
    components.by_key(session, keys, "not_affected")
    check_not_affected(keys, components.emergency_keys(session), by_person=actor.kind == "user")
    both = sorted(set(keys) & set(affected))
    if both:
        raise RuleError(
            "incident.affected_and_not",
            f"not_affected: {', '.join(both)} is also named as affected. Leave it out of one of the two.",
            "not_affected",
        )


def _check_start(started_at: datetime | None, now: datetime) -> None:
    if started_at is not None and started_at > now:
        raise RuleError(
            "incident.start_in_future",
            f"started_at: {started_at.isoformat()} is later than now. Leave it empty for now.",
            "started_at",
        )
    if started_at is not None and started_at < now - LONGEST_BACK:
        raise RuleError(
            "incident.start_too_long_ago",
            f"started_at: {started_at.isoformat()} is more than {LONGEST_BACK.days} days ago. Is the year right?",
            "started_at",
        )


def _template_id(session: Session, key: str | None) -> int | None:
    if key is None:
        return None
    template_id = session.scalar(select(IncidentTemplate.id).where(IncidentTemplate.key == key))
    if template_id is None:
        raise NotFound("template.not_found", f"template: there is none with the key {key!r}.", "template")
    return template_id


def _owner_id(session: Session, public_id: str | None) -> int | None:
    if public_id is None:
        return None
    user = session.scalar(select(User).where(User.public_id == public_id, User.disabled_at.is_(None)))
    if user is None:
        raise RuleError("incident.unknown_owner", f"owner: there is nobody with the id {public_id!r}.", "owner")
    if Permission.INCIDENT_EDIT not in ROLES[user.role]:
        able = ", ".join(role for role, granted in ROLES.items() if Permission.INCIDENT_EDIT in granted)
        raise RuleError(
            "incident.owner_cannot_act",
            f"owner: a person with the role {user.role} cannot work on incidents. Name one of these roles: {able}.",
            "owner",
        )
    return user.id


def _detail(declaration: Declaration) -> audit.Detail:
    return {
        "cause": declaration.cause.value,
        "components": sorted(declaration.components),
        "publication": declaration.publication.value,
        "template": declaration.template,
        "grace": declaration.grace_key,
        "not_affected": sorted(declaration.not_affected),
    }
