"""The incident record and its updates."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from statuspage.domain.component import ComponentState
from statuspage.domain.incident import CauseCategory, IncidentState, Publication
from statuspage.models.base import Base, Id, PublicId, Strings
from statuspage.models.types import Named


class Incident(Base):
    """Text rows ("incident", id): title. State and publication are apart: a draft has a state too.

    Empty `segments` or `regions` means all. `expected_end_at` None means "unknown", which is said in those words.
    """

    __tablename__ = "incident"
    __table_args__ = (Index(None, "publication", "state"),)

    id: Mapped[Id]
    public_id: Mapped[PublicId]
    state: Mapped[IncidentState] = mapped_column(Named(IncidentState))
    publication: Mapped[Publication] = mapped_column(Named(Publication))
    duplicate_of_id: Mapped[int | None] = mapped_column(ForeignKey("incident.id"))
    cause: Mapped[CauseCategory] = mapped_column(Named(CauseCategory))
    template_id: Mapped[int | None] = mapped_column(ForeignKey("incident_template.id"))
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    """Who owns the repair."""
    profile: Mapped[str] = mapped_column(String(40))
    """Clock profile, `domain.clocks`."""
    segments: Mapped[Strings]
    regions: Mapped[Strings]
    not_affected: Mapped[Strings]
    started_at: Mapped[datetime] = mapped_column(index=True)
    declared_at: Mapped[datetime]
    published_at: Mapped[datetime | None]
    expected_end_at: Mapped[datetime | None]
    next_update_at: Mapped[datetime | None]
    credited_by_at: Mapped[datetime | None]
    """Payments made during the outage are credited by then, as the operator promises."""
    restored_at: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    crediting_verified_at: Mapped[datetime | None]
    crediting_verified_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    payments_queued: Mapped[int | None]
    payments_credited: Mapped[int | None]
    payments_duplicated: Mapped[int | None]
    drill: Mapped[bool] = mapped_column(default=False)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    __mapper_args__ = {"version_id_col": version}


class IncidentComponent(Base):
    """A component this incident touches: the worst that was said of it, which the history shows, and what holds now."""

    __tablename__ = "incident_component"

    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), primary_key=True)
    component_id: Mapped[int] = mapped_column(ForeignKey("component.id"), primary_key=True, index=True)
    state: Mapped[ComponentState] = mapped_column(Named(ComponentState))
    current: Mapped[ComponentState] = mapped_column(Named(ComponentState))
    """As the incident's newest update has it; the component itself shows the worst of all open incidents."""


class IncidentUpdate(Base):
    """One update.

    Text rows ("incident_update", id): body. `at` is what readers see and may be back-dated; `created_at` is true.
    """

    __tablename__ = "incident_update"
    __table_args__ = (Index(None, "incident_id", "at"),)

    id: Mapped[Id]
    public_id: Mapped[PublicId]
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"))
    state: Mapped[IncidentState] = mapped_column(Named(IncidentState))
    at: Mapped[datetime]
    author_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    expected_end_at: Mapped[datetime | None]
    next_update_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
