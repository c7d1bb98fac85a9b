"""People of the console and their log-ins."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage.clock import FrozenClock
from statuspage.db import Sessions, transaction
from statuspage.domain.errors import NotAllowed, NotFound, RuleError
from statuspage.domain.roles import Permission
from statuspage.models import AuditEntry, LoginFailure, LoginSession, User
from statuspage.services import guesses, logins, passwords, users
from statuspage.services.actor import CLI, of_user
from tests.databases import NOW

EMAIL = "anna@demo.example"
OWN = "a sentence nobody guesses"


def _add(session: Session, role: str = "engineer", email: str = EMAIL) -> tuple[User, str]:
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
    return logins.verify_password(session, email, password, network=network, loopback=loopback, now=now)


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are hashed at the least cost: what a hash costs is not what these tests are about."""
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


def test_first_password_is_random_and_kept_as_a_hash(sessions: Sessions) -> None:
    """Two people get two passwords, and neither stands in the database or the audit."""
    with transaction(sessions) as session:
        anna, first = _add(session)
        _, second = _add(session, email="boris@demo.example")
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
            _add(session)
        with pytest.raises(RuleError) as refused:
            _add(session, role, email)
    assert refused.value.code == code
    assert email.strip() not in refused.value.message or "@" not in email


def test_only_an_administrator_adds_people(sessions: Sessions) -> None:
    """An engineer cannot make himself an approver's log-in."""
    with transaction(sessions) as session:
        engineer, _ = _add(session)
        with pytest.raises(NotAllowed):
            users.add_user(session, of_user(engineer), email="x@demo.example", role="approver", now=NOW)


def test_first_password_works_on_this_machine_only(sessions: Sessions) -> None:
    """A password we made opens the door from loopback, from elsewhere only once it was changed."""
    with transaction(sessions) as session:
        user, first = _add(session)
        assert verify(session, first, loopback=False) is None
        assert verify(session, first, email=" ANNA@demo.example", loopback=True) is user
        users.change_password(session, of_user(user), user, first, OWN, now=NOW)
        assert verify(session, OWN, loopback=False) is user


def test_a_right_first_password_from_elsewhere_counts_no_failure(sessions: Sessions) -> None:
    """Whoever types the right password on the wrong machine does not have to wait there."""
    with transaction(sessions) as session:
        user, first = _add(session)
        for _ in range(guesses.FREE_ATTEMPTS + 1):
            assert verify(session, first, loopback=False) is None
        users.change_password(session, of_user(user), user, first, OWN, now=NOW)
        assert verify(session, OWN, loopback=False) is user


def test_wrong_passwords_make_their_network_wait(sessions: Sessions, clock: FrozenClock) -> None:
    """After five wrong ones even the right one is refused there, for a minute and then twice as long each time, at most
    a quarter of an hour; trying meanwhile makes it no longer, and the right password forgets the failures."""
    with transaction(sessions) as session:
        user, first = _add(session)
        for number in range(guesses.FREE_ATTEMPTS + 7):
            assert verify(session, "wrong", now=clock.now()) is None
            row = session.scalars(select(LoginFailure).where(LoginFailure.network == guesses.HERE)).one()
            if number < guesses.FREE_ATTEMPTS - 1:
                assert row.blocked_until is None
                continue
            assert row.blocked_until is not None
            wait = row.blocked_until - clock.now()
            assert wait == min(timedelta(minutes=2 ** (row.failures - guesses.FREE_ATTEMPTS)), guesses.LONGEST_WAIT)
            assert verify(session, first, now=clock.now()) is None
            assert row.blocked_until - clock.now() == wait
            clock.set(row.blocked_until)
        assert verify(session, first, now=clock.now()) is user
        assert (row.failures, row.blocked_until) == (0, None)


def test_the_owner_gets_in_from_another_network(sessions: Sessions) -> None:
    """Somebody who guesses without end keeps the account's owner out nowhere but where he guesses himself."""
    with transaction(sessions) as session:
        user, _ = _add(session)
        user.password_hash, user.must_change_password = passwords.hash_of(OWN), False
        there = guesses.network_of("203.0.113.7")
        for _ in range(50):
            assert verify(session, "wrong", network=there, loopback=False) is None
        assert verify(session, OWN, network=guesses.network_of("203.0.113.200"), loopback=False) is None
        assert verify(session, OWN, network=guesses.network_of("198.51.100.7"), loopback=False) is user
        assert verify(session, OWN) is user


def _own_password(session: Session) -> User:
    user, _ = _add(session)
    user.password_hash, user.must_change_password = passwords.hash_of(OWN), False
    return user


def _from_many_networks(session: Session, now: datetime, email: str = EMAIL) -> None:
    """One wrong password each, from as many networks as it takes."""
    for number in range(guesses.FREE_FROM_STRANGERS):
        network = guesses.network_of(f"203.0.{number}.7")
        assert verify(session, "wrong", email=email, network=network, loopback=False, now=now) is None


def test_guessing_from_many_networks_slows_all_strangers_down(sessions: Sessions, clock: FrozenClock) -> None:
    """A guesser with many networks waits in all of them, also with the right password, and twice as long after each
    further one; where the owner has logged in before, and at this machine, nobody waits."""
    home, road = guesses.network_of("198.51.100.7"), guesses.network_of("192.0.2.7")
    with transaction(sessions) as session:
        user = _own_password(session)
        assert verify(session, OWN, network=home, loopback=False, now=clock.now()) is user
        _from_many_networks(session, clock.now())
        assert verify(session, OWN, network=road, loopback=False, now=clock.now()) is None
        assert verify(session, OWN, network=home, loopback=False, now=clock.now()) is user
        assert verify(session, OWN, now=clock.now()) is user
        assert verify(session, OWN, network=road, loopback=False, now=clock.now()) is None  # a log-in frees nobody else
        later = clock.advance(timedelta(minutes=1))
        assert verify(session, "wrong", network=road, loopback=False, now=later) is None
        assert verify(session, OWN, network=road, loopback=False, now=later + timedelta(minutes=1)) is None
        assert verify(session, OWN, network=road, loopback=False, now=later + timedelta(minutes=2)) is user
        _from_many_networks(session, later + timedelta(hours=2))
        assert verify(session, OWN, network=road, loopback=False, now=later + timedelta(hours=2)) is user


def test_a_network_is_known_for_a_season(sessions: Sessions, clock: FrozenClock) -> None:
    """Failures are forgotten after a day, where a person logs in from only after three months without a log-in."""
    home, season = guesses.network_of("198.51.100.7"), guesses.KNOWN_FOR
    with transaction(sessions) as session:
        user = _own_password(session)
        assert verify(session, OWN, network=home, loopback=False, now=clock.now()) is user
        almost = clock.advance(season - timedelta(hours=1))
        _from_many_networks(session, almost)
        assert verify(session, OWN, network=home, loopback=False, now=almost) is user
        over = clock.advance(season)
        _from_many_networks(session, over)
        assert verify(session, OWN, network=home, loopback=False, now=over) is None


def test_what_strangers_guess_is_counted_for_nobody_too(sessions: Sessions) -> None:
    """Whether an address has an account shows neither in what waits nor in what is kept."""
    with transaction(sessions) as session:
        _own_password(session)
        for email in (EMAIL, "nobody@demo.example"):
            _from_many_networks(session, NOW, email)
            assert verify(session, OWN, email=email, network="192.0.2.0/24", loopback=False) is None
        kept = [(one.account_hash, one.network, one.failures) for one in session.scalars(select(LoginFailure))]
        first, second = ({row[1:] for row in kept if row[0] == account} for account in {row[0] for row in kept})
        assert first == second


def test_failures_are_forgotten_with_time(sessions: Sessions, clock: FrozenClock) -> None:
    """Every quarter of an hour without a failure halves them; a day later nothing is kept of them."""
    with transaction(sessions) as session:
        _add(session)
        for _ in range(guesses.FREE_ATTEMPTS - 1):
            verify(session, "wrong", now=clock.now())
        verify(session, "wrong", now=clock.advance(guesses.HALVED_AFTER))
        row = session.scalars(select(LoginFailure)).one()
        assert (row.failures, row.blocked_until) == (3, None)
        late = clock.advance(guesses.KEPT + timedelta(minutes=1))
        verify(session, "wrong", network="198.51.100.0/24", loopback=False, now=late)
        session.expire_all()
        kept = {one.network for one in session.scalars(select(LoginFailure))}
        assert kept == {"198.51.100.0/24", guesses.STRANGERS}


def test_guesses_at_nobody_cost_the_same_and_are_counted_alike(sessions: Sessions) -> None:
    """Whether an address has an account shows neither in the answer nor in what is done for it."""
    with transaction(sessions) as session:
        _add(session)
        for email in (EMAIL, "nobody@demo.example"):
            for _ in range(guesses.FREE_ATTEMPTS):
                assert verify(session, "wrong", email=email) is None
        kept = [(row.failures, row.blocked_until) for row in session.scalars(select(LoginFailure))]
        assert len(kept) == 2
        assert kept[0] == kept[1]


def test_a_new_password_ends_the_waiting_everywhere(sessions: Sessions) -> None:
    """What was guessed of the old password is nothing to the new one."""
    with transaction(sessions) as session:
        user, _ = _add(session)
        for network in ("203.0.113.0/24", guesses.HERE):
            for _ in range(guesses.FREE_ATTEMPTS):
                verify(session, "wrong", network=network)
        fresh = users.reset_password(session, CLI, user, now=NOW)
        assert verify(session, fresh) is user


@pytest.mark.parametrize(
    ("peer", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2ff::1", "2001:db8:1:200::/56"),
        ("", guesses.HERE),
        ("unix:", guesses.HERE),
    ],
)
def test_a_network_is_where_one_guesser_easily_moves(peer: str, network: str) -> None:
    """A /24 of IPv4, however it is written; a /56 of IPv6; this machine where there is no address."""
    assert guesses.network_of(peer) == network


def test_nobody_and_the_disabled_are_refused_alike(sessions: Sessions) -> None:
    """An unknown address and a disabled person get the same answer as a wrong password."""
    with transaction(sessions) as session:
        user, first = _add(session)
        users.disable_user(session, CLI, user, now=NOW)
        assert verify(session, first, loopback=True) is None
        assert verify(session, first, email="nobody@demo.example", loopback=True) is None
        users.enable_user(session, CLI, user, now=NOW)
        assert verify(session, first, loopback=True) is user


def test_login_is_kept_by_hash_and_ends(sessions: Sessions) -> None:
    """The token is not in the database; logging out ends it, twice as well as once."""
    with transaction(sessions) as session:
        user, _ = _add(session)
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
        user, _ = _add(session)
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
        user, first = _add(session)
        token = logins.open_login(session, user, now=NOW)
        users.change_password(session, of_user(user), user, first, OWN, now=NOW)
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
        user, first = _add(session)
        with pytest.raises(RuleError) as refused:
            users.change_password(session, of_user(user), user, first, new, now=NOW)
        assert refused.value.code == code
        assert new not in refused.value.message


def test_password_is_changed_by_its_owner_who_knows_it(sessions: Sessions) -> None:
    """Neither another person nor somebody who does not know the present one changes a password."""
    with transaction(sessions) as session:
        user, first = _add(session)
        other, _ = _add(session, "admin", "boris@demo.example")
        for actor, current, code in (
            (of_user(other), first, "user.not_own_password"),
            (of_user(user), "wrong", "user.wrong_password"),
        ):
            with pytest.raises(RuleError) as refused:
                users.change_password(session, actor, user, current, OWN, now=NOW)
            assert refused.value.code == code


def test_administrator_resets_and_changes_roles_but_not_his_own(sessions: Sessions) -> None:
    """A reset gives a new first password; nobody shuts himself out or changes his own role."""
    with transaction(sessions) as session:
        user, first = _add(session)
        admin = of_user(_add(session, "admin", "boris@demo.example")[0])
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
        away, _ = _add(session)
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
