"""Ask the provider about SMS that it took and then never spoke of: a callback that was lost does not come again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import or_, select, text
from sqlalchemy.orm import Session

from notifiers.base import Channel, Notifier, NotifierError, Query, Receipt
from statuspage.db import transaction
from statuspage.domain.delivery import DeliveryState
from statuspage.jobs.options import EngineOptions
from statuspage.jobs.reconcile import BATCH, NEVER
from statuspage.jobs.turn import Means
from statuspage.models import Campaign, CampaignCount, Delivery
from statuspage.services import leases, receipts
from statuspage.services.leases import Held
from statuspage.services.rows import among, listed, moment

LOOK_EVERY = timedelta(minutes=10)
"""Finding them reads a campaign's deliveries through, so that is not done at every step."""
FOUND_AT_ONCE = 10 * BATCH
"""Nor for every batch that the provider is asked about."""
_WAITING = (DeliveryState.ACCEPTED.value, DeliveryState.SENT.value)

logger = structlog.get_logger(__name__)


async def ask_about_overdue(means: Means, notifier: Notifier) -> int:
    """Ask about those whose next question is due; returns how many. A mail's silence is its normal end."""
    if notifier.channel is not Channel.SMS:
        return 0
    held, queries = await asyncio.to_thread(_begin, means, notifier)
    for first in range(0, len(queries), BATCH):
        await _ask(means, notifier, queries[first : first + BATCH])
    if held is not None and len(queries) == FOUND_AT_ONCE:
        await asyncio.to_thread(_look_again, means, held)
    return len(queries)


async def _ask(means: Means, notifier: Notifier, queries: Sequence[Query]) -> None:
    answers: Sequence[Receipt] = ()
    try:
        answers = await notifier.reconcile(queries)
    except NotifierError as error:
        logger.warning("overdue.not_answered", provider=notifier.name, reason=error.reason.value)
    await asyncio.to_thread(_end, means, queries, answers)


def _begin(means: Means, notifier: Notifier) -> tuple[Held | None, list[Query]]:
    """A lease lets one sender look, and nobody again for a while unless there were as many as are found at once."""
    name, now = f"overdue:{notifier.channel.value}", means.clock.now()
    with transaction(means.sessions, read_only=True) as session:
        campaigns = _campaigns(session, notifier.channel, means.options, now)
        if not campaigns or leases.held_until(session, name, now=now) is not None:
            return None, []
        found = _overdue(session, campaigns, notifier, means.options, now)
    with means.turnstile.transaction(means.sessions) as session:
        held = leases.take(session, name, means.owner, LOOK_EVERY, now=now)
    return held, found if held is not None else []


def _look_again(means: Means, held: Held) -> None:
    with means.turnstile.transaction(means.sessions) as session:
        leases.release(session, held, now=means.clock.now())


def _campaigns(session: Session, channel: Channel, options: EngineOptions, now: datetime) -> Sequence[int]:
    """Those old enough, and not too old, that have a delivery which may be told more of."""
    first, last = options.overdue_after[0], options.overdue_after[-1]
    counted = select(CampaignCount.campaign_id).where(
        CampaignCount.channel == channel.value, CampaignCount.state.in_(_WAITING), CampaignCount.n > 0
    )
    lately = or_(Campaign.finished_at.is_(None), Campaign.finished_at > now - 2 * last)
    return session.scalars(
        select(Campaign.id).where(Campaign.started_at <= now - first, lately, Campaign.id.in_(counted))
    ).all()


def _overdue(
    session: Session, campaigns: Sequence[int], notifier: Notifier, options: EngineOptions, now: datetime
) -> list[Query]:
    columns = (Delivery.id, Delivery.attempt, Delivery.address, Delivery.sending_at, Delivery.provider_id)
    # "+ 0": one pass over the table is far faster than a look-up for each entry of an index ordered by address.
    query = (
        select(*columns)
        .where((Delivery.campaign_id + 0).in_(campaigns), Delivery.channel == notifier.channel.value)
        .where(Delivery.state.in_(_WAITING), Delivery.final_at.is_(None), Delivery.not_before <= now)
        .where(Delivery.provider == notifier.name, Delivery.provider_id.is_not(None))
        .where(Delivery.sending_at <= now - options.overdue_after[0])
        .limit(FOUND_AT_ONCE)
    )
    return [
        Query(number, attempt, address or "", "", sending_at or now, provider_id)
        for number, attempt, address, sending_at, provider_id in session.execute(query)
    ]


def _end(means: Means, queries: Sequence[Query], answers: Sequence[Receipt]) -> None:
    """Answers go to the inbox, where rank decides; each next question is put off, whatever was said."""
    with means.turnstile.transaction(means.sessions) as session:
        now = means.clock.now()
        receipts.store_receipts(session, answers, now)
        later: dict[datetime, list[int]] = {}
        for one in queries:
            later.setdefault(_next_question(one, means.options, now), []).append(one.delivery_id)
        # A window was handed over at one moment, so that those of one are put off together.
        for at, ids in later.items():
            parameters = {"at": moment(session, at), "ids": listed(session, ids)}
            session.execute(text(_LATER.format(ids=among(session, "id"))), parameters)


def _next_question(query: Query, options: EngineOptions, now: datetime) -> datetime:
    return min((at for wait in options.overdue_after if (at := query.since + wait) > now), default=NEVER)


_LATER = "UPDATE delivery SET not_before = :at WHERE {ids} AND state IN ('accepted', 'sent')"
