"""Wrong passwords, counted for each account and network, and for each account over all networks it never came from.

Whoever guesses is slowed down where he guesses; whoever guesses from many networks is slowed down in all of them. The
account's owner is kept out neither where he has logged in before nor at this machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from typing import NamedTuple

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


class _Standing(NamedTuple):
    """What a row says."""

    failures: int
    last_at: datetime
    blocked_until: datetime | None


@dataclass(frozen=True)
class _Counted:
    """One row that the try was counted in: how it stood before, and with the try."""

    network: str
    free: int
    before: _Standing
    after: _Standing

    def give_back(self, row: LoginFailure) -> None:
        """What others counted meanwhile stays."""
        if _standing(row) == self.after:
            row.failures, row.last_at, row.blocked_until = self.before
            return
        row.failures = max(row.failures - 1, 0)
        if row.failures < self.free:
            row.blocked_until = None


@dataclass(frozen=True)
class Tried:
    """A try that was counted as a failure before its password was looked at, so that whoever tries at the same time
    finds it counted: guesses in parallel are no more than guesses one after the other."""

    account: str
    counted: tuple[_Counted, ...]
    """The network's row, and that of all strangers unless it is none."""

    def miss(self, session: Session, now: datetime) -> tuple[int, int]:
        """The password was wrong, so the count stays: the failures from this network, and of all strangers."""
        rows = [_held(session, self.account, one.network, now) for one in self.counted]
        for row in rows:
            row.last_at = now  # the answer is the time of the failure
        session.flush()
        known = LoginFailure.network.startswith(_KNOWN)
        session.execute(delete(LoginFailure).where(~known, LoginFailure.last_at < now - KEPT))
        session.execute(delete(LoginFailure).where(known, LoginFailure.last_at < now - KNOWN_FOR))
        return _failures(rows)

    def give_back(self, session: Session, now: datetime) -> tuple[int, int]:
        """The try was no failure: how many there are without it."""
        rows = [_held(session, self.account, one.network, now) for one in self.counted]
        for one, row in zip(self.counted, rows, strict=True):
            one.give_back(row)
        session.flush()
        return _failures(rows)

    def forgive(self, session: Session, now: datetime) -> None:
        """The right password: no failure counts here any more, and from now on this network is one of the person's own.
        What strangers guessed elsewhere stays: a log-in must not be what gives them new tries."""
        self.give_back(session, now)
        network = self.counted[0].network
        here = _held(session, self.account, network, now)
        here.failures, here.blocked_until = 0, None
        session.flush()
        _held(session, self.account, _KNOWN + network, now).last_at = now


def count(session: Session, email: str, network: str, *, loopback: bool, spent: bool, now: datetime) -> Tried | None:
    """Count a try; None when this address may not be tried from this network yet, which makes the waiting no longer.

    Past the free ones the next try waits, twice as long each time, up to a quarter of an hour. Rows are kept for every
    address that is tried, known or not: the work, and so the answer's time, is the same. `loopback`: the try came from
    this machine, which is never a stranger. `spent`: whoever tries has used up what his address may try, so that only
    an account known from this network goes on. It needs no bound but its own: few are known from one network.
    """
    account = _hash(email)
    own = session.scalar(
        select(LoginFailure.last_at).where(
            LoginFailure.account_hash == account, LoginFailure.network == _KNOWN + network
        )
    )
    known = own is not None and own > now - KNOWN_FOR
    if spent and not known:
        return None  # and leaves no row: nobody fills the disk with addresses
    held = [(_held(session, account, network, now), FREE_ATTEMPTS)]
    if not loopback and not known:
        held.append((_held(session, account, STRANGERS, now), FREE_FROM_STRANGERS))
    if any(row.blocked_until is not None and row.blocked_until > now for row, _ in held):
        return None
    counted = tuple(_count(row, free, now) for row, free in held)
    session.flush()
    return Tried(account, counted)


def _count(row: LoginFailure, free: int, now: datetime) -> _Counted:
    before = _standing(row)
    row.failures, row.last_at = row.failures + 1, now
    if row.failures >= free:
        row.blocked_until = now + min(timedelta(minutes=2 ** min(row.failures - free, 10)), LONGEST_WAIT)
    return _Counted(row.network, free, before, _standing(row))


def _failures(rows: Sequence[LoginFailure]) -> tuple[int, int]:
    return rows[0].failures, rows[1].failures if len(rows) > 1 else 0


def _standing(row: LoginFailure) -> _Standing:
    return _Standing(row.failures, row.last_at, row.blocked_until)


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
