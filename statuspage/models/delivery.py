"""The outbox: one row for each person, channel and campaign, and what became of it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, SmallInteger, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from statuspage.models.base import Base, Id

_PENDING = text("state = 'pending'")
_IN_HAND = text("state IN ('claimed', 'sending')")
_UNKNOWN = text("state = 'unknown'")


class Delivery(Base):
    """`reason` says why in a word of `domain.delivery.Reason` whenever the state is not the plain course of things.

    `address` becomes NULL when the person is erased; `address_hash` stays ("none:<contact id>" where none was).
    `dedupe` is empty, or tells apart messages to one address within a standing campaign (confirmations).
    `not_before` of a pending one is when it may go; of an unknown one, and of an SMS that the provider took and told
    nothing final of, when the provider is asked about it next.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("campaign_id", "channel", "address_hash", "dedupe"),
        Index(
            "ix_delivery_pending",
            "campaign_id",
            "channel",
            "not_before",
            "id",
            sqlite_where=_PENDING,
            postgresql_where=_PENDING,
        ),
        Index(
            "ix_delivery_in_hand",
            "lease_until",
            sqlite_where=_IN_HAND,
            postgresql_where=_IN_HAND,
        ),
        Index("ix_delivery_unknown", "not_before", sqlite_where=_UNKNOWN, postgresql_where=_UNKNOWN),
        Index(
            "ix_delivery_provider",
            "provider_id",
            sqlite_where=text("provider_id IS NOT NULL"),
            postgresql_where=text("provider_id IS NOT NULL"),
        ),
    )

    id: Mapped[Id]
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id"))
    channel: Mapped[str] = mapped_column(String(10))
    contact_id: Mapped[int]
    address: Mapped[str | None] = mapped_column(String(254))
    address_hash: Mapped[str] = mapped_column(String(40))
    dedupe: Mapped[str] = mapped_column(String(40), default="", server_default="")
    locale: Mapped[str] = mapped_column(String(10))
    time_zone: Mapped[str] = mapped_column(String(60))
    state: Mapped[str] = mapped_column(String(12))
    reason: Mapped[str | None] = mapped_column(String(40))
    attempt: Mapped[int] = mapped_column(SmallInteger, default=0, server_default="0")
    not_before: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    owner: Mapped[str | None] = mapped_column(String(40))
    provider: Mapped[str | None] = mapped_column(String(20))
    provider_id: Mapped[str | None] = mapped_column(String(80))
    segments: Mapped[int | None] = mapped_column(SmallInteger)
    error_code: Mapped[str | None] = mapped_column(String(20))
    sending_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    final_at: Mapped[datetime | None]


class Attempt(Base):
    """An attempt that did not end in the provider's acceptance, kept because the delivery goes on to the next."""

    __tablename__ = "attempt"
    __table_args__ = (UniqueConstraint("delivery_id", "attempt"),)

    id: Mapped[Id]
    delivery_id: Mapped[int] = mapped_column(ForeignKey("delivery.id"))
    attempt: Mapped[int] = mapped_column(SmallInteger)
    at: Mapped[datetime]
    outcome: Mapped[str] = mapped_column(String(12))
    """retry, failed, unknown or resent (an unknown one sent again under the campaign's declared policy)."""
    reason: Mapped[str] = mapped_column(String(40))
    error_code: Mapped[str | None] = mapped_column(String(20))
    provider: Mapped[str | None] = mapped_column(String(20))


class Receipt(Base):
    """The inbox of providers' callbacks.

    Stored first, answered, applied later by rank. Late, doubled and unmatched ones are harmless.
    """

    __tablename__ = "receipt"
    __table_args__ = (
        UniqueConstraint("provider", "provider_id", "status", "part"),
        Index(
            "ix_receipt_waiting",
            "received_at",
            sqlite_where=text("applied_at IS NULL"),
            postgresql_where=text("applied_at IS NULL"),
        ),
    )

    id: Mapped[Id]
    provider: Mapped[str] = mapped_column(String(20))
    provider_id: Mapped[str] = mapped_column(String(80))
    status: Mapped[str] = mapped_column(String(20))
    part: Mapped[int] = mapped_column(SmallInteger, default=0)
    state: Mapped[str] = mapped_column(String(12))
    reason: Mapped[str | None] = mapped_column(String(40))
    delivery_id: Mapped[int | None]
    attempt: Mapped[int | None] = mapped_column(SmallInteger)
    error_code: Mapped[str | None] = mapped_column(String(20))
    received_at: Mapped[datetime]
    applied_at: Mapped[datetime | None]
    effect: Mapped[str | None] = mapped_column(String(20))
    """applied, late (its rank is not higher), unmatched, foreign (about another message than the delivery's)."""


class Inbound(Base):
    """A word a subscriber sent us (STOP, START, HELP): which, and the hash of who. Never the text."""

    __tablename__ = "inbound"
    __table_args__ = (UniqueConstraint("provider", "provider_id"),)

    id: Mapped[Id]
    provider: Mapped[str] = mapped_column(String(20))
    provider_id: Mapped[str] = mapped_column(String(80))
    channel: Mapped[str] = mapped_column(String(10))
    word: Mapped[str] = mapped_column(String(10))
    address_hash: Mapped[str] = mapped_column(String(32))
    received_at: Mapped[datetime]
