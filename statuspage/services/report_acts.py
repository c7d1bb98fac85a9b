"""Who did what in an incident, read from the audit: all entries that belong to it, whatever they stand under."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from statuspage.models import AuditEntry, Campaign, GracePolicy, Incident, Route, User

ROUTE_CHECKS = ("route.state_set", "route.state_forgotten")
_KINDS = {"grace_policy": "grace"}


@dataclass(frozen=True)
class RouteCheck:
    """Somebody said what a way to pay can do; `state` None: the check was taken back. `route` is its key."""

    at: datetime
    actor: str
    route: str
    state: str | None


@dataclass(frozen=True)
class Acts:
    """The entries of one incident, in order. Actors are public ids, or cli, system, public."""

    entries: tuple[AuditEntry, ...]

    def by_kind(self) -> dict[str, int]:
        """How many entries are about the incident itself, its playbook, campaigns, grace and routes."""
        return dict(sorted(Counter(_kind(entry) for entry in self.entries).items()))

    def actor(self, action: str, entity_id: str | None = None) -> str | None:
        """Who did `action` last."""
        found = [one for one in self.entries if one.action == action and entity_id in (None, one.entity_id)]
        return found[-1].actor_id if found else None

    def authors(self) -> dict[str, str]:
        """update's public id → who wrote it; the first one's author declared the incident."""
        return {str(one.detail["update"]): one.actor_id for one in self.entries if one.action == "incident.updated"}


def of(session: Session, incident: Incident, now: datetime) -> Acts:
    """Entries of the incident, its playbook, its campaigns and grace policies, and the checks of routes meanwhile."""
    campaigns = select(Campaign.public_id).where(Campaign.incident_id == incident.id)
    policies = select(GracePolicy.public_id).where(GracePolicy.incident_id == incident.id)
    meanwhile = AuditEntry.at.between(incident.declared_at, incident.resolved_at or now)
    belongs = or_(
        and_(AuditEntry.entity == "incident", AuditEntry.entity_id == incident.public_id),
        and_(AuditEntry.entity == "campaign", AuditEntry.entity_id.in_(campaigns)),
        and_(AuditEntry.entity == "grace_policy", AuditEntry.entity_id.in_(policies)),
        and_(AuditEntry.entity == "route", AuditEntry.action.in_(ROUTE_CHECKS), meanwhile),
    )
    return Acts(tuple(session.scalars(select(AuditEntry).where(belongs).order_by(AuditEntry.id))))


def checks(session: Session, acts: Acts) -> tuple[RouteCheck, ...]:
    """What people and probes saw of the routes, in order."""
    seen: Sequence[AuditEntry] = [one for one in acts.entries if one.action in ROUTE_CHECKS]
    query = select(Route.public_id, Route.key).where(Route.public_id.in_({one.entity_id for one in seen}))
    keys = dict(session.execute(query).all())
    return tuple(
        RouteCheck(one.at, one.actor_id, keys.get(one.entity_id, one.entity_id), one.detail.get("state"))
        for one in seen
    )


def people(session: Session, actors: Iterable[str | None]) -> dict[str, str]:
    """public id → name, of the actors that are persons."""
    query = select(User.public_id, User.name).where(User.public_id.in_({one for one in actors if one is not None}))
    return dict(session.execute(query).all())


def _kind(entry: AuditEntry) -> str:
    return "playbook" if entry.action.startswith("playbook.") else _KINDS.get(entry.entity, entry.entity)
