"""Which campaigns of an incident one person released alone: what is capped together, shown, and looked at later."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Select, select

from statuspage.domain.campaign import CampaignState
from statuspage.models import Campaign


def released_alone(incident_ids: Collection[int | None]) -> Select[Campaign]:
    """All of them, by incident row id, but for those that were cancelled before they started: they went to nobody."""
    return select(Campaign).where(
        Campaign.incident_id.in_(incident_ids),
        Campaign.break_glass_reason.is_not(None),
        (Campaign.state != CampaignState.CANCELLED) | Campaign.started_at.is_not(None),
    )
