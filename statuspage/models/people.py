"""Accounts, lines and contacts are three different things: who pays, what is switched off, who is told."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import (
    BigInteger,
    Boolean,
    Date,
    ForeignKey,
    Index,
    SmallInteger,
    String,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from statuspage.models.base import Base, Id, Mapping

FOREVER = 2**31 - 1
"""`valid_to` of a row that no later generation has replaced."""


class Account(Base):
    """Who pays, by the operator's own account number."""

    __tablename__ = "account"

    id: Mapped[Id]
    external_id: Mapped[str] = mapped_column(String(64), unique=True)


class Contact(Base):
    """Who is told: a person with a language and addresses. `account_id` None: signed up on the page.

        Visible while valid_from <= current generation < valid_to (see `Installation.generation`); a sign-up is valid
    from 0 on.
    The hashes are keyed (`services.addresses`) and outlive the erasure of the addresses themselves.
    """

    __tablename__ = "contact"
    __table_args__ = (Index(None, "sms_hash"), Index(None, "email_hash"))

    id: Mapped[Id]
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    language: Mapped[str] = mapped_column(String(10))
    sms: Mapped[str | None] = mapped_column(String(16))
    sms_hash: Mapped[str | None] = mapped_column(String(32))
    email: Mapped[str | None] = mapped_column(String(254))
    email_hash: Mapped[str | None] = mapped_column(String(32))
    valid_from: Mapped[int] = mapped_column(default=0)
    valid_to: Mapped[int] = mapped_column(default=FOREVER)
    erased_at: Mapped[datetime | None]


class Line(Base):
    """What is switched off: a number or a SIM of an account. `key` is its MSISDN or else its ICCID.

    One row a generation; the live one has `valid_to` = FOREVER. Whom to tell is `contact_id`, never the line itself.
    """

    __tablename__ = "line"
    __table_args__ = (
        Index(None, "account_id", "key"),
        Index(None, "contact_id"),
        Index(None, "key"),
        Index(
            "ix_line_iccid",
            "iccid",
            sqlite_where=text("iccid IS NOT NULL"),
            postgresql_where=text("iccid IS NOT NULL"),
        ),
        Index(
            "ix_line_replaced",
            "valid_to",
            sqlite_where=text(f"valid_to < {FOREVER}"),
            postgresql_where=text(f"valid_to < {FOREVER}"),
        ),
    )

    id: Mapped[Id]
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"))
    key: Mapped[str] = mapped_column(String(22))
    msisdn: Mapped[str | None] = mapped_column(String(16))
    iccid: Mapped[str | None] = mapped_column(String(22))
    segment_id: Mapped[int] = mapped_column(ForeignKey("segment.id"))
    region_id: Mapped[int] = mapped_column(ForeignKey("region.id"))
    time_zone: Mapped[str | None] = mapped_column(String(60))
    """Only when it differs from the region's."""
    balance: Mapped[Decimal | None]
    currency: Mapped[str | None] = mapped_column(String(3))
    paid_until: Mapped[date | None] = mapped_column(Date)
    valid_from: Mapped[int]
    valid_to: Mapped[int] = mapped_column(default=FOREVER)


class Subscription(Base):
    """What a contact gets, by which channel, on which legal basis.

    `topic` is "service" (notices about the line one pays for) or "page" (signed up on the status page).
    `state`: pending (double opt-in), active, refused (the file said 0), ended.
    """

    __tablename__ = "subscription"
    __table_args__ = (Index(None, "contact_id", "channel", "topic", unique=True),)

    id: Mapped[Id]
    public_id: Mapped[str | None] = mapped_column(String(12), unique=True)
    """Only for sign-ups, which have a manage link."""
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"))
    channel: Mapped[str] = mapped_column(String(10))
    topic: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(10))
    basis: Mapped[str] = mapped_column(String(10))
    source: Mapped[str] = mapped_column(String(20))
    at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class Suppression(Base):
    """An address that is not to be used, by its keyed hash only, so that it survives erasure and every new import."""

    __tablename__ = "suppression"

    channel: Mapped[str] = mapped_column(String(10), primary_key=True)
    address_hash: Mapped[str] = mapped_column(String(32), primary_key=True)
    reason: Mapped[str] = mapped_column(String(30))
    """A value of `domain.consent.SuppressionReason`."""
    source: Mapped[str] = mapped_column(String(20))
    at: Mapped[datetime]


class PeopleImport(Base):
    """One run over a subscriber file.

    Its rows carry `generation` and are seen by nobody until it becomes the current one.
    """

    __tablename__ = "people_import"

    id: Mapped[Id]
    public_id: Mapped[str] = mapped_column(String(12), unique=True)
    generation: Mapped[int] = mapped_column(unique=True)
    state: Mapped[str] = mapped_column(String(12))
    """running, visible, failed, abandoned or dry_run. How it stands now: `services.people_import_book.standing`."""
    actor: Mapped[str] = mapped_column(String(60))
    file_name: Mapped[str] = mapped_column(String(200))
    bytes_total: Mapped[int] = mapped_column(BigInteger)
    bytes_read: Mapped[int] = mapped_column(BigInteger, default=0)
    rows_accepted: Mapped[int] = mapped_column(default=0)
    rows_refused: Mapped[int] = mapped_column(default=0)
    rows_duplicate: Mapped[int] = mapped_column(default=0)
    refused_path: Mapped[str | None] = mapped_column(String(300))
    refused_expires_at: Mapped[datetime | None]
    started_at: Mapped[datetime]
    heartbeat_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    purged: Mapped[bool] = mapped_column(Boolean, default=False)
    """The rows this generation replaced are gone."""


class Installation(Base):
    """One row: facts of this installation that all processes must agree on."""

    __tablename__ = "installation"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    address_key_check: Mapped[str] = mapped_column(String(64))
    """Fingerprint of the key behind address hashes: another key would forget every opt-out, so start is refused."""
    generation: Mapped[int] = mapped_column(default=0)
    settings_in_force: Mapped[Mapping] = mapped_column(server_default="{}")
    """What the page is made with, by setting; {} until a process has served."""
    created_at: Mapped[datetime]
