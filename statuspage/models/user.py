"""People who work with the console, and their log-ins."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from statuspage.models.base import Base, Id, PublicId


class User(Base):
    """One person of the operator. `role` names a row of `domain.roles.ROLES`."""

    __tablename__ = "user_account"

    id: Mapped[Id]
    public_id: Mapped[PublicId]
    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    role: Mapped[str] = mapped_column(String(40))
    locale: Mapped[str] = mapped_column(String(10))
    password_hash: Mapped[str] = mapped_column(String(255))
    must_change_password: Mapped[bool] = mapped_column(default=False)
    """Set for a password we made: it is valid from the loopback address only, until changed."""
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class LoginFailure(Base):
    """Wrong passwords for one address from one network. The address stands as its SHA-256, and may be nobody's.

    `network` is also "strangers", for all networks without a log-in together, or "known " and a network, for one that
    the right password came from; `last_at` is then when it last did (`services.guesses`).
    """

    __tablename__ = "login_failure"
    __table_args__ = (Index(None, "last_at"),)

    account_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    network: Mapped[str] = mapped_column(String(45), primary_key=True)
    failures: Mapped[int]
    last_at: Mapped[datetime]
    blocked_until: Mapped[datetime | None]


class LoginSession(Base):
    """A log-in kept on the server, so that it can be ended; the cookie holds the token, the row its hash."""

    __tablename__ = "login_session"

    id: Mapped[Id]
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
