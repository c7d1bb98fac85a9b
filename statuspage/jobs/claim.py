"""Take deliveries in hand: a lease on up to a thousand of one of the most urgent campaigns. Nothing is sent by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from notifiers.base import Channel
from statuspage.db import is_sqlite
from statuspage.domain.campaign import CampaignKind
from statuspage.services.rows import among, changed, listed, moment

LONGEST_WAIT = timedelta(hours=25)
"""Quiet hours end within a day, which may have 25 hours, and no retry waits longer."""


class Claimed(NamedTuple):
    """A delivery in hand. `attempt` counts those before this one."""

    id: int
    attempt: int
    address: str
    address_hash: str
    locale: str
    time_zone: str
    dedupe: str


@dataclass(frozen=True)
class CampaignFacts:
    """What of a campaign does not change while it runs."""

    id: int
    public_id: str
    kind: CampaignKind
    incident_id: int | None
    generation: int
    validity_seconds: int
    quiet_override: bool
    resend_unknown: tuple[str, ...]
    started_at: datetime


@dataclass(frozen=True)
class Batch:
    campaign_id: int
    rows: Sequence[Claimed]


def claim(
    session: Session, channel: Channel, owner: str, *, limit: int, now: datetime, lease: timedelta, after: int = 0
) -> Batch | None:
    """Up to `limit` due deliveries of the first running campaign that has any; None when nothing is due.

    Due is also what should wait longer than any rule lets it: the clock was ahead then, and is asked again. The most
    urgent come first; equals take turns, the one behind campaign `after` first, so that a few hundred
    merchants do not wait for two million subscribers. The campaign's state is part of the statement, so pausing it is
    one UPDATE. On SQLite the writing transaction alone keeps two senders apart; there is no SKIP LOCKED there.
    """
    lock = "" if is_sqlite(session) else " FOR UPDATE OF d SKIP LOCKED"
    statements = [text(_CLAIM.format(lock=lock, due=due)) for due in _DUE]
    parameters: dict[str, Any] = {
        "channel": channel.value,
        "owner": owner,
        "lease": moment(session, now + lease),
        "now": moment(session, now),
        "beyond": moment(session, now + LONGEST_WAIT),
        "limit": limit,
    }
    for campaign_id in session.scalars(_RUNNING, {"after": after}).all():
        for statement in statements:
            rows = session.execute(statement, {**parameters, "campaign": campaign_id}).all()
            if rows:
                return Batch(campaign_id, [Claimed._make(row) for row in rows])
    return None


def release(session: Session, ids: Sequence[int], owner: str) -> int:
    """Give back what was claimed and is not to be sent now."""
    parameters = {"owner": owner, "ids": listed(session, ids)}
    return changed(session, _RELEASE.format(ids=among(session, "id")), parameters) if ids else 0


_RELEASE = (
    "UPDATE delivery SET state = 'pending', owner = NULL, lease_until = NULL "
    "WHERE {ids} AND state = 'claimed' AND owner = :owner"
)
_RUNNING = text("SELECT id FROM campaign WHERE state = 'running' ORDER BY priority, id <= :after, id")

# Two statements, since both databases would read all that waits, by the millions in the night, to find either.
_DUE = ("d.not_before <= :now", "d.not_before > :beyond")
# The literal states let both databases use the partial index; a bound one would not. Materialised, because PostgreSQL
# may run a sub-select with a limit and a lock once for each row it joins, and then claim more than the limit.
_CLAIM = (
    "WITH due AS MATERIALIZED (SELECT d.id FROM delivery d WHERE d.state = 'pending' AND d.campaign_id = :campaign "
    "AND d.channel = :channel AND {due} "
    "AND EXISTS (SELECT 1 FROM campaign c WHERE c.id = :campaign AND c.state = 'running') "
    "ORDER BY d.not_before, d.id LIMIT :limit{lock}) "
    "UPDATE delivery SET state = 'claimed', owner = :owner, lease_until = :lease "
    "WHERE id IN (SELECT id FROM due) AND state = 'pending' "
    "RETURNING id, attempt, COALESCE(address, ''), address_hash, locale, time_zone, dedupe"
)
