"""The same request twice has one effect."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from statuspage.models.base import Base


class IdempotencyKey(Base):
    """What a request with this key did the first time. `request_hash` tells a repeat from a different request."""

    __tablename__ = "idempotency_key"

    scope: Mapped[str] = mapped_column(String(60), primary_key=True)
    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64))
    result_id: Mapped[str] = mapped_column(String(40))
    created_at: Mapped[datetime]
