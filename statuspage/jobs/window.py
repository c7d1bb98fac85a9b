"""The last step before hand-over: what of the batch in hand becomes `sending`, durably, and what does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from notifiers.base import Channel
from statuspage.domain.campaign import CampaignState, overtaken
from statuspage.domain.delivery import DeliveryState, Reason
from statuspage.jobs.claim import CampaignFacts, Claimed, release
from statuspage.jobs.options import EngineOptions
from statuspage.jobs.recheck import Held, recheck
from statuspage.models import Campaign, Incident
from statuspage.services import counts
from statuspage.services.rows import among, changed, listed, moment


@dataclass
class Marked:
    """`sending` holds what may be handed over; `stopped` says that nothing more of this campaign may go now."""

    sending: list[Claimed] = field(default_factory=list)
    stopped: bool = False


def facts_of(session: Session, campaign_id: int) -> CampaignFacts:
    campaign = session.get_one(Campaign, campaign_id)
    return CampaignFacts(
        id=campaign.id,
        public_id=campaign.public_id,
        kind=campaign.kind,
        incident_id=campaign.incident_id,
        generation=campaign.generation or 0,
        validity_seconds=campaign.validity_seconds,
        quiet_override=campaign.quiet_override_by is not None,
        resend_unknown=tuple(campaign.resend_unknown),
        started_at=campaign.started_at or campaign.created_at,
    )


def mark(
    session: Session,
    facts: CampaignFacts,
    channel: Channel,
    rows: Sequence[Claimed],
    left: Mapping[int, int],
    owner: str,
    options: EngineOptions,
    moves: counts.Moves,
    *,
    now: datetime,
) -> Marked:
    """Make `rows` `sending` where that is still allowed and the lease is still ours; hold back or end the others.
    `left`: delivery id → for how many seconds more it is worth sending.

    What somebody else has changed meanwhile (a lease that ran out, a receipt) is left as it is and not handed over.
    """
    if not rows:
        return Marked()
    if _stopped(session, facts, channel, rows, owner, moves, now):
        return Marked(stopped=True)
    held = {row.id: Held(row.id, DeliveryState.EXPIRED, Reason.PAST_VALIDITY) for row in rows if not left[row.id]}
    if len(held) < len(rows):
        worth = [row for row in rows if row.id not in held]
        held |= recheck(session, facts, channel, worth, options, now=now)
    _hold_back(session, facts, channel, list(held.values()), owner, moves, now)
    ready = [row for row in rows if row.id not in held]
    marked = set(
        session.scalars(
            text(_MARK.format(ids=among(session, "id"))),
            {
                "ids": listed(session, [row.id for row in ready]),
                "owner": owner,
                "now": moment(session, now),
                "lease": moment(session, now + options.send_lease),
            },
        )
    )
    return Marked([row for row in ready if row.id in marked])


def _stopped(
    session: Session,
    facts: CampaignFacts,
    channel: Channel,
    rows: Sequence[Claimed],
    owner: str,
    moves: counts.Moves,
    now: datetime,
) -> bool:
    """Paused, cancelled or overtaken by events: give back or end the rows, and say so."""
    query = select(Campaign.state, Incident.state, Incident.publication).outerjoin(
        Incident, Incident.id == Campaign.incident_id
    )
    state, incident, publication = session.execute(query.where(Campaign.id == facts.id)).one()
    reason = overtaken(facts.kind, incident, publication)
    if reason is not None:
        over = [Held(row.id, DeliveryState.CANCELLED, reason) for row in rows]
        _hold_back(session, facts, channel, over, owner, moves, now)
        return True
    if state is not CampaignState.RUNNING:
        release(session, [row.id for row in rows], owner)
        return True
    return False


def _hold_back(
    session: Session,
    facts: CampaignFacts,
    channel: Channel,
    held: Sequence[Held],
    owner: str,
    moves: counts.Moves,
    now: datetime,
) -> None:
    groups: dict[tuple[Any, ...], list[int]] = {}
    for one in held:
        groups.setdefault((one.state, one.reason, one.not_before), []).append(one.id)
    for (state, reason, not_before), ids in groups.items():
        ended = state is not DeliveryState.PENDING
        parameters = {
            "state": state.value,
            "reason": reason,
            "not_before": moment(session, not_before or now),
            "final_at": moment(session, now) if ended else None,
            "owner": owner,
            "ids": listed(session, ids),
        }
        n = changed(session, _HOLD.format(ids=among(session, "id")), parameters)
        if ended:
            source = counts.place(facts.id, channel, DeliveryState.PENDING)
            moves.move(source, counts.place(facts.id, channel, state, reason), n)


_MARK = (
    "UPDATE delivery SET state = 'sending', attempt = attempt + 1, sending_at = :now, lease_until = :lease "
    "WHERE {ids} AND state = 'claimed' AND owner = :owner AND lease_until > :now RETURNING id"
)
_HOLD = (
    "UPDATE delivery SET state = :state, reason = :reason, not_before = :not_before, final_at = :final_at, "
    "owner = NULL, lease_until = NULL WHERE {ids} AND state = 'claimed' AND owner = :owner"
)
