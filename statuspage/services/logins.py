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
from statuspage.services.guesses import Tried

LIFETIME = timedelta(hours=12)
"""A shift; after it the password is asked again."""

IDLE = timedelta(hours=4)
SEEN_EVERY = timedelta(minutes=5)


@dataclass(frozen=True)
class LoggedIn:
    """A person and the log-in he came by."""

    user: User
    login: LoginSession


@dataclass(frozen=True)
class Attempt:
    """A try at a log-in, counted already. Between `begin` and `finish` its password is looked at, in no transaction:
    that costs 50 ms, for which nobody else could write."""

    user_id: int | None
    password_hash: str | None
    tried: Tried | None
    """None: the address has to wait."""
    loopback: bool

    def matches(self, password: str) -> bool:
        """Whether it is the right one; costs the same whether there is such a person, and whether he has to wait."""
        if self.password_hash is None or self.tried is None:
            passwords.waste_time(password)
            return False
        return passwords.matches(self.password_hash, password[: passwords.MAXIMUM_LENGTH])


def begin(session: Session, email: str, *, network: str, loopback: bool, now: datetime, spent: bool = False) -> Attempt:
    """Count a try at the account of `email`. The caller commits, asks `matches` and hands the answer to `finish`.

    `loopback` says whether the request came from this host, `spent` whether its address has no more tries.
    """
    address = email.strip().lower()
    tried = guesses.count(session, address, network, loopback=loopback, spent=spent, now=now)
    user = session.scalar(select(User).where(User.email == address, User.disabled_at.is_(None)))
    if user is None:
        return Attempt(None, None, tried, loopback)
    return Attempt(user.id, user.password_hash, tried, loopback)


def finish(session: Session, attempt: Attempt, *, matched: bool, now: datetime) -> User | None:
    """Who may log in, else None: unknown, wrong, too many wrong ones from this network or from strangers to the
    account, disabled, another password since `begin`, or a first password from elsewhere. What is none of the
    guesser's doing is given back; the rest stays counted, so the caller commits in either case."""
    if attempt.tried is None:
        return None
    user = _unchanged(session, attempt)
    if user is not None and matched and (attempt.loopback or not user.must_change_password):
        attempt.tried.forgive(session, now)
        return user
    failures, strangers = attempt.tried.give_back(session, now) if matched else attempt.tried.miss(session, now)
    if user is not None:
        detail: audit.Detail = {"failures": failures, "from_strangers": strangers}
        audit.record(session, of_user(user), "user.login_refused", "user", user.public_id, now, detail)
    return None


def _unchanged(session: Session, attempt: Attempt) -> User | None:
    """The person as at `begin`, held until the log-in stands, so that no new password lets an old one's log-in live."""
    query = select(User).where(
        User.id == attempt.user_id, User.password_hash == attempt.password_hash, User.disabled_at.is_(None)
    )
    return session.scalar(query.with_for_update().execution_options(populate_existing=True))


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
