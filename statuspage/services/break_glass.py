"""Campaigns that one person released alone, and the second person who looked at them afterwards."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage.domain.campaign import check_approver
from statuspage.domain.errors import NotAllowed, RuleError
from statuspage.models import AuditEntry, Campaign, User
from statuspage.services import alone, approval, audit
from statuspage.services.actor import Actor

RELEASED, REVIEWED = "campaign.break_glass", "campaign.break_glass_reviewed"
"""The audit actions that say so; a release after a review is one that nobody has reviewed yet."""


@dataclass(frozen=True)
class ReleasedAlone:
    """`by` and `reviewed_by` are names where a person acted, else what it was that acted; None: not reviewed yet.
    `by_id` is the actor as the audit knows it."""

    campaign: Campaign
    by_id: str
    by: str
    at: datetime
    reviewed_by: str | None = None
    reviewed_at: datetime | None = None

    @property
    def messages(self) -> int:
        """As counted when it was released."""
        return int(self.campaign.estimated.get("recipients", 0))


def released_alone(session: Session, incident_ids: Collection[int]) -> dict[int, tuple[ReleasedAlone, ...]]:
    """incident row id → its campaigns that one person released, the earliest first."""
    query = alone.released_alone(incident_ids).order_by(Campaign.approved_at, Campaign.id)
    found: dict[int, tuple[ReleasedAlone, ...]] = {}
    for one in _told(session, session.scalars(query).all()):
        if one.campaign.incident_id is not None:
            found[one.campaign.incident_id] = (*found.get(one.campaign.incident_id, ()), one)
    return found


def review(session: Session, actor: Actor, campaign: Campaign, *, now: datetime) -> None:
    """A second person says that he has looked at what one released alone: neither who did so nor an author of it."""
    reviewer = approval.check_person(session, actor, "reviewer")
    if campaign.break_glass_reason is None:
        raise RuleError("campaign.not_alone", "campaign: nobody has released it alone, so there is nothing to review.")
    (released,) = _told(session, [campaign])
    if released.reviewed_by is not None:
        raise RuleError("campaign.reviewed_already", f"campaign: {released.reviewed_by} has looked at it already.")
    if released.by_id == actor.name:
        raise NotAllowed("campaign.own_release", "reviewer: you released this campaign. Ask another person to look.")
    check_approver(approval.authors(session, campaign), reviewer)
    audit.record(session, actor, REVIEWED, "campaign", campaign.public_id, now, {"messages": released.messages})


def _told(session: Session, campaigns: Sequence[Campaign]) -> list[ReleasedAlone]:
    """In their order; the audit is asked once for all."""
    query = (
        select(AuditEntry, User.name)
        .outerjoin(User, User.public_id == AuditEntry.actor_id)
        .where(AuditEntry.entity == "campaign", AuditEntry.entity_id.in_([one.public_id for one in campaigns]))
        .where(AuditEntry.action.in_((RELEASED, REVIEWED)))
        .order_by(AuditEntry.id)
    )
    acts: dict[str, list[tuple[AuditEntry, str]]] = {one.public_id: [] for one in campaigns}
    for entry, name in session.execute(query) if campaigns else ():
        acts[entry.entity_id].append((entry, name or entry.actor_id))
    return [_newest(one, acts[one.public_id]) for one in campaigns]


def _newest(campaign: Campaign, acts: Sequence[tuple[AuditEntry, str]]) -> ReleasedAlone:
    """Its last release, and whether anybody has looked at it since."""
    place = max(place for place, (entry, _) in enumerate(acts) if entry.action == RELEASED)
    released, name = acts[place]
    if len(acts) == place + 1:
        return ReleasedAlone(campaign, released.actor_id, name, released.at)
    reviewed, reviewer = acts[place + 1]
    return ReleasedAlone(campaign, released.actor_id, name, released.at, reviewer, reviewed.at)
