"""Which campaigns have told people of an incident before: whoever writes to them again should know it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage.domain.campaign import CampaignKind, CampaignState
from statuspage.domain.delivery import REACHED, DeliveryState
from statuspage.models import Campaign
from statuspage.services import counts


@dataclass(frozen=True)
class Earlier:
    """A campaign that was started, and its messages that were handed over or still will be."""

    campaign: Campaign
    messages: int


def earlier_notices(session: Session, campaign: Campaign) -> tuple[Earlier, ...]:
    """Other notices of the same incident that have told somebody or are about to, oldest first; none for an end notice,
    which follows one."""
    if campaign.kind is not CampaignKind.INCIDENT_NOTICE or campaign.incident_id is None:
        return ()
    query = select(Campaign).where(
        Campaign.incident_id == campaign.incident_id,
        Campaign.kind == CampaignKind.INCIDENT_NOTICE,
        Campaign.id != campaign.id,
        Campaign.started_at.is_not(None),
    )
    if campaign.started_at is not None:
        query = query.where(Campaign.started_at < campaign.started_at)
    found = [Earlier(one, _messages(session, one)) for one in session.scalars(query.order_by(Campaign.started_at))]
    return tuple(one for one in found if one.messages)


def _messages(session: Session, campaign: Campaign) -> int:
    waiting = () if campaign.state is CampaignState.CANCELLED else (DeliveryState.PENDING,)
    return counts.total(counts.read(session, campaign.id), *REACHED, *waiting)
