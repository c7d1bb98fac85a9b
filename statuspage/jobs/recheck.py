"""Asked again at hand-over, for a whole window at once: is it still allowed, still true, and not too much?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.orm import Session

from notifiers.base import Channel
from statuspage.domain.campaign import GIVE_UP_AFTER, CampaignKind
from statuspage.domain.consent import CAP_WINDOW, SuppressionReason, keeps_quiet, over_cap, quiet_until
from statuspage.domain.delivery import DeliveryState, Reason
from statuspage.jobs.claim import CampaignFacts, Claimed
from statuspage.jobs.options import EngineOptions
from statuspage.services.recipients import current_generation
from statuspage.services.rows import among, listed, moment

CAP_RETRY = timedelta(seconds=10)

_CLOSED_TO_CONFIRMATIONS = frozenset(
    {SuppressionReason.HARD_BOUNCE, SuppressionReason.COMPLAINT, SuppressionReason.INVALID, SuppressionReason.BY_STAFF}
)
"""An opt-out does not stop the mail that asks its owner, at his own request, to be let in again."""

_REASONS = {
    SuppressionReason.OPT_OUT: Reason.OPTED_OUT,
    SuppressionReason.ERASED: Reason.ERASED,
    SuppressionReason.INVALID: Reason.INVALID_ADDRESS,
}


@dataclass(frozen=True)
class Held:
    """Why a delivery does not go now: for good (`suppressed` or `expired`, with its reason), or `pending` until
    `not_before`."""

    id: int
    state: DeliveryState
    reason: Reason | None = None
    not_before: datetime | None = None


def recheck(
    session: Session,
    facts: CampaignFacts,
    channel: Channel,
    rows: Sequence[Claimed],
    options: EngineOptions,
    *,
    now: datetime,
) -> dict[int, Held]:
    """Delivery id → why it is held back; who is not in it may be sent to."""
    held = {row.id: Held(row.id, DeliveryState.SUPPRESSED, Reason.ERASED) for row in rows if not row.address}
    held |= _refused(session, facts, channel, rows)
    held |= _quiet(facts, channel, rows, options, now)
    held |= _capped(session, facts, channel, rows, options, now)
    return held


def _refused(session: Session, facts: CampaignFacts, channel: Channel, rows: Sequence[Claimed]) -> dict[int, Held]:
    ids: dict[str, Any] = {"ids": listed(session, [row.id for row in rows])}
    held: dict[int, Held] = {}
    for delivery_id, word in session.execute(text(_SUPPRESSED.format(ids=among(session, "d.id"))), ids):
        suppression = SuppressionReason(word)
        if facts.kind is CampaignKind.CONFIRMATION and suppression not in _CLOSED_TO_CONFIRMATIONS:
            continue
        reason = _REASONS.get(suppression, Reason.SUPPRESSED)
        held[delivery_id] = Held(delivery_id, DeliveryState.SUPPRESSED, reason)
    if facts.kind is CampaignKind.CONFIRMATION:
        return held
    withdrawn = session.scalars(text(_WITHDRAWN.format(ids=among(session, "d.id"))), ids).all()
    if (generation := current_generation(session)) != facts.generation:
        # Another file came in since the start: what it says of the person now stands in other rows.
        address = "sms" if channel is Channel.SMS else "email"
        newly = _NEWLY_REFUSED.format(ids=among(session, "d.id"), address=address)
        withdrawn = [*withdrawn, *session.scalars(text(newly), {**ids, "generation": generation}).all()]
    for delivery_id in withdrawn:
        held.setdefault(delivery_id, Held(delivery_id, DeliveryState.SUPPRESSED, Reason.NO_CONSENT))
    return held


def _quiet(
    facts: CampaignFacts, channel: Channel, rows: Sequence[Claimed], options: EngineOptions, now: datetime
) -> dict[int, Held]:
    if not keeps_quiet(facts.kind, channel, facts.quiet_override):
        return {}
    until = {
        zone: quiet_until(now, ZoneInfo(zone), options.quiet_start, options.quiet_end)
        for zone in {row.time_zone for row in rows}
    }
    if not any(until.values()):
        return {}
    last = facts.started_at + GIVE_UP_AFTER
    held: dict[int, Held] = {}
    for row in rows:
        wait = until[row.time_zone]
        if wait is not None and wait > last:
            held[row.id] = Held(row.id, DeliveryState.SUPPRESSED, Reason.QUIET_HOURS_EXPIRED)
        elif wait is not None:
            held[row.id] = Held(row.id, DeliveryState.PENDING, not_before=wait)
    return held


def _capped(
    session: Session,
    facts: CampaignFacts,
    channel: Channel,
    rows: Sequence[Claimed],
    options: EngineOptions,
    now: datetime,
) -> dict[int, Held]:
    if not over_cap(facts.kind, channel, options.sms_cap, options.sms_cap):
        return {}
    since = moment(session, now - CAP_WINDOW - GIVE_UP_AFTER)
    others = list(session.scalars(_RECENT, {"campaign": facts.id, "since": since}))
    if len(others) < options.sms_cap:
        # One campaign tells a person once, so that fewer campaigns than the cap cannot reach it.
        return {}
    counted = session.execute(
        text(_TOLD_BEFORE.format(ids=among(session, "d.id"), others=among(session, "o.campaign_id", "others"))),
        {
            "ids": listed(session, [row.id for row in rows]),
            "others": listed(session, others),
            "since": moment(session, now - CAP_WINDOW),
        },
    )
    held: dict[int, Held] = {}
    for delivery_id, told, in_hand in counted:
        if over_cap(facts.kind, channel, int(told), options.sms_cap):
            held[delivery_id] = Held(delivery_id, DeliveryState.SUPPRESSED, Reason.CAPPED)
        elif over_cap(facts.kind, channel, int(told + in_hand), options.sms_cap):
            # Another sender holds one for the same person: who goes is decided when that one is through.
            again = now + CAP_RETRY + timedelta(milliseconds=delivery_id % 5_000)
            held[delivery_id] = Held(delivery_id, DeliveryState.PENDING, not_before=again)
    return held


_SUPPRESSED = (
    "SELECT d.id, s.reason FROM delivery d "
    "JOIN suppression s ON s.channel = d.channel AND s.address_hash = d.address_hash WHERE {ids}"
)
# No row at all proves nothing: an import may have replaced the contact. Only a "no" that stands there is one.
_WITHDRAWN = (
    "SELECT d.id FROM delivery d WHERE {ids} AND EXISTS (SELECT 1 FROM subscription b "
    "WHERE b.contact_id = d.contact_id AND b.channel = d.channel AND b.state <> 'active') "
    "AND NOT EXISTS (SELECT 1 FROM subscription b "
    "WHERE b.contact_id = d.contact_id AND b.channel = d.channel AND b.state = 'active')"
)
_NEWLY_REFUSED = (
    "SELECT d.id FROM delivery d WHERE {ids} AND (SELECT MAX(CASE WHEN b.state = 'active' THEN 2 ELSE 1 END) "
    "FROM contact c JOIN subscription b ON b.contact_id = c.id AND b.channel = d.channel "
    "WHERE c.{address}_hash = d.address_hash AND c.valid_from <= :generation AND c.valid_to > :generation) = 1"
)
_RECENT = text(
    "SELECT id FROM campaign WHERE kind = 'incident_notice' AND id <> :campaign AND started_at >= :since ORDER BY id"
)
_TOLD_BEFORE = (
    "SELECT d.id, "
    "SUM(CASE WHEN o.state IN ('sending', 'accepted', 'sent', 'delivered', 'unknown') "
    "AND COALESCE(o.accepted_at, o.sending_at) > :since THEN 1 ELSE 0 END), "
    "SUM(CASE WHEN o.state = 'claimed' THEN 1 ELSE 0 END) "
    "FROM delivery d JOIN delivery o ON {others} AND o.channel = d.channel AND o.address_hash = d.address_hash "
    "AND o.dedupe = '' WHERE {ids} GROUP BY d.id"
)
