"""Campaigns and the counters that their progress is read from."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from statuspage.domain.campaign import CampaignKind, CampaignState
from statuspage.models.base import Base, Id, Mapping, PublicId, Strings
from statuspage.models.types import BigId, Named


class Campaign(Base):
    """One message to one audience. Text rows ("campaign", id): sms, subject, mail; the incident's values are filled in.

        Expansion walks lines in order of id up to `expand_until` (frozen at the start); `expand_cursor` is the last
    line done.
    """

    __tablename__ = "campaign"
    __table_args__ = (Index(None, "state", "priority"),)

    id: Mapped[Id]
    public_id: Mapped[PublicId]
    incident_id: Mapped[int | None] = mapped_column(ForeignKey("incident.id"), index=True)
    told_by_id: Mapped[int | None] = mapped_column(ForeignKey("campaign.id"))
    """For an end notice: only those whom that campaign reached are told."""
    kind: Mapped[CampaignKind] = mapped_column(Named(CampaignKind))
    purpose: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(120))
    state: Mapped[CampaignState] = mapped_column(Named(CampaignState))
    priority: Mapped[int]
    channels: Mapped[Strings]
    audience: Mapped[str] = mapped_column(String(500))
    basis: Mapped[str] = mapped_column(String(10))
    validity_seconds: Mapped[int]
    """How long after its start a message may be handed over, quiet hours aside, and a provider go on trying: an old
    outage notice is worse than none."""
    resend_unknown: Mapped[Strings]
    """Channels in which an `unknown` delivery is sent again (default: e-mail, with the same Message-ID)."""
    estimated: Mapped[Mapping]
    """The preview that was approved: recipients, segments and cost by channel and locale."""
    cost_ceiling: Mapped[Decimal | None]
    currency: Mapped[str | None] = mapped_column(String(3))
    content_hash: Mapped[str | None] = mapped_column(String(64))
    author_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    counted_at: Mapped[datetime | None]
    """When the people were counted that the approver saw; who signed up on the page later is not told."""
    approved_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    approved_at: Mapped[datetime | None]
    approved_hash: Mapped[str | None] = mapped_column(String(64))
    break_glass_reason: Mapped[str | None] = mapped_column(Text)
    quiet_override_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    """The second person who lets its SMS out in quiet hours; part of what is approved."""
    pause_reason: Mapped[str | None] = mapped_column(String(60))
    scheduled_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    first_accepted_at: Mapped[datetime | None]
    generation: Mapped[int | None]
    """The import whose people were counted: those, and of no later one, are told."""
    expand_cursor: Mapped[int] = mapped_column(BigId, default=0)
    expand_until: Mapped[int | None] = mapped_column(BigId)
    expanded_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)
    """Raised by every edit; the engine's own progress does not touch it."""


class CampaignCount(Base):
    """How many deliveries are in a state, moved by each batch and never counted anew on the way."""

    __tablename__ = "campaign_count"

    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id"), primary_key=True)
    channel: Mapped[str] = mapped_column(String(10), primary_key=True)
    state: Mapped[str] = mapped_column(String(20), primary_key=True)
    reason: Mapped[str] = mapped_column(String(40), primary_key=True, default="")
    n: Mapped[int] = mapped_column(default=0)
