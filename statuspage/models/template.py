"""What is prepared in peacetime: incident templates and message templates."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from statuspage.domain.incident import CauseCategory
from statuspage.models.base import Base, Id, Mapping, PublicId, Strings
from statuspage.models.types import Named


class IncidentTemplate(Base):
    """Text rows ("incident_template", id): title, and `update.<state>` for each state's first words."""

    __tablename__ = "incident_template"

    id: Mapped[Id]
    public_id: Mapped[PublicId]
    key: Mapped[str] = mapped_column(String(60), unique=True)
    cause: Mapped[CauseCategory] = mapped_column(Named(CauseCategory))
    components: Mapped[Mapping]
    """component key → state."""
    segments: Mapped[Strings]
    regions: Mapped[Strings]
    not_affected: Mapped[Strings]
    """component keys; an emergency one is offered, never ticked."""
    grace_key: Mapped[str | None] = mapped_column(String(40))
    """The default policy, approved in peacetime, that opens with the incident."""
    position: Mapped[int] = mapped_column(default=0)


class MessageTemplate(Base):
    """Text rows ("message_template", id): sms, subject, mail.

    `purpose` is outage, security, merchants, end or merchants_end.
    """

    __tablename__ = "message_template"

    id: Mapped[Id]
    public_id: Mapped[PublicId]
    key: Mapped[str] = mapped_column(String(60), unique=True)
    purpose: Mapped[str] = mapped_column(String(20))
    audience: Mapped[str] = mapped_column(String(500), default="")
    """The audience expression a campaign drafted from it begins with; the incident's scope is added."""
    updated_at: Mapped[datetime]
