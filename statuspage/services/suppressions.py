"""Addresses that are not to be used: what the outbox adds to and takes from that list."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from statuspage.domain.consent import SuppressionReason
from statuspage.services.rows import moment


class Refused(NamedTuple):
    """An address, by its keyed hash, that a provider or its owner closed to us."""

    channel: str
    address_hash: str
    reason: SuppressionReason
    source: str


def add(session: Session, refused: Iterable[Refused], *, now: datetime) -> None:
    """Keep them; an earlier entry stays as it is, since the first reason is the one a person can explain."""
    at = moment(session, now)
    rows = [{**one._asdict(), "reason": one.reason.value, "at": at} for one in sorted(set(refused))]
    if rows:
        session.execute(_INSERT, rows)


def lift_opt_out(session: Session, channel: str, address_hash: str) -> None:
    """The owner wrote START: his own opt-out goes, nothing graver does."""
    session.execute(_LIFT, {"channel": channel, "hash": address_hash, "reason": SuppressionReason.OPT_OUT.value})


_INSERT = text(
    "INSERT INTO suppression (channel, address_hash, reason, source, at) "
    "VALUES (:channel, :address_hash, :reason, :source, :at) ON CONFLICT DO NOTHING"
)
_LIFT = text("DELETE FROM suppression WHERE channel = :channel AND address_hash = :hash AND reason = :reason")
