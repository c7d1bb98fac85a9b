"""The inbox of what providers and subscribers tell us: stored at once, applied later by rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Row, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from notifiers import base
from notifiers.base import Channel, Failure, Keyword
from statuspage.db import is_sqlite
from statuspage.domain.consent import SuppressionReason, after_failure
from statuspage.domain.delivery import FINAL, DeliveryState, apply_receipt, next_attempt
from statuspage.models import Inbound, Receipt
from statuspage.services import counts, outbox, suppressions
from statuspage.services.addresses import AddressKey
from statuspage.services.rows import changed, moment
from statuspage.services.suppressions import Refused

KEEP_UNMATCHED = timedelta(hours=72)
"""A receipt may come before the answer that tells us the provider's id; three days later none will."""

FOREIGN = "foreign"
"""The effect of a receipt that names a delivery of ours and another message than the provider made of it."""

OUR_ANSWER = "answer:"
"""Begins the status of what a provider answered to our own request: that decides which message it is."""
BATCH = 500

logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What a receipt made of a delivery, for the brake that watches a campaign's failures."""

    campaign_id: int
    channel: str
    failure: Failure | None


def store_receipts(session: Session, receipts: Sequence[base.Receipt], now: datetime) -> int:
    """Put them into the inbox and return how many were new; a doubled callback has one effect."""
    rows = [
        {
            "provider": one.provider,
            # A receipt without the provider's id is known by the attempt that our signed address names.
            "provider_id": one.provider_id or f"delivery:{one.delivery_id}:{one.attempt}",
            "status": one.status[:20],
            "part": one.part,
            "state": one.state,
            "reason": None if one.reason is None else one.reason.value,
            "delivery_id": one.delivery_id,
            "attempt": one.attempt,
            "error_code": None if one.error_code is None else one.error_code[:20],
            "received_at": now,
        }
        for one in receipts
    ]
    new = _insert_new(session, Receipt, rows)
    if new:
        outbox.wake(session)
    return new


def store_inbound(session: Session, words: Sequence[base.Inbound], key: AddressKey, now: datetime) -> int:
    """Keep which word came from whom, by hash, never the text; STOP opts the sender out, START lets him in again."""
    new = 0
    for one in words:
        if one.keyword is None:
            logger.info("inbound.no_keyword", provider=one.provider, channel=one.channel.value)
            continue
        address_hash = key.hash(one.sender)
        row = {
            "provider": one.provider,
            "provider_id": one.provider_id,
            "channel": one.channel.value,
            "word": one.keyword.value,
            "address_hash": address_hash,
            "received_at": now,
        }
        if not _insert_new(session, Inbound, [row]):
            continue
        new += 1
        if one.keyword is Keyword.STOP:
            refused = Refused(one.channel.value, address_hash, SuppressionReason.OPT_OUT, one.provider)
            suppressions.add(session, [refused], now=now)
        elif one.keyword is Keyword.START:
            suppressions.lift_opt_out(session, one.channel.value, address_hash)
    return new


def apply_receipts(session: Session, *, now: datetime, limit: int = BATCH) -> tuple[int, list[Outcome]]:
    """Apply up to `limit` waiting receipts to their deliveries; returns how many and what they did.

    Order does not matter: a receipt only ever raises a delivery's rank. One that names no delivery waits for 72 hours;
    one about another message than the delivery's is kept as long and believed in nothing.
    """
    found = [*_waiting(session, _BY_DELIVERY, limit), *_waiting(session, _BY_PROVIDER, limit)]
    work = _Work(session, now)
    for row in found:
        work.take(row)
    work.write()
    _give_up(session, now)
    return len(found), work.outcomes


def _insert_new(session: Session, table: type[Receipt] | type[Inbound], rows: list[dict[str, Any]]) -> int:
    insert = (sqlite.insert if is_sqlite(session) else postgresql.insert)(table)
    # What comes back tells the new ones; the driver's count of rows does not, on every database.
    made = [session.scalars(insert.values(row).on_conflict_do_nothing().returning(table.id)).all() for row in rows]
    return sum(len(ids) for ids in made)


_COLUMNS = (
    "SELECT r.id, r.provider, r.provider_id, r.status, r.state AS incoming, r.reason AS failure, r.error_code, "
    "r.attempt AS receipt_attempt, d.id AS delivery_id, d.state, d.reason, d.attempt, d.channel, d.campaign_id, "
    "d.address_hash, d.provider_id AS known_id, c.validity_seconds, c.state = 'running' OR c.state = 'paused' AS alive "
    "FROM receipt r JOIN delivery d ON "
)
_WAITING = (
    " JOIN campaign c ON c.id = d.campaign_id "
    "WHERE r.applied_at IS NULL AND r.effect IS NULL {only} ORDER BY r.id LIMIT :limit{lock}"
)
_BY_DELIVERY = _COLUMNS + "d.id = r.delivery_id" + _WAITING
_BY_PROVIDER = _COLUMNS + "d.provider_id = r.provider_id AND d.provider = r.provider" + _WAITING


def _waiting(session: Session, query: str, limit: int) -> Sequence[Row[Any]]:
    only = "AND r.delivery_id IS NULL" if query is _BY_PROVIDER else ""
    lock = "" if is_sqlite(session) else " FOR UPDATE OF r, d SKIP LOCKED"
    return session.execute(text(query.format(only=only, lock=lock)), {"limit": limit}).all()


@dataclass
class _Standing:
    """A delivery as the receipts read so far in this batch leave it."""

    state: DeliveryState
    reason: str | None
    message: str | None
    """The provider's id of it, where it is known."""


class _Work:
    """One batch: what becomes of each delivery, each receipt, each counter."""

    def __init__(self, session: Session, now: datetime) -> None:
        self.outcomes: list[Outcome] = []
        self._session = session
        self._now = now
        self._at = moment(session, now)
        self._standing: dict[int, _Standing] = {}
        self._deliveries: list[dict[str, Any]] = []
        self._messages: list[dict[str, Any]] = []
        self._receipts: list[dict[str, Any]] = []
        self._attempts: list[dict[str, Any]] = []
        self._refused: list[Refused] = []
        self._moves = counts.Moves()

    def take(self, row: Row[Any]) -> None:
        at_first = _Standing(DeliveryState(row.state), row.reason, row.known_id)
        standing = self._standing.setdefault(row.delivery_id, at_first)
        earlier = row.receipt_attempt is not None and row.receipt_attempt < row.attempt
        if not earlier and self._is_foreign(row, standing):
            return
        state = apply_receipt(standing.state, DeliveryState(row.incoming), earlier_attempt=earlier)
        self._receipts.append({"id": row.id, "at": self._at, "effect": "late" if state is None else "applied"})
        if state is None:
            return
        failure = Failure(row.failure) if row.failure else None
        failed = state in (DeliveryState.FAILED, DeliveryState.UNDELIVERED)
        reason = (failure.value if failure else None) if failed else None
        again = self._again(row, failure) if failed else None
        if again is not None:
            self._attempts.append(_attempt(row, self._at, reason))
            state, reason = DeliveryState.PENDING, None
        self._change(row, standing, state, reason, again)
        if failure is not None and (refusal := after_failure(Channel(row.channel), failure)) is not None:
            self._refused.append(Refused(row.channel, row.address_hash, refusal, row.provider))
        if failed or state is DeliveryState.DELIVERED:
            self.outcomes.append(Outcome(row.campaign_id, row.channel, failure if failed else None))

    def _is_foreign(self, row: Row[Any], standing: _Standing) -> bool:
        """Whether it speaks of another SMS than ours; a bounced mail is known by its signed return path alone."""
        if row.channel != Channel.SMS or standing.message in (None, row.provider_id):
            return False
        if row.status.startswith(OUR_ANSWER):
            standing.message = row.provider_id
            self._messages.append({"id": row.delivery_id, "provider": row.provider, "provider_id": row.provider_id})
            return False
        self._receipts.append({"id": row.id, "at": None, "effect": FOREIGN})
        logger.warning("receipt.foreign", provider=row.provider, receipt=row.id, delivery=row.delivery_id)
        return True

    def write(self) -> None:
        for statement, rows in (
            (_MESSAGE, self._messages),
            (_DELIVERY, self._deliveries),
            (_ATTEMPT, self._attempts),
            (_RECEIPT, self._receipts),
        ):
            if rows:
                self._session.execute(statement, rows)
        suppressions.add(self._session, self._refused, now=self._now)
        self._moves.write(self._session)

    def _again(self, row: Row[Any], failure: Failure | None) -> datetime | None:
        """When an SMS that the network gave up goes again; a bounced mail was tried for days by the mail servers."""
        if failure is None or row.channel != Channel.SMS or not row.alive:
            return None
        # At most; the hand-over asks again how much of it is left.
        until = self._now + timedelta(seconds=row.validity_seconds)
        return next_attempt(Channel.SMS, failure, row.attempt, self._now, until, key=row.delivery_id)

    def _change(
        self, row: Row[Any], standing: _Standing, state: DeliveryState, reason: str | None, again: datetime | None
    ) -> None:
        self._moves.move(
            counts.place(row.campaign_id, row.channel, standing.state, standing.reason),
            counts.place(row.campaign_id, row.channel, state, reason),
        )
        # The next attempt is another message.
        message = None if again is not None else standing.message or row.provider_id
        standing.state, standing.reason, standing.message = state, reason, message
        self._deliveries.append(
            {
                "id": row.delivery_id,
                "state": state.value,
                "reason": reason,
                "provider": row.provider,
                "provider_id": message,
                "error_code": row.error_code,
                "heard_at": self._at,
                "final_at": self._at if state in FINAL else None,
                "not_before": None if again is None else moment(self._session, again),
            }
        )


def _attempt(row: Row[Any], at: object, reason: str | None) -> dict[str, Any]:
    return {
        "delivery_id": row.delivery_id,
        "attempt": row.attempt,
        "at": at,
        "outcome": "failed",
        "reason": reason,
        "error_code": row.error_code,
        "provider": row.provider,
    }


_MESSAGE = text("UPDATE delivery SET provider = :provider, provider_id = :provider_id WHERE id = :id")
_DELIVERY = text(
    "UPDATE delivery SET state = :state, reason = :reason, provider = COALESCE(provider, :provider), "
    "provider_id = :provider_id, error_code = :error_code, owner = NULL, lease_until = NULL, "
    "accepted_at = COALESCE(accepted_at, :heard_at), final_at = :final_at, "
    "not_before = COALESCE(:not_before, not_before) WHERE id = :id"
)
_ATTEMPT = text(
    "INSERT INTO attempt (delivery_id, attempt, at, outcome, reason, error_code, provider) "
    "VALUES (:delivery_id, :attempt, :at, :outcome, :reason, :error_code, :provider) ON CONFLICT DO NOTHING"
)
_RECEIPT = text("UPDATE receipt SET applied_at = :at, effect = :effect WHERE id = :id")


def _give_up(session: Session, now: datetime) -> None:
    changed(
        session,
        "UPDATE receipt SET applied_at = :now, effect = COALESCE(effect, 'unmatched') "
        "WHERE applied_at IS NULL AND received_at < :limit",
        {"now": moment(session, now), "limit": moment(session, now - KEEP_UNMATCHED)},
    )
