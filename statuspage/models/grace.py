"""Grace policies: the promise that nobody is suspended for non-payment, and the ledger of what was promised when."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from statuspage.domain.grace import GraceMode, GraceState
from statuspage.models.base import Base, Id, Mapping, PublicId, Strings
from statuspage.models.types import Named


class GracePolicy(Base):
    """A policy of an incident, or a default one (`incident_id` None) approved by two people in peacetime.

    Text rows ("grace_policy", id): title, not_covered. `published_until` is the exclusive end last promised
    and never falls.
    """

    __tablename__ = "grace_policy"

    id: Mapped[Id]
    public_id: Mapped[PublicId]
    key: Mapped[str | None] = mapped_column(String(40), unique=True)
    """Only of a default policy, for the incident templates to name it by."""
    incident_id: Mapped[int | None] = mapped_column(ForeignKey("incident.id"), index=True)
    default_id: Mapped[int | None] = mapped_column(ForeignKey("grace_policy.id"))
    """The default policy this one was opened from."""
    revision: Mapped[int] = mapped_column(default=1)
    state: Mapped[GraceState] = mapped_column(Named(GraceState))
    mode: Mapped[GraceMode] = mapped_column(Named(GraceMode))
    segments: Mapped[Strings]
    regions: Mapped[Strings]
    excluded: Mapped[Strings]
    actions: Mapped[Strings]
    starts_at: Mapped[datetime | None]
    min_until: Mapped[datetime | None]
    rolling_hours: Mapped[int]
    tail_days: Mapped[int]
    time_zone: Mapped[str] = mapped_column(String(60))
    hard_cap_days: Mapped[int]
    cap_exceeded_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    """The second person who agreed to go past the hard cap."""
    release: Mapped[Mapping]
    legal_basis: Mapped[str | None] = mapped_column(Text)
    published_until: Mapped[datetime | None]
    author_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    approved_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    approved_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)
    __mapper_args__ = {"version_id_col": version}


class GraceLedger(Base):
    """What was promised, when, by whom and why. Append-only: a trigger refuses change and deletion."""

    __tablename__ = "grace_ledger"
    __table_args__ = (UniqueConstraint("policy_id", "revision"),)

    id: Mapped[Id]
    policy_id: Mapped[int] = mapped_column(ForeignKey("grace_policy.id"))
    revision: Mapped[int]
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(60))
    cause: Mapped[str] = mapped_column(String(20))
    """declared, tick, extended, restored, resolved, reopened, released or revoked."""
    state: Mapped[GraceState] = mapped_column(Named(GraceState))
    old_until: Mapped[datetime | None]
    new_until: Mapped[datetime]


class GraceAcknowledgement(Base):
    """A dunning system says which revision it applies."""

    __tablename__ = "grace_acknowledgement"
    __table_args__ = (UniqueConstraint("policy_id", "system", "revision"),)

    id: Mapped[Id]
    policy_id: Mapped[int] = mapped_column(ForeignKey("grace_policy.id"))
    revision: Mapped[int]
    system: Mapped[str] = mapped_column(String(60))
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(60))
    held: Mapped[int | None]
    suspended_in_error: Mapped[int | None]


class GraceInquiry(Base):
    """When a dunning system last asked whether a line is to be held: one row for each, kept to the minute."""

    __tablename__ = "grace_inquiry"

    asker: Mapped[str] = mapped_column(String(60), primary_key=True)
    """The system's name."""
    at: Mapped[datetime]
