"""How many people something touches, said beside every button that is not easily taken back."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from statuspage.domain.campaign import CampaignKind
from statuspage.domain.delivery import DeliveryState
from statuspage.models import Campaign, CampaignCount, Incident, Installation, Line, Region, Segment

TOLD = frozenset({DeliveryState.ACCEPTED, DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.UNKNOWN})


def lines_within(session: Session, segments: Collection[str], regions: Collection[str]) -> int:
    """Live lines of the segments in the regions; an empty collection means all."""
    query = (
        select(func.count())
        .select_from(Line)
        .join(Installation, (Line.valid_from <= Installation.generation) & (Line.valid_to > Installation.generation))
    )
    if segments:
        query = query.where(Line.segment_id.in_(select(Segment.id).where(Segment.key.in_(segments))))
    if regions:
        query = query.where(Line.region_id.in_(select(Region.id).where(Region.key.in_(regions))))
    return session.scalar(query) or 0


def waiting(session: Session, incident: Incident) -> int:
    """Messages about the outage that are not handed over yet: the restoration cancels them."""
    return _sum(session, incident, (DeliveryState.PENDING,))


def told(session: Session, incident: Incident) -> int:
    """Messages about the outage that went out, or may have: whoever got one is told of the end."""
    return _sum(session, incident, TOLD)


def _sum(session: Session, incident: Incident, states: Collection[DeliveryState]) -> int:
    query = (
        select(func.sum(CampaignCount.n))
        .join(Campaign, Campaign.id == CampaignCount.campaign_id)
        .where(
            Campaign.incident_id == incident.id,
            Campaign.kind == CampaignKind.INCIDENT_NOTICE,
            CampaignCount.state.in_([state.value for state in states]),
        )
    )
    return session.scalar(query) or 0
