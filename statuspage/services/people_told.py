"""What one person was told about the incidents that people call about now."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from notifiers.base import Channel
from statuspage.domain.incident import ENDED, Publication
from statuspage.models import Campaign, Delivery, GracePolicy, Incident
from statuspage.services.grace import STANDING
from statuspage.services.people_found import Case

MOST = 50


@dataclass(frozen=True)
class Notice:
    """One message to this person, whatever became of it."""

    incident: Incident
    campaign: Campaign
    delivery: Delivery


def current_incidents(session: Session) -> list[Incident]:
    """The published ones that are open, or whose promise still stands; the newest first."""
    promising = select(GracePolicy.incident_id).where(GracePolicy.state.in_(STANDING))
    query = select(Incident).where(
        Incident.publication == Publication.PUBLISHED,
        or_(Incident.state.not_in(ENDED), Incident.id.in_(promising)),
    )
    return list(session.scalars(query.order_by(Incident.started_at.desc(), Incident.id.desc())))


def concerns(incident: Incident, cases: Collection[Case]) -> bool:
    """Whether it may concern the person: one of the lines is of its segments and regions; who has none on file and
    signed up on the page is told of all."""
    lines = [line for case in cases for standing in case.standings for line in standing.lines]
    return not lines or any(
        (not incident.segments or line.segment in incident.segments)
        and (not incident.regions or line.region in incident.regions)
        for line in lines
    )


def notices(session: Session, incidents: Collection[Incident], hashes: Collection[str]) -> list[Notice]:
    """The newest MOST messages about `incidents` to the addresses with these keyed hashes."""
    query = (
        select(Campaign, Delivery)
        .join(Delivery, Delivery.campaign_id == Campaign.id)
        .where(
            Campaign.incident_id.in_([one.id for one in incidents]),
            # With the channel, so that the outbox's unique index is used and millions of deliveries are not read.
            Delivery.channel.in_([channel.value for channel in Channel]),
            Delivery.address_hash.in_(hashes),
        )
        .order_by(Delivery.id.desc())
        .limit(MOST)
    )
    by_id = {one.id: one for one in incidents}
    return [
        Notice(by_id[campaign.incident_id], campaign, delivery)
        for campaign, delivery in session.execute(query)
        if campaign.incident_id is not None
    ]
