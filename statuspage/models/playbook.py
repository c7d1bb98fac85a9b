"""The mitigation table: the operator's current version, and each incident's copy."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from statuspage.models.base import Base, Id


class PlaybookMeasure(Base):
    """A row of the operator's table.

    Text rows ("playbook_measure", id): measure. Shipped ones keep the key of `domain.playbook`.
    """

    __tablename__ = "playbook_measure"

    id: Mapped[Id]
    key: Mapped[str] = mapped_column(String(40), unique=True)
    position: Mapped[int]
    source_row: Mapped[str] = mapped_column(String(40))
    owner: Mapped[str] = mapped_column(String(40))
    due_minutes: Mapped[int | None]
    """After declaration; None when the shipped rule says something else (after resolving, each cadence)."""
    revision: Mapped[int] = mapped_column(default=1)
    retired_at: Mapped[datetime | None]


class PlaybookRow(Base):
    """An incident's copy of a measure.

    Where evidence can be derived it is; else a named person ticks it with a note.
    """

    __tablename__ = "playbook_row"
    __table_args__ = (UniqueConstraint("incident_id", "key"),)

    id: Mapped[Id]
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"))
    measure_id: Mapped[int] = mapped_column(ForeignKey("playbook_measure.id"))
    key: Mapped[str] = mapped_column(String(40))
    position: Mapped[int]
    measure_revision: Mapped[int]
    due_minutes: Mapped[int | None]
    proved_at: Mapped[datetime | None]
    """When the evidence was first seen to hold."""
    ticked_at: Mapped[datetime | None]
    ticked_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    note: Mapped[str | None] = mapped_column(Text)
    not_needed_reason: Mapped[str | None] = mapped_column(Text)
    """Why the row does not apply; set together with `ticked_by`."""
