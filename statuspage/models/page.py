"""The published snapshot: revisions and their content-addressed blobs."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import LargeBinary, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from statuspage.models.base import Base, Mapping


class PageState(Base):
    """One row.

    Verbs raise `wanted`; the publisher renders until `published` has caught up, and again at `boundary_at`.
    """

    __tablename__ = "page_state"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    public_id: Mapped[str] = mapped_column(String(12))
    """The page's id in the v2 JSON."""
    wanted: Mapped[int] = mapped_column(default=1)
    published: Mapped[int] = mapped_column(default=0)
    """The value of `wanted` that the newest revision shows."""
    revision: Mapped[int] = mapped_column(default=0)
    published_at: Mapped[datetime | None]
    boundary_at: Mapped[datetime | None]
    lease_owner: Mapped[str | None] = mapped_column(String(60))
    lease_until: Mapped[datetime | None]


class PageRevision(Base):
    """A manifest: path → {sha256, headers}."""

    __tablename__ = "page_revision"

    revision: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    manifest: Mapped[Mapping]
    incidents: Mapped[Mapping]
    """Public ids of the incidents this revision tells, and each one's gaps of the content checklist: evidence."""
    published_at: Mapped[datetime]
    as_of: Mapped[datetime]


class Blob(Base):
    """Bytes by their SHA-256, plain and compressed."""

    __tablename__ = "blob"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    gzip: Mapped[bytes | None] = mapped_column(LargeBinary)
    brotli: Mapped[bytes | None] = mapped_column(LargeBinary)
    stored_at: Mapped[datetime]
