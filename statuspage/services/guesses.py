"""Wrong passwords, counted for each account and network.

Whoever guesses is slowed down where he guesses, and cannot keep the account's owner out anywhere else.
"""

from __future__ import annotations

import hashlib
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

KEPT = timedelta(days=1)
HERE = "here"
"""The network of whoever types at this machine's own terminal."""


def network_of(peer: str) -> str:
    """The neighbourhood that one guesser easily moves in: a /24 of IPv4, a /56 of IPv6."""
    try:
        address = ip_address(peer)
    except ValueError:
        return HERE
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    return str(ip_network((address, 24 if address.version == 4 else 56), strict=False))


def take(session: Session, email: str, network: str, *, now: datetime) -> LoginFailure:
    """The row of this address and network, held for this transaction so that guesses queue up, and decayed to `now`.

    One is kept for every address that is tried, known or not: the work, and so the answer's time, is the same.
    """
    named = {"account": _hash(email), "network": network, "now": moment(session, now)}
    session.execute(_MAKE, named)
    query = select(LoginFailure).where(LoginFailure.account_hash == named["account"], LoginFailure.network == network)
    row = session.scalars(query.with_for_update().execution_options(populate_existing=True)).one()
    halvings = max((now - row.last_at) // HALVED_AFTER, 0)
    if halvings:
        row.failures, row.last_at = row.failures >> min(halvings, 31), row.last_at + halvings * HALVED_AFTER
    return row


def waits(row: LoginFailure, now: datetime) -> bool:
    """Whether this address may not be tried from this network yet. Trying all the same does not make it longer."""
    return row.blocked_until is not None and row.blocked_until > now


def miss(session: Session, row: LoginFailure, now: datetime) -> None:
    """Count a wrong password; from the fifth on the next try waits, twice as long each time, up to a quarter of an
    hour."""
    row.failures, row.last_at = row.failures + 1, now
    if row.failures >= FREE_ATTEMPTS:
        doubled = timedelta(minutes=2 ** min(row.failures - FREE_ATTEMPTS, 10))
        row.blocked_until = now + min(doubled, LONGEST_WAIT)
    session.flush()
    session.execute(delete(LoginFailure).where(LoginFailure.last_at < now - KEPT))


def forgive(row: LoginFailure) -> None:
    """The right password."""
    row.failures, row.blocked_until = 0, None


def forget(session: Session, email: str) -> None:
    """A new password was given: what was guessed of the old one is nothing to it, in no network."""
    session.execute(delete(LoginFailure).where(LoginFailure.account_hash == _hash(email)))


def _hash(email: str) -> str:
    return hashlib.sha256(email.encode()).hexdigest()


_MAKE = text(
    "INSERT INTO login_failure (account_hash, network, failures, last_at) VALUES (:account, :network, 0, :now) "
    "ON CONFLICT (account_hash, network) DO NOTHING"
)
