"""Ask the provider about deliveries of unknown fate; what it does not know goes by the campaign's declared policy."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import literal_column, select, text
from sqlalchemy.orm import Session

from notifiers.base import Channel, Notifier, NotifierError, Query, Receipt, text_hash
from statuspage.db import transaction
from statuspage.domain.campaign import CampaignState, overtaken
from statuspage.domain.delivery import DeliveryState
from statuspage.jobs.claim import Claimed
from statuspage.jobs.options import EngineOptions
from statuspage.jobs.turn import Means
from statuspage.jobs.window import facts_of
from statuspage.jobs.worth import seconds_left
from statuspage.models import Campaign, Delivery, Incident
from statuspage.services import counts, leases, outbox, receipts
from statuspage.services.leases import Held
from statuspage.services.rows import moment

BATCH = 100
LEASE_LENGTH = timedelta(seconds=120)
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""Nobody is asked any more; a receipt may still come."""

logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Doubt:
    """One delivery nobody knows the fate of. `resend` is what its campaign's policy says of this channel now."""

    query: Query
    campaign_id: int
    resend: bool


async def reconcile(means: Means, notifier: Notifier) -> int:
    """Ask about what is due and act on the answers; returns how many were asked about."""
    held, doubts = await asyncio.to_thread(_begin, means, notifier.channel)
    if held is None or not doubts:
        return 0
    try:
        answers: list[Receipt] | None = await notifier.reconcile([doubt.query for doubt in doubts])
    except NotifierError as error:
        logger.warning("reconcile.not_answered", provider=notifier.name, reason=error.reason.value)
        answers = None
    await asyncio.to_thread(_end, means, notifier.channel, held, doubts, answers)
    return len(doubts)


def _begin(means: Means, channel: Channel) -> tuple[Held | None, list[Doubt]]:
    with transaction(means.sessions, read_only=True) as session:
        if not due(session, means, channel, now=means.clock.now()):
            return None, []
    with means.turnstile.transaction(means.sessions) as session:
        now = means.clock.now()
        held = leases.take(session, f"reconcile:{channel.value}", means.owner, LEASE_LENGTH, now=now)
        # Read once more under the lease: another sender may have just been through.
        return held, due(session, means, channel, now=now) if held is not None else []


def _end(
    means: Means, channel: Channel, held: Held, doubts: Sequence[Doubt], answers: Sequence[Receipt] | None
) -> None:
    with means.turnstile.transaction(means.sessions) as session:
        now = means.clock.now()
        leases.renew(session, held, LEASE_LENGTH, now=now)
        conclude(session, channel, doubts, answers, means.options, now=now)
        leases.release(session, held, now=now)


def due(session: Session, means: Means, channel: Channel, *, now: datetime) -> list[Doubt]:
    """Unknown deliveries whose next question is due, the longest waiting first."""
    # The state is written out, so that both databases use the partial index.
    unknown = Delivery.state == literal_column("'unknown'")
    query = (
        select(Delivery, Campaign, Incident.state, Incident.publication)
        .join(Campaign, Campaign.id == Delivery.campaign_id)
        .outerjoin(Incident, Incident.id == Campaign.incident_id)
        .where(unknown, Delivery.not_before <= now, Delivery.channel == channel.value)
        .order_by(Delivery.not_before)
        .limit(BATCH)
    )
    doubts: list[Doubt] = []
    for delivery, campaign, incident, publication in session.execute(query):
        facts = facts_of(session, campaign.id)
        words = means.composer.words(session, facts)
        row = Claimed(
            delivery.id,
            delivery.attempt - 1,
            delivery.address or "",
            delivery.address_hash,
            delivery.locale,
            delivery.time_zone,
            delivery.dedupe,
        )
        left = seconds_left(facts, channel, [row], means.options, now=now)
        body = means.composer.messages(facts, words, channel, [row], left)[0].body
        true = overtaken(campaign.kind, incident, publication) is None and left[row.id] > 0
        resend = channel in facts.resend_unknown and campaign.state is CampaignState.RUNNING and true
        since = delivery.sending_at or delivery.not_before
        asked = Query(delivery.id, delivery.attempt, row.address, text_hash(body), since, delivery.provider_id)
        doubts.append(Doubt(asked, campaign.id, resend and bool(row.address)))
    return doubts


def conclude(
    session: Session,
    channel: Channel,
    doubts: Sequence[Doubt],
    answers: Sequence[Receipt] | None,
    options: EngineOptions,
    *,
    now: datetime,
) -> None:
    """Answers go to the inbox; of the rest, what the policy sends again becomes pending, and what it does not is asked
    about later. `answers` None: the provider could not be asked, so nothing is decided yet."""
    receipts.store_receipts(session, answers or [], now)
    known = {receipt.delivery_id for receipt in answers or []}
    moves = counts.Moves()
    for doubt in doubts:
        if doubt.query.delivery_id in known:
            _ask_later(session, doubt, options, now)
        elif doubt.resend and answers is not None:
            _resend(session, channel, doubt, moves, now)
        else:
            _ask_later(session, doubt, options, now)
    moves.write(session)


def _resend(session: Session, channel: Channel, doubt: Doubt, moves: counts.Moves, now: datetime) -> None:
    parameters: dict[str, Any] = {
        "id": doubt.query.delivery_id,
        "attempt": doubt.query.attempt,
        "now": moment(session, now),
    }
    if session.execute(_AGAIN, parameters).one_or_none() is None:
        return
    session.execute(_RESENT, parameters)
    moves.move(
        counts.place(doubt.campaign_id, channel, DeliveryState.UNKNOWN),
        counts.place(doubt.campaign_id, channel, DeliveryState.PENDING),
    )
    outbox.wake(session)


def _ask_later(session: Session, doubt: Doubt, options: EngineOptions, now: datetime) -> None:
    ahead = [at for wait in options.reconcile_after if (at := doubt.query.since + wait) > now]
    parameters = {"id": doubt.query.delivery_id, "at": moment(session, min(ahead, default=NEVER))}
    session.execute(_LATER, parameters)


_AGAIN = text(
    "UPDATE delivery SET state = 'pending', not_before = :now "
    "WHERE id = :id AND attempt = :attempt AND state = 'unknown' RETURNING id"
)
_RESENT = text(
    "INSERT INTO attempt (delivery_id, attempt, at, outcome, reason) "
    "VALUES (:id, :attempt, :now, 'resent', 'no_answer') "
    "ON CONFLICT (delivery_id, attempt) DO UPDATE SET outcome = 'resent'"
)
_LATER = text("UPDATE delivery SET not_before = :at WHERE id = :id AND state = 'unknown'")
