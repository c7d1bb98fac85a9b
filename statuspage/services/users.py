"""People who work with the console: make them, change their role and password, shut them out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage.domain.errors import NotFound, RuleError
from statuspage.domain.roles import ROLES, Permission
from statuspage.models import User
from statuspage.services import audit, guesses, logins, passwords
from statuspage.services.actor import Actor


def find_user(session: Session, email: str) -> User:
    """By e-mail address, in any case. Raises NotFound."""
    user = session.scalar(select(User).where(User.email == _normalised(email)))
    if user is None:
        raise NotFound(
            "user.not_found", "email: nobody has this address. `statuspage user list` names everybody.", "email"
        )
    return user


def get_user(session: Session, public_id: str) -> User:
    """By public id. Raises NotFound."""
    user = session.scalar(select(User).where(User.public_id == public_id))
    if user is None:
        raise NotFound("user.not_found", f"user: there is nobody with the id {public_id}.", "user")
    return user


def list_users(session: Session) -> list[User]:
    return list(session.scalars(select(User).order_by(User.email)))


def who_may(session: Session, permission: Permission, *, keep: int | None = None) -> list[User]:
    """Who is not shut out and holds `permission`, by name: whom to offer where somebody is to act. `keep` is the row of
    a person who is named already and stays in the list, whatever became of the role."""
    roles = [role for role, granted in ROLES.items() if permission in granted]
    able = User.role.in_(roles) & User.disabled_at.is_(None)
    query = select(User).where(able if keep is None else able | (User.id == keep))
    return list(session.scalars(query.order_by(User.name, User.id)))


def add_user(
    session: Session, actor: Actor, *, email: str, role: str, name: str = "", locale: str = "ru", now: datetime
) -> tuple[User, str]:
    """Make a person and return the first password: random, shown once, kept as a hash, to be changed on this host."""
    actor.require(Permission.USER_EDIT)
    address = _checked_address(email)
    _check_role(role)
    if session.scalar(select(User.id).where(User.email == address)) is not None:
        raise RuleError("user.exists", "email: somebody already has this address. Give another one.", "email")
    password = passwords.generate()
    user = User(
        email=address,
        name=(name.strip() or address.partition("@")[0])[:120],
        role=role,
        locale=locale,
        password_hash=passwords.hash_of(password),
        must_change_password=True,
        created_at=now,
    )
    session.add(user)
    session.flush()
    audit.record(session, actor, "user.added", "user", user.public_id, now, {"role": role})
    return user, password


@dataclass(frozen=True)
class NewPassword:
    """What somebody who knows his password makes of it: the hash it had, and the one it gets."""

    replaces: str
    password_hash: str


def new_password(user: User, current: str, new: str) -> NewPassword:
    """Check both and hash the new one, in no transaction: that costs 100 ms, for which nobody else could write."""
    if not passwords.matches(user.password_hash, current):
        raise _wrong_password()
    if current == new:
        raise RuleError("user.same_password", "password: it is the one you have. Choose another one.", "password")
    passwords.check(new, user.email)
    return NewPassword(user.password_hash, passwords.hash_of(new))


def change_password(session: Session, actor: Actor, user: User, new: NewPassword, *, now: datetime) -> None:
    """A person changes his own password; every log-in of his ends, so that a stolen one does too."""
    if actor.kind != "user" or actor.id != user.id:
        raise RuleError(
            "user.not_own_password", "Only the person himself changes a password; others can reset it.", "password"
        )
    if user.password_hash != new.replaces:
        raise _wrong_password()  # somebody gave another one meanwhile
    user.password_hash, user.must_change_password = new.password_hash, False
    logins.end_all(session, user, now=now)
    audit.record(session, actor, "user.password_changed", "user", user.public_id, now)


def reset_password(session: Session, actor: Actor, user: User, *, now: datetime) -> str:
    """Give a new random password, to be changed on this host; every log-in of the person ends."""
    actor.require(Permission.USER_EDIT)
    password = passwords.generate()
    user.password_hash, user.must_change_password = passwords.hash_of(password), True
    guesses.forget(session, user.email)
    logins.end_all(session, user, now=now)
    audit.record(session, actor, "user.password_reset", "user", user.public_id, now)
    return password


def set_role(session: Session, actor: Actor, user: User, role: str, *, now: datetime) -> None:
    actor.require(Permission.USER_EDIT)
    _check_role(role)
    _check_not_self(actor, user)
    old, user.role = user.role, role
    session.flush()
    audit.record(session, actor, "user.role_set", "user", user.public_id, now, {"old": old, "new": role})


def choose_locale(session: Session, actor: Actor, user: User, locale: str, *, now: datetime) -> None:
    """The language that the console speaks to this person from the next log-in on, too."""
    old, user.locale = user.locale, locale
    session.flush()
    audit.record(session, actor, "user.locale_set", "user", user.public_id, now, {"old": old, "new": locale})


def disable_user(session: Session, actor: Actor, user: User, *, now: datetime) -> None:
    """Shut a person out at once. The row stays, because the audit names it."""
    actor.require(Permission.USER_EDIT)
    _check_not_self(actor, user)
    user.disabled_at = now
    logins.end_all(session, user, now=now)
    audit.record(session, actor, "user.disabled", "user", user.public_id, now)


def enable_user(session: Session, actor: Actor, user: User, *, now: datetime) -> None:
    actor.require(Permission.USER_EDIT)
    user.disabled_at = None
    session.flush()
    audit.record(session, actor, "user.enabled", "user", user.public_id, now)


def _wrong_password() -> RuleError:
    return RuleError("user.wrong_password", "current password: it is not the right one. Type it again.", "current")


def _normalised(email: str) -> str:
    return email.strip().lower()


def _checked_address(email: str) -> str:
    address = _normalised(email)
    local, at, domain = address.rpartition("@")
    if not (local and at and domain) or len(address) > 254 or any(one.isspace() or ord(one) < 32 for one in address):
        raise RuleError("user.bad_email", "email: this is no address. Write it as name@host.", "email")
    return address


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise RuleError(
            "user.unknown_role", f"role: {role!r} is none. The roles are: {', '.join(sorted(ROLES))}.", "role"
        )


def _check_not_self(actor: Actor, user: User) -> None:
    # Whoever shuts himself out at three in the morning cannot mend it.
    if actor.kind == "user" and actor.id == user.id:
        raise RuleError("user.self", "user: this is yourself. Ask another administrator.", "user")
