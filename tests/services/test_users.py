"""People of the console and their log-ins."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage.db import Sessions, transaction
from statuspage.domain.errors import NotAllowed, NotFound, RuleError
from statuspage.domain.roles import Permission
from statuspage.models import AuditEntry, LoginSession, User
from statuspage.services import guesses, logins, passwords, users
from statuspage.services.actor import CLI, of_user
from tests.databases import NOW

EMAIL = "anna@demo.example"
OWN = "a sentence nobody guesses"


def add(session: Session, role: str = "engineer", email: str = EMAIL) -> tuple[User, str]:
    return users.add_user(session, CLI, email=email, role=role, now=NOW)


def verify(
    session: Session,
    password: str,
    *,
    email: str = EMAIL,
    network: str = guesses.HERE,
    loopback: bool = True,
    now: datetime = NOW,
) -> User | None:
    attempt = logins.begin(session, email, network=network, loopback=loopback, now=now)
    return logins.finish(session, attempt, matched=attempt.matches(password), now=now)


def change(session: Session, user: User, current: str, new: str = OWN) -> None:
    users.change_password(session, of_user(user), user, users.new_password(user, current, new), now=NOW)


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are hashed at the least cost: what a hash costs is not what these tests are about."""
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


def test_first_password_is_random_and_kept_as_a_hash(sessions: Sessions) -> None:
    """Two people get two passwords, and neither stands in the database or the audit."""
    with transaction(sessions) as session:
        anna, first = add(session)
        _, second = add(session, email="boris@demo.example")
        details = [str(entry.detail) for entry in session.scalars(select(AuditEntry))]
    assert first != second
    assert len(first) >= 20
    assert anna.password_hash.startswith("$argon2id$")
    assert first not in anna.password_hash
    assert not any(first in detail or EMAIL in detail for detail in details)


@pytest.mark.parametrize(
    ("email", "role", "code"),
    [
        ("anna", "engineer", "user.bad_email"),
        ("an na@demo.example", "engineer", "user.bad_email"),
        (EMAIL, "boss", "user.unknown_role"),
        ("ANNA@demo.example ", "viewer", "user.exists"),
    ],
)
def test_bad_person_is_refused(sessions: Sessions, email: str, role: str, code: str) -> None:
    """An address, a role or a second account that cannot be is refused by its code."""
    with transaction(sessions) as session:
        if code == "user.exists":
            add(session)
        with pytest.raises(RuleError) as refused:
            add(session, role, email)
    assert refused.value.code == code
    assert email.strip() not in refused.value.message or "@" not in email


def test_only_an_administrator_adds_people(sessions: Sessions) -> None:
    """An engineer cannot make himself an approver's log-in."""
    with transaction(sessions) as session:
        engineer, _ = add(session)
        with pytest.raises(NotAllowed):
            users.add_user(session, of_user(engineer), email="x@demo.example", role="approver", now=NOW)


def test_first_password_works_on_this_machine_only(sessions: Sessions) -> None:
    """A password we made opens the door from loopback, from elsewhere only once it was changed."""
    with transaction(sessions) as session:
        user, first = add(session)
        assert verify(session, first, loopback=False) is None
        assert verify(session, first, email=" ANNA@demo.example", loopback=True) is user
        change(session, user, first)
        assert verify(session, OWN, loopback=False) is user


def test_nobody_and_the_disabled_are_refused_alike(sessions: Sessions) -> None:
    """An unknown address and a disabled person get the same answer as a wrong password."""
    with transaction(sessions) as session:
        user, first = add(session)
        users.disable_user(session, CLI, user, now=NOW)
        assert verify(session, first, loopback=True) is None
        assert verify(session, first, email="nobody@demo.example", loopback=True) is None
        users.enable_user(session, CLI, user, now=NOW)
        assert verify(session, first, loopback=True) is user


def test_login_is_kept_by_hash_and_ends(sessions: Sessions) -> None:
    """The token is not in the database; logging out ends it, twice as well as once."""
    with transaction(sessions) as session:
        user, _ = add(session)
        token = logins.open_login(session, user, now=NOW)
        kept = session.scalars(select(LoginSession)).one()
        assert token not in kept.token_hash
        held = logins.look_up(session, token, now=NOW)
        assert held is not None
        assert held.user is user
        logins.end_login(session, token, now=NOW)
        logins.end_login(session, token, now=NOW)
        assert logins.look_up(session, token, now=NOW) is None
        assert logins.look_up(session, "another", now=NOW) is None


def test_login_expires_and_lies_idle(sessions: Sessions) -> None:
    """A log-in ends when nobody used it for hours, and after a shift however much it is used."""
    with transaction(sessions) as session:
        user, _ = add(session)
        token = logins.open_login(session, user, now=NOW)
        assert logins.look_up(session, token, now=NOW + logins.IDLE) is None
        at = NOW
        while at + logins.IDLE < NOW + logins.LIFETIME:
            at += logins.IDLE - timedelta(minutes=1)
            held = logins.look_up(session, token, now=at)
            assert held is not None
            assert logins.due_for_touch(held.login, now=at)
            logins.touch(session, held.login.id, now=at)
            session.expire(held.login)
        assert logins.look_up(session, token, now=NOW + logins.LIFETIME) is None


def test_changing_the_password_ends_every_login(sessions: Sessions) -> None:
    """A stolen log-in does not outlive the password; neither does one of a person shut out."""
    with transaction(sessions) as session:
        user, first = add(session)
        token = logins.open_login(session, user, now=NOW)
        change(session, user, first)
        session.expire_all()
        assert logins.look_up(session, token, now=NOW) is None
        token = logins.open_login(session, user, now=NOW)
        users.disable_user(session, CLI, user, now=NOW)
        session.expire_all()
        assert logins.look_up(session, token, now=NOW) is None


@pytest.mark.parametrize(
    ("new", "code"),
    [("short", "user.password_length"), (EMAIL.upper(), "user.password_is_email"), ("x" * 300, "user.password_length")],
)
def test_weak_password_is_refused(sessions: Sessions, new: str, code: str) -> None:
    """Length decides, and one's own address is no password."""
    with transaction(sessions) as session:
        user, first = add(session)
        with pytest.raises(RuleError) as refused:
            change(session, user, first, new)
        assert refused.value.code == code
        assert new not in refused.value.message


def test_password_is_changed_by_its_owner_who_knows_it(sessions: Sessions) -> None:
    """Neither another person nor somebody who does not know the present one changes a password."""
    with transaction(sessions) as session:
        user, first = add(session)
        other, _ = add(session, "admin", "boris@demo.example")
        for actor, current, code in (
            (of_user(other), first, "user.not_own_password"),
            (of_user(user), "wrong", "user.wrong_password"),
        ):
            with pytest.raises(RuleError) as refused:
                users.change_password(session, actor, user, users.new_password(user, current, OWN), now=NOW)
            assert refused.value.code == code


def test_administrator_resets_and_changes_roles_but_not_his_own(sessions: Sessions) -> None:
    """A reset gives a new first password; nobody shuts himself out or changes his own role."""
    with transaction(sessions) as session:
        user, first = add(session)
        admin = of_user(add(session, "admin", "boris@demo.example")[0])
        again = users.reset_password(session, admin, user, now=NOW)
        assert again != first
        assert verify(session, first, loopback=True) is None
        users.set_role(session, admin, user, "legal", now=NOW)
        assert user.role == "legal"
        himself = users.get_user(session, admin.name)
        with pytest.raises(RuleError, match="yourself"):
            users.set_role(session, admin, himself, "viewer", now=NOW)
        with pytest.raises(RuleError, match="yourself"):
            users.disable_user(session, admin, himself, now=NOW)


def test_only_who_may_act_is_offered(sessions: Sessions) -> None:
    """By name, without the roles that only read and those shut out; whoever is named already stays."""
    with transaction(sessions) as session:
        added = {}
        for role in ("viewer", "call_centre", "legal", "approver", "manager", "engineer"):
            added[role], _ = users.add_user(session, CLI, email=f"{role}@demo.example", role=role, name=role, now=NOW)
        away, _ = add(session)
        users.disable_user(session, CLI, away, now=NOW)
        offered = users.who_may(session, Permission.INCIDENT_EDIT)
        assert [one.name for one in offered] == ["engineer", "manager"]
        kept = users.who_may(session, Permission.INCIDENT_EDIT, keep=added["legal"].id)
        assert [one.name for one in kept] == ["engineer", "legal", "manager"]


def test_unknown_person_is_named_as_such(sessions: Sessions) -> None:
    """Looking for nobody says so."""
    with transaction(sessions) as session:
        with pytest.raises(NotFound):
            users.find_user(session, EMAIL)
        with pytest.raises(NotFound):
            users.get_user(session, "000000000000")
