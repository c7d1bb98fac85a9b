"""Text that people write, one row a locale, so that an outdated translation is seen to be outdated."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from statuspage.models.base import Base, Id


class LocalizedText(Base):
    """`body` of (entity, entity_id, field) in `locale`.

    `revision` counts this row's own changes. `source_locale` is the locale it was translated from (its own when it is
    the source) and `source_revision` the source's revision then: lower than the source's now means outdated.
    """

    __tablename__ = "localized_text"
    __table_args__ = (UniqueConstraint("entity", "entity_id", "field", "locale"),)

    id: Mapped[Id]
    entity: Mapped[str] = mapped_column(String(40))
    entity_id: Mapped[int]
    field: Mapped[str] = mapped_column(String(60))
    locale: Mapped[str] = mapped_column(String(10))
    body: Mapped[str] = mapped_column(Text)
    revision: Mapped[int] = mapped_column(default=1)
    source_locale: Mapped[str] = mapped_column(String(10))
    source_revision: Mapped[int] = mapped_column(default=1)
    updated_at: Mapped[datetime]
