"""Log-ins: check a password, keep the session on the server, end it. Every refusal looks the same from outside."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from statuspage.models import LoginSession, User
from statuspage.services import audit, guesses, passwords
from statuspage.services.actor import of_user

LIFETIME = timedelta(hours=12)
"""A shift; after it the password is asked again."""

IDLE = timedelta(hours=4)
SEEN_EVERY = timedelta(minutes=5)


@dataclass(frozen=True)
class LoggedIn:
    """A person and the log-in he came by."""

    user: User
    login: LoginSession


def verify_password(
    session: Session, email: str, password: str, *, network: str, loopback: bool, now: datetime
) -> User | None:
    """Whose password this is, else None: unknown, wrong, too many wrong ones from `network` or from strangers to the
    account, disabled, or a first password from elsewhere.

    A failure is counted, so the caller commits in either case. `loopback` says whether the request came from this host.
    """
    address = email.strip().lower()
    tried = guesses.take(session, address, network, loopback=loopback, now=now)
    user = session.scalar(select(User).where(User.email == address, User.disabled_at.is_(None)))
    waits = tried.waits(now)
    if user is None or waits:
        passwords.waste_time(password)
        if not waits:
            tried.miss(session, now)
        return None
    right = passwords.matches(user.password_hash, password[: passwords.MAXIMUM_LENGTH])
    if right and (loopback or not user.must_change_password):
        tried.forgive(session, now)
        return user
    if not right:
        tried.miss(session, now)
    strangers = 0 if tried.strangers is None else tried.strangers.failures
    detail: audit.Detail = {"failures": tried.here.failures, "from_strangers": strangers}
    audit.record(session, of_user(user), "user.login_refused", "user", user.public_id, now, detail)
    return None


def open_login(session: Session, user: User, *, now: datetime) -> str:
    """Begin a log-in and return its token, which only the cookie keeps; the row has its hash."""
    token = secrets.token_urlsafe(32)
    session.add(
        LoginSession(token_hash=_hash(token), user_id=user.id, created_at=now, seen_at=now, expires_at=now + LIFETIME)
    )
    session.flush()
    audit.record(session, of_user(user), "user.logged_in", "user", user.public_id, now)
    return token


def look_up(session: Session, token: str, *, now: datetime) -> LoggedIn | None:
    """Who holds `token`; None when it ended, expired, lay idle too long, or its person is disabled. Writes nothing."""
    query = select(LoginSession, User).join(User, User.id == LoginSession.user_id)
    row = session.execute(query.where(LoginSession.token_hash == _hash(token))).one_or_none()
    if row is None:
        return None
    login, user = row
    ended = login.ended_at is not None or login.expires_at <= now or login.seen_at + IDLE <= now
    return None if ended or user.disabled_at is not None else LoggedIn(user, login)


def due_for_touch(login: LoginSession, *, now: datetime) -> bool:
    """Whether the row has to learn that its person is still there; seldom, so that reading a page stays reading."""
    return login.seen_at + SEEN_EVERY <= now


def touch(session: Session, login_id: int, *, now: datetime) -> None:
    session.execute(update(LoginSession).where(LoginSession.id == login_id).values(seen_at=now))


def end_login(session: Session, token: str, *, now: datetime) -> None:
    """Log out. Doing it twice, or with a token nobody has, changes nothing."""
    held = look_up(session, token, now=now)
    if held is None:
        return
    held.login.ended_at = now
    session.flush()
    audit.record(session, of_user(held.user), "user.logged_out", "user", held.user.public_id, now)


def end_all(session: Session, user: User, *, now: datetime) -> None:
    """End every log-in of `user`; the verb that needs it writes the audit row."""
    open_ones = (LoginSession.user_id == user.id) & (LoginSession.ended_at.is_(None))
    session.flush()
    session.execute(update(LoginSession).where(open_ones).values(ended_at=now))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
