"""Wrong passwords, counted for each account and network, and for each account over all networks it never came from.

Whoever guesses is slowed down where he guesses; whoever guesses from many networks is slowed down in all of them. The
account's owner is kept out neither where he has logged in before nor at this machine.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network

from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from statuspage.models import LoginFailure
from statuspage.services.rows import moment

FREE_ATTEMPTS = 5
LONGEST_WAIT = timedelta(minutes=15)
HALVED_AFTER = timedelta(minutes=15)
"""The count of failures halves in every such time without one."""

FREE_FROM_STRANGERS = 20
"""Wrong passwords at one account from all networks without a log-in before: more than a person on the road mistypes, so
few that a thousand rented machines are hardly better than one. One network alone waits long before it has made them."""

KEPT = timedelta(days=1)
KNOWN_FOR = timedelta(days=90)
"""How long a network counts as one that the person logs in from, after the last time."""

HERE = "here"
"""The network of whoever types at this machine's own terminal."""

STRANGERS = "strangers"
"""In place of a network: all those together that the account was never logged in to from."""

_KNOWN = "known "
"""Before a network: a row without failures, which says that the account was logged in to from there."""


def network_of(peer: str) -> str:
    """The neighbourhood that one guesser easily moves in: a /24 of IPv4, a /56 of IPv6."""
    try:
        address = ip_address(peer)
    except ValueError:
        return HERE
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    return str(ip_network((address, 24 if address.version == 4 else 56), strict=False))


@dataclass(frozen=True)
class Tried:
    """What is held against a try: the failures from its network, and those of all strangers unless it is none."""

    account: str
    here: LoginFailure
    strangers: LoginFailure | None

    def waits(self, now: datetime) -> bool:
        """Whether this address may not be tried from this network yet. Trying all the same does not make it longer."""
        return any(row.blocked_until is not None and row.blocked_until > now for row in self._rows())

    def miss(self, session: Session, now: datetime) -> None:
        """Count a wrong password; past the free ones the next try waits, twice as long each time, up to a quarter of an
        hour."""
        for row, free in zip(self._rows(), (FREE_ATTEMPTS, FREE_FROM_STRANGERS), strict=False):
            row.failures, row.last_at = row.failures + 1, now
            if row.failures >= free:
                row.blocked_until = now + min(timedelta(minutes=2 ** min(row.failures - free, 10)), LONGEST_WAIT)
        session.flush()
        known = LoginFailure.network.startswith(_KNOWN)
        session.execute(delete(LoginFailure).where(~known, LoginFailure.last_at < now - KEPT))
        session.execute(delete(LoginFailure).where(known, LoginFailure.last_at < now - KNOWN_FOR))

    def forgive(self, session: Session, now: datetime) -> None:
        """The right password: no failure counts here any more, and from now on this network is one of the person's own.
        What strangers guessed elsewhere stays: a log-in must not be what gives them new tries."""
        self.here.failures, self.here.blocked_until = 0, None
        session.flush()
        _held(session, self.account, _KNOWN + self.here.network, now).last_at = now

    def _rows(self) -> list[LoginFailure]:
        return [self.here] if self.strangers is None else [self.here, self.strangers]


def take(session: Session, email: str, network: str, *, loopback: bool, now: datetime) -> Tried:
    """The rows of this address, held for this transaction so that guesses queue up, and decayed to `now`.

    They are kept for every address that is tried, known or not: the work, and so the answer's time, is the same.
    `loopback`: the try came from this machine, which is never a stranger.
    """
    account = _hash(email)
    own = session.scalar(
        select(LoginFailure.last_at).where(
            LoginFailure.account_hash == account, LoginFailure.network == _KNOWN + network
        )
    )
    here = _held(session, account, network, now)
    known = loopback or (own is not None and own > now - KNOWN_FOR)
    return Tried(account, here, None if known else _held(session, account, STRANGERS, now))


def _held(session: Session, account: str, network: str, now: datetime) -> LoginFailure:
    session.execute(_MAKE, {"account": account, "network": network, "now": moment(session, now)})
    query = select(LoginFailure).where(LoginFailure.account_hash == account, LoginFailure.network == network)
    row = session.scalars(query.with_for_update().execution_options(populate_existing=True)).one()
    halvings = max((now - row.last_at) // HALVED_AFTER, 0)
    if halvings:
        row.failures, row.last_at = row.failures >> min(halvings, 31), row.last_at + halvings * HALVED_AFTER
    return row


def forget(session: Session, email: str) -> None:
    """A new password was given: what was guessed of the old one is nothing to it, in no network."""
    session.execute(delete(LoginFailure).where(LoginFailure.account_hash == _hash(email)))


def _hash(email: str) -> str:
    return hashlib.sha256(email.encode()).hexdigest()


_MAKE = text(
    "INSERT INTO login_failure (account_hash, network, failures, last_at) VALUES (:account, :network, 0, :now) "
    "ON CONFLICT (account_hash, network) DO NOTHING"
)
