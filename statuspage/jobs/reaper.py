"""Find what a dead sender left behind: claimed is provably unsent, sending is unknown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from statuspage.db import is_sqlite
from statuspage.domain.delivery import DeliveryState
from statuspage.jobs.options import EngineOptions
from statuspage.services import counts, outbox
from statuspage.services.rows import among, listed, moment

BATCH = 1_000
LEASE_EXPIRED = "lease_expired"


def reap(session: Session, options: EngineOptions, *, now: datetime, limit: int = BATCH) -> tuple[int, int]:
    """Deliveries whose lease ran out: (given back to be claimed, become unknown). Safe to repeat, by anybody."""
    at = moment(session, now)
    lock = "" if is_sqlite(session) else " FOR UPDATE SKIP LOCKED"
    found = session.execute(text(_EXPIRED.format(lock=lock)), {"now": at, "limit": limit}).all()
    claimed = [row.id for row in found if row.state == DeliveryState.CLAIMED]
    sending = [row for row in found if row.state == DeliveryState.SENDING]
    if claimed:
        session.execute(text(_GIVE_BACK.format(ids=among(session, "id"))), {"ids": listed(session, claimed)})
        outbox.wake(session)
    if sending:
        _doubt(session, sending, at, moment(session, now + options.reconcile_after[0]))
    return len(claimed), len(sending)


def _doubt(session: Session, sending: Sequence[Row[Any]], at: object, ask_at: object) -> None:
    ids = listed(session, [row.id for row in sending])
    session.execute(text(_DOUBT.format(ids=among(session, "id"))), {"ids": ids, "ask_at": ask_at})
    session.execute(
        _ATTEMPT, [{"id": row.id, "attempt": row.attempt, "at": at, "reason": LEASE_EXPIRED} for row in sending]
    )
    moves = counts.Moves()
    for row in sending:
        source = counts.place(row.campaign_id, row.channel, DeliveryState.SENDING)
        moves.move(source, counts.place(row.campaign_id, row.channel, DeliveryState.UNKNOWN))
    moves.write(session)


# Both states, as the partial index has them; one alone would make SQLite walk the table.
_EXPIRED = (
    "SELECT id, state, campaign_id, channel, attempt FROM delivery "
    "WHERE state IN ('claimed', 'sending') AND lease_until < :now ORDER BY lease_until LIMIT :limit{lock}"
)
_GIVE_BACK = (
    "UPDATE delivery SET state = 'pending', owner = NULL, lease_until = NULL WHERE {ids} AND state = 'claimed'"
)
_DOUBT = (
    "UPDATE delivery SET state = 'unknown', owner = NULL, lease_until = NULL, not_before = :ask_at "
    "WHERE {ids} AND state = 'sending'"
)
_ATTEMPT = text(
    "INSERT INTO attempt (delivery_id, attempt, at, outcome, reason) "
    "VALUES (:id, :attempt, :at, 'unknown', :reason) ON CONFLICT DO NOTHING"
)
