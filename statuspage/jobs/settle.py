"""Write down what became of messages that were handed over. A receipt that came first is never undone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from notifiers import base
from notifiers.base import Accepted, Channel, Failure, Message, NotifierError
from statuspage.db import is_sqlite
from statuspage.domain.campaign import CampaignKind
from statuspage.domain.consent import after_failure
from statuspage.domain.delivery import FINAL, DeliveryState, Reason, next_attempt
from statuspage.jobs.claim import CampaignFacts
from statuspage.jobs.options import EngineOptions
from statuspage.services import counts, receipts, suppressions
from statuspage.services.rows import among, listed, moment
from statuspage.services.suppressions import Refused


class Settled(NamedTuple):
    """One message that came back. `address_hash` is for the suppression that a refusal may ask for."""

    facts: CampaignFacts
    message: Message
    address_hash: str
    outcome: Accepted | NotifierError


@dataclass
class Verdict:
    """What a failure makes of its delivery."""

    state: DeliveryState
    reason: str | None = None
    not_before: datetime | None = None
    counted: bool = True
    """Whether this attempt keeps its number: one that was never begun gives it back."""


@dataclass
class _Failures:
    updates: list[dict[str, Any]] = field(default_factory=list)
    attempts: list[dict[str, Any]] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


def settle(
    session: Session,
    channel: Channel,
    settled: Sequence[Settled],
    owner: str,
    provider: str,
    options: EngineOptions,
    moves: counts.Moves,
    *,
    now: datetime,
) -> None:
    """Every update asks that the delivery is still `sending`, by us, in this attempt."""
    taken: dict[tuple[int, str], list[Settled]] = {}
    failed: list[Settled] = []
    for one in settled:
        if isinstance(one.outcome, Accepted):
            taken.setdefault((one.facts.id, one.outcome.state), []).append(one)
        else:
            failed.append(one)
    for (campaign_id, state), group in taken.items():
        _accept(session, channel, campaign_id, state, group, owner, moves, now)
    if failed:
        _fail(session, channel, failed, owner, provider, options, moves, now)


def verdict(one: Settled, channel: Channel, error: NotifierError, options: EngineOptions, now: datetime) -> Verdict:
    """The rule: unknown is not tried again by itself, not begun is tried at once, the rest goes by the retry table, as
    long as the message is worth sending."""
    if error.sent == "unknown":
        return Verdict(DeliveryState.UNKNOWN, not_before=now + options.reconcile_after[0])
    if error.reason is Failure.NOT_STARTED:
        return Verdict(DeliveryState.PENDING, not_before=now, counted=False)
    if error.pause_campaign and one.facts.kind is not CampaignKind.CONFIRMATION:
        # The campaign pauses; this person waits with all the others and has lost no attempt.
        return Verdict(DeliveryState.PENDING, not_before=now, counted=False)
    again = next_attempt(
        channel,
        error.reason,
        one.message.attempt,
        now,
        now + timedelta(seconds=one.message.valid_for or 0),
        permanent=error.permanent,
        retry_after=error.retry_after,
        key=one.message.delivery_id,
    )
    if again is not None:
        return Verdict(DeliveryState.PENDING, not_before=again)
    if error.reason is Failure.EXPIRED:
        return Verdict(DeliveryState.EXPIRED, Reason.PAST_VALIDITY.value)
    return Verdict(DeliveryState.FAILED, error.reason.value)


def _accept(
    session: Session,
    channel: Channel,
    campaign_id: int,
    state: str,
    group: Sequence[Settled],
    owner: str,
    moves: counts.Moves,
    now: datetime,
) -> None:
    done = _write_accepted(session, state, group, owner, now)
    moves.move(
        counts.place(campaign_id, channel, DeliveryState.PENDING), counts.place(campaign_id, channel, state), done
    )
    if done < len(group):
        _tell_late(session, group, now)


def _write_accepted(session: Session, state: str, group: Sequence[Settled], owner: str, now: datetime) -> int:
    at = moment(session, now)
    rows = [
        (outcome.provider, outcome.provider_id, outcome.segments, message.delivery_id, message.attempt)
        for _, message, _, outcome in group
        if isinstance(outcome, Accepted)
    ]
    connection = session.connection()
    if is_sqlite(session):
        final = None if state == DeliveryState.ACCEPTED else at
        cursor = connection.exec_driver_sql(_ACCEPT_SQLITE, [(state, at, final, *row, owner) for row in rows])
        return cursor.rowcount
    columns = [list(column) for column in zip(*rows, strict=True)]
    final = None if state == DeliveryState.ACCEPTED else at
    return connection.exec_driver_sql(_ACCEPT_POSTGRESQL, (state, at, final, *columns, owner)).rowcount


def _tell_late(session: Session, group: Sequence[Settled], now: datetime) -> None:
    """Some were no longer ours: a receipt was faster, or the lease had run out. What the provider answered is news all
    the same, so it goes the way of receipts, where rank decides."""
    query = text(_NOT_MINE.format(ids=among(session, "id")))
    ids = listed(session, [one.message.delivery_id for one in group])
    known = {row.id: row.provider_id for row in session.execute(query, {"ids": ids})}
    late = [
        base.Receipt(
            provider=one.outcome.provider,
            provider_id=one.outcome.provider_id,
            delivery_id=one.message.delivery_id,
            attempt=one.message.attempt,
            status=f"{receipts.OUR_ANSWER}{one.outcome.state}",
            state=one.outcome.state,
            at=now,
        )
        for one in group
        if isinstance(one.outcome, Accepted) and known.get(one.message.delivery_id) != one.outcome.provider_id
    ]
    receipts.store_receipts(session, late, now)


def _fail(
    session: Session,
    channel: Channel,
    failed: Sequence[Settled],
    owner: str,
    provider: str,
    options: EngineOptions,
    moves: counts.Moves,
    now: datetime,
) -> None:
    ours = _still_ours(session, [one.message.delivery_id for one in failed], owner)
    work = _Failures()
    for one in failed:
        error = one.outcome
        if isinstance(error, Accepted) or ours.get(one.message.delivery_id) != one.message.attempt:
            continue
        found = verdict(one, channel, error, options, now)
        _note(session, work, one, error, found, provider, owner, now)
        if found.state is not DeliveryState.PENDING:
            source = counts.place(one.facts.id, channel, DeliveryState.PENDING)
            moves.move(source, counts.place(one.facts.id, channel, found.state, found.reason))
        suppression = after_failure(channel, error.reason) if error.permanent else None
        if suppression is not None:
            work.refused.append(Refused(channel.value, one.address_hash, suppression, provider))
    if work.updates:
        session.execute(_FAIL, work.updates)
    if work.attempts:
        session.execute(_ATTEMPT, work.attempts)
    suppressions.add(session, work.refused, now=now)


def _note(
    session: Session,
    work: _Failures,
    one: Settled,
    error: NotifierError,
    found: Verdict,
    provider: str,
    owner: str,
    now: datetime,
) -> None:
    final = found.state in FINAL
    code = None if error.code is None else error.code[:20]
    work.updates.append(
        {
            "id": one.message.delivery_id,
            "owner": owner,
            "state": found.state.value,
            "reason": found.reason,
            "not_before": moment(session, found.not_before or now),
            "given_back": 0 if found.counted else 1,
            "final_at": moment(session, now) if final else None,
            "error_code": code,
            "provider": provider,
        }
    )
    if found.counted and not final:
        work.attempts.append(
            {
                "delivery_id": one.message.delivery_id,
                "attempt": one.message.attempt,
                "at": moment(session, now),
                "outcome": "unknown" if found.state is DeliveryState.UNKNOWN else "retry",
                "reason": error.reason.value,
                "error_code": code,
                "provider": provider,
            }
        )


def _still_ours(session: Session, ids: Iterable[int], owner: str) -> dict[int, int]:
    lock = "" if is_sqlite(session) else " FOR UPDATE"
    query = text(_OURS.format(ids=among(session, "id"), lock=lock))
    rows = session.execute(query, {"ids": listed(session, list(ids)), "owner": owner})
    return dict(rows.all())


_ACCEPT_SQLITE = (
    "UPDATE delivery SET state = ?, accepted_at = ?, final_at = ?, provider = ?, provider_id = ?, segments = ?, "
    "error_code = NULL, owner = NULL, lease_until = NULL "
    "WHERE id = ? AND attempt = ? AND state = 'sending' AND owner = ?"
)
_ACCEPT_POSTGRESQL = (
    "UPDATE delivery SET state = %s, accepted_at = %s, final_at = %s, provider = v.provider, "
    "provider_id = v.provider_id, segments = v.segments, error_code = NULL, owner = NULL, lease_until = NULL "
    "FROM unnest(%s::varchar[], %s::varchar[], %s::smallint[], %s::bigint[], %s::smallint[]) "
    "AS v(provider, provider_id, segments, id, attempt) "
    "WHERE delivery.id = v.id AND delivery.attempt = v.attempt AND state = 'sending' AND owner = %s"
)
_NOT_MINE = "SELECT id, provider_id FROM delivery WHERE {ids}"
_OURS = "SELECT id, attempt FROM delivery WHERE {ids} AND state = 'sending' AND owner = :owner{lock}"
_FAIL = text(
    "UPDATE delivery SET state = :state, reason = :reason, not_before = :not_before, final_at = :final_at, "
    "attempt = attempt - :given_back, error_code = :error_code, provider = :provider, owner = NULL, "
    "lease_until = NULL WHERE id = :id AND state = 'sending' AND owner = :owner"
)
_ATTEMPT = text(
    "INSERT INTO attempt (delivery_id, attempt, at, outcome, reason, error_code, provider) "
    "VALUES (:delivery_id, :attempt, :at, :outcome, :reason, :error_code, :provider) ON CONFLICT DO NOTHING"
)
