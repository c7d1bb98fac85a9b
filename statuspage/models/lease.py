"""Leases: who may do a thing that only one process may do at a time."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from statuspage.models.base import Base


class Lease(Base):
    """`epoch` rises with each new holder: a holder that slept past its lease sees that it is no longer its own."""

    __tablename__ = "lease"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    owner: Mapped[str] = mapped_column(String(60))
    epoch: Mapped[int] = mapped_column(default=1)
    until: Mapped[datetime]
