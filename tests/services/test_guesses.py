"""Log-ins and wrong passwords: who waits, where, and for how long."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage.clock import FrozenClock
from statuspage.db import Sessions, transaction
from statuspage.models import LoginFailure, User
from statuspage.services import guesses, logins, passwords, users
from statuspage.services.actor import CLI
from tests.databases import NOW
from tests.services.test_users import EMAIL, OWN, add, change, cheap_hashes, verify

__all__ = ["cheap_hashes"]


def test_a_right_first_password_from_elsewhere_counts_no_failure(sessions: Sessions) -> None:
    """Whoever types the right password on the wrong machine does not have to wait there."""
    with transaction(sessions) as session:
        user, first = add(session)
        for _ in range(guesses.FREE_ATTEMPTS + 1):
            assert verify(session, first, loopback=False) is None
        change(session, user, first)
        assert verify(session, OWN, loopback=False) is user


def test_wrong_passwords_make_their_network_wait(sessions: Sessions, clock: FrozenClock) -> None:
    """After five wrong ones even the right one is refused there, for a minute and then twice as long each time, at most
    a quarter of an hour; trying meanwhile makes it no longer, and the right password forgets the failures."""
    with transaction(sessions) as session:
        user, first = add(session)
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
        user, _ = add(session)
        user.password_hash, user.must_change_password = passwords.hash_of(OWN), False
        there = guesses.network_of("203.0.113.7")
        for _ in range(50):
            assert verify(session, "wrong", network=there, loopback=False) is None
        assert verify(session, OWN, network=guesses.network_of("203.0.113.200"), loopback=False) is None
        assert verify(session, OWN, network=guesses.network_of("198.51.100.7"), loopback=False) is user
        assert verify(session, OWN) is user


def _own_password(session: Session) -> User:
    user, _ = add(session)
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
        add(session)
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
        add(session)
        for email in (EMAIL, "nobody@demo.example"):
            for _ in range(guesses.FREE_ATTEMPTS):
                assert verify(session, "wrong", email=email) is None
        kept = [(row.failures, row.blocked_until) for row in session.scalars(select(LoginFailure))]
        assert len(kept) == 2
        assert kept[0] == kept[1]


def test_a_new_password_ends_the_waiting_everywhere(sessions: Sessions) -> None:
    """What was guessed of the old password is nothing to the new one."""
    with transaction(sessions) as session:
        user, _ = add(session)
        for network in ("203.0.113.0/24", guesses.HERE):
            for _ in range(guesses.FREE_ATTEMPTS):
                verify(session, "wrong", network=network)
        fresh = users.reset_password(session, CLI, user, now=NOW)
        assert verify(session, fresh) is user


def _begun(sessions: Sessions, networks: list[str]) -> list[logins.Attempt]:
    """Tries at the same time: all have begun before the password of one was looked at."""
    begun = []
    for network in networks:
        with transaction(sessions) as session:
            begun.append(logins.begin(session, EMAIL, network=network, loopback=False, now=NOW))
    return begun


def _finish(sessions: Sessions, attempt: logins.Attempt, password: str) -> User | None:
    matched = attempt.matches(password)
    with transaction(sessions) as session:
        return logins.finish(session, attempt, matched=matched, now=NOW)


def test_guesses_at_the_same_time_are_no_more_than_one_after_the_other(sessions: Sessions) -> None:
    """Each try counts before its password is looked at: in one network five of many are looked at, and from as
    many networks as one likes, twenty."""
    with transaction(sessions) as session:
        _own_password(session)
    begun = _begun(sessions, [guesses.network_of("192.0.2.7")] * (guesses.FREE_ATTEMPTS + 4))
    assert [one.tried is not None for one in begun] == [True] * guesses.FREE_ATTEMPTS + [False] * 4
    assert [one.matches(OWN) for one in begun[-4:]] == [False] * 4
    assert [_finish(sessions, one, "wrong") for one in begun] == [None] * len(begun)
    left = guesses.FREE_FROM_STRANGERS - guesses.FREE_ATTEMPTS
    begun = _begun(sessions, [guesses.network_of(f"203.0.{number}.7") for number in range(left + 3)])
    assert [one.tried is not None for one in begun] == [True] * left + [False] * 3


def test_the_right_password_gives_its_count_back(sessions: Sessions) -> None:
    """Right ones at the same time, to the last of the free tries, leave nothing counted and nobody waiting; what others
    guessed meanwhile stays."""
    with transaction(sessions) as session:
        user = _own_password(session)
    road = guesses.network_of("192.0.2.7")
    networks = [guesses.network_of(f"203.0.{number}.7") for number in range(guesses.FREE_FROM_STRANGERS - 1)]
    begun = _begun(sessions, [*networks, road])
    found = [_finish(sessions, one, OWN if place else "wrong") for place, one in enumerate(begun)]
    assert [one and one.id for one in found] == [None, *[user.id] * (len(begun) - 1)]
    with transaction(sessions) as session:
        strangers = session.scalars(select(LoginFailure).where(LoginFailure.network == guesses.STRANGERS)).one()
        assert (strangers.failures, strangers.blocked_until) == (1, None)


def test_a_password_that_was_replaced_meanwhile_opens_nothing(sessions: Sessions) -> None:
    """Whoever began with the old password has no log-in once the new one stands, and neither has who was shut out."""
    with transaction(sessions) as session:
        user = _own_password(session)
    begun = _begun(sessions, [guesses.HERE, guesses.HERE])
    with transaction(sessions) as session:
        users.reset_password(session, CLI, session.get_one(User, user.id), now=NOW)
    assert _finish(sessions, begun[0], OWN) is None
    with transaction(sessions) as session:
        session.get_one(User, user.id).password_hash = user.password_hash
        users.disable_user(session, CLI, session.get_one(User, user.id), now=NOW)
    assert _finish(sessions, begun[1], OWN) is None


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
