"""Regions of the operator with their own time zones, and segments of its subscribers."""

from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from statuspage.models.base import Base, Id


class Region(Base):
    """Named in text rows ("region", id, "name"). `time_zone` is an IANA name; quiet hours follow it."""

    __tablename__ = "region"

    id: Mapped[Id]
    key: Mapped[str] = mapped_column(String(40), unique=True)
    time_zone: Mapped[str] = mapped_column(String(60))
    position: Mapped[int] = mapped_column(default=0)


class Segment(Base):
    """A kind of line: prepaid, postpaid, business, pos_m2m, roamers. Named in text rows ("segment", id, "name")."""

    __tablename__ = "segment"

    id: Mapped[Id]
    key: Mapped[str] = mapped_column(String(40), unique=True)
    machine: Mapped[bool] = mapped_column(default=False)
    """True for lines whose own number nobody reads (a terminal's data SIM): only their contact is told."""
    position: Mapped[int] = mapped_column(default=0)
