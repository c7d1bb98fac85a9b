"""The course of an approved campaign: scheduled, started, paused, resumed, cancelled, finished."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from notifiers.base import Channel
from statuspage.db import is_sqlite
from statuspage.domain.campaign import (
    CampaignKind,
    CampaignState,
    check_approved_content,
    check_count,
    check_move,
    overtaken,
)
from statuspage.domain.delivery import DeliveryState, Reason
from statuspage.domain.errors import RuleError
from statuspage.domain.roles import Permission
from statuspage.models import Campaign, Delivery, Incident, Line
from statuspage.services import audit, campaign_texts, counts, outbox, preview, recipients, words
from statuspage.services.actor import SYSTEM, Actor
from statuspage.services.rows import moment

CANCEL_CHUNK = 5_000

WORDS_WAIT = "words_not_approved"
"""Why a campaign stands that began before its incident was one of security."""

logger = structlog.get_logger(__name__)


def lock(session: Session, campaign: Campaign) -> Campaign:
    """Read the row anew and hold it, so that two verbs on one campaign queue up and the second sees the first."""
    session.refresh(campaign, with_for_update=True)
    return campaign


def move(campaign: Campaign, to: CampaignState, now: datetime) -> None:
    """Refused by the table of legal predecessors."""
    check_move(campaign.state, to)
    campaign.state, campaign.updated_at = to, now


def void_approval(campaign: Campaign) -> None:
    campaign.approved_by = campaign.approved_at = campaign.approved_hash = None
    campaign.break_glass_reason = campaign.scheduled_at = campaign.content_hash = None
    campaign.generation = campaign.counted_at = campaign.quiet_override_by = None
    if campaign.estimated.get("own_ceiling") is False:
        # It followed from the preview that is void now.
        campaign.cost_ceiling = None


def schedule_campaign(session: Session, actor: Actor, campaign: Campaign, at: datetime, *, now: datetime) -> Campaign:
    """Have an approved campaign start by itself. `at` is aware and lies ahead."""
    actor.require(Permission.CAMPAIGN_SEND)
    lock(session, campaign)
    if at <= now:
        said = f"at: {at.isoformat()} is not ahead. Start it now instead."
        raise RuleError("campaign.schedule_past", said, "at", {"at": at})
    check_count(campaign.counted_at, at)
    move(campaign, CampaignState.SCHEDULED, now)
    campaign.scheduled_at = at
    session.flush()
    audit.record(session, actor, "campaign.scheduled", "campaign", campaign.public_id, now, {"at": at.isoformat()})
    return campaign


def start_campaign(session: Session, actor: Actor, campaign: Campaign, *, now: datetime) -> Campaign:
    """Set it going. Returns at once however many people there are: whom it tells was frozen when they were counted."""
    actor.require(Permission.CAMPAIGN_SEND)
    lock(session, campaign)
    _check_not_started(campaign)
    check_move(campaign.state, CampaignState.RUNNING)
    if campaign.state is CampaignState.PAUSED:
        raise RuleError("campaign.paused", "state: the campaign is paused. Resume it.", "state")
    _check_startable(session, campaign)
    words.check_message(session, campaign.incident_id, campaign_texts.draft(session, campaign).values())
    check_count(campaign.counted_at, now)
    move(campaign, CampaignState.RUNNING, now)
    campaign.started_at = now
    if campaign.generation is None:
        # Approved by the release before this one, which counted nobody for good.
        campaign.generation = recipients.current_generation(session)
    walked = Line.id if campaign.told_by_id is None else Delivery.id
    campaign.expand_until = session.scalar(select(func.max(walked))) or 0
    campaign.expand_cursor = 0
    session.flush()
    outbox.wake(session)
    audit.record(session, actor, "campaign.started", "campaign", campaign.public_id, now)
    return campaign


def start_due(session: Session, *, now: datetime) -> int:
    """Start the campaigns whose time has come; one that may not start any more is cancelled, with the reason."""
    query = select(Campaign).where(Campaign.state == CampaignState.SCHEDULED, Campaign.scheduled_at <= now)
    started = 0
    for campaign in session.scalars(query.order_by(Campaign.priority, Campaign.id)).all():
        if lock(session, campaign).state is not CampaignState.SCHEDULED:
            # Somebody was quicker: it runs, or is not to run.
            continue
        try:
            start_campaign(session, SYSTEM, campaign, now=now)
        except RuleError as refusal:
            campaign.state, campaign.pause_reason = CampaignState.CANCELLED, refusal.code[:60]
            campaign.finished_at = campaign.updated_at = now
            session.flush()
            audit.record(
                session, SYSTEM, "campaign.not_started", "campaign", campaign.public_id, now, {"code": refusal.code}
            )
            logger.warning("campaign.not_started", campaign_id=campaign.public_id, code=refusal.code)
        else:
            started += 1
    return started


def pause_campaign(session: Session, actor: Actor, campaign: Campaign, *, now: datetime, reason: str = "") -> Campaign:
    """Nothing new is handed over once this has committed; what is in flight comes to its end."""
    actor.require(Permission.CAMPAIGN_SEND)
    lock(session, campaign)
    _check_not_standing(campaign)
    return _pause(session, actor, campaign, reason, now)


def pause_by_engine(session: Session, campaign_id: int, reason: str, *, now: datetime) -> None:
    """The sender's brake: every other message would fail alike. Nothing happens when it does not run any more."""
    campaign = session.scalar(select(Campaign).where(Campaign.id == campaign_id).with_for_update())
    if campaign is None or campaign.state is not CampaignState.RUNNING or campaign.kind is CampaignKind.CONFIRMATION:
        return
    _pause(session, SYSTEM, campaign, reason, now)
    logger.error("campaign.paused_by_engine", campaign_id=campaign.public_id, reason=reason)


def pause_for_words(session: Session, incident: Incident, *, now: datetime) -> None:
    """Stop what runs about an incident of which only agreed words are said from now on, until they are agreed to."""
    query = select(Campaign).where(Campaign.incident_id == incident.id, Campaign.state == CampaignState.RUNNING)
    for campaign in session.scalars(query.order_by(Campaign.id).with_for_update()).all():
        if words.message_waits(session, incident.id, campaign_texts.draft(session, campaign).values()):
            _pause(session, SYSTEM, campaign, WORDS_WAIT, now)
            logger.warning("campaign.paused_for_words", campaign_id=campaign.public_id)


def resume_campaign(session: Session, actor: Actor, campaign: Campaign, *, now: datetime) -> Campaign:
    actor.require(Permission.CAMPAIGN_SEND)
    lock(session, campaign)
    if campaign.state is not CampaignState.PAUSED:
        said = f"state: the campaign is {campaign.state}, not paused."
        raise RuleError("campaign.not_paused", said, "state", {"state": campaign.state})
    _check_startable(session, campaign)
    words.check_message(session, campaign.incident_id, campaign_texts.draft(session, campaign).values())
    move(campaign, CampaignState.RUNNING, now)
    campaign.pause_reason = None
    session.flush()
    outbox.wake(session)
    audit.record(session, actor, "campaign.resumed", "campaign", campaign.public_id, now)
    return campaign


def cancel_campaign(session: Session, actor: Actor, campaign: Campaign, *, now: datetime) -> Campaign:
    """Nothing more goes out. The rest of its deliveries is marked cancelled in short steps by `sweep_cancelled`."""
    actor.require(Permission.CAMPAIGN_SEND)
    lock(session, campaign)
    _check_not_standing(campaign)
    return stop(session, actor, campaign, Reason.CAMPAIGN_CANCELLED, now)


def stop(session: Session, actor: Actor, campaign: Campaign, reason: Reason, now: datetime) -> Campaign:
    """Cancel a locked campaign for `reason`, which its deliveries will carry."""
    move(campaign, CampaignState.CANCELLED, now)
    campaign.finished_at, campaign.pause_reason = now, reason.value
    session.flush()
    outbox.wake(session)
    audit.record(session, actor, "campaign.cancelled", "campaign", campaign.public_id, now, {"reason": reason.value})
    return campaign


def sweep_cancelled(session: Session, *, now: datetime) -> bool:
    """Mark up to 5,000 waiting deliveries of a cancelled campaign; True while there may be more."""
    found = session.execute(_CANCELLED_WITH_REST).first()
    if found is None:
        return False
    reason = found.pause_reason or Reason.CAMPAIGN_CANCELLED.value
    moves = counts.Moves()
    lock_clause = "" if is_sqlite(session) else " FOR UPDATE SKIP LOCKED"
    parameters = {"campaign": found.id, "reason": reason, "now": moment(session, now), "limit": CANCEL_CHUNK}
    rows = session.execute(text(_SWEEP.format(lock=lock_clause)), parameters).all()
    for row in rows:
        source = counts.place(found.id, row.channel, DeliveryState.PENDING)
        moves.move(source, counts.place(found.id, row.channel, DeliveryState.CANCELLED, reason))
    moves.write(session)
    return len(rows) == CANCEL_CHUNK


def finish_done(session: Session, *, now: datetime) -> list[str]:
    """Finish the campaigns of which nothing is open any more, and return their public ids.

    Open is what is pending or in hand; an unknown one that its policy will send again; an SMS whose receipt may still
    ask for another try, until its validity has passed.
    """
    done: list[str] = []
    running = select(Campaign).where(
        Campaign.state == CampaignState.RUNNING,
        Campaign.expanded_at.is_not(None),
        Campaign.kind != CampaignKind.CONFIRMATION,
    )
    for campaign in session.scalars(running).all():
        if _open(session, campaign, now):
            continue
        lock(session, campaign)
        if campaign.state is CampaignState.RUNNING:
            move(campaign, CampaignState.FINISHED, now)
            campaign.finished_at = now
            done.append(campaign.public_id)
            logger.info("campaign.finished", campaign_id=campaign.public_id)
    session.flush()
    return done


def _open(session: Session, campaign: Campaign, now: datetime) -> bool:
    found = counts.read(session, campaign.id)
    if counts.total(found, DeliveryState.PENDING):
        return True
    resent = [one for one in found if one.channel in campaign.resend_unknown]
    waiting = campaign.started_at is None or now < campaign.started_at + timedelta(seconds=campaign.validity_seconds)
    if waiting and counts.total(resent, DeliveryState.UNKNOWN):
        return True
    told = [one for one in found if one.channel == Channel.SMS]
    return waiting and counts.total(told, DeliveryState.ACCEPTED) > 0


def _pause(session: Session, actor: Actor, campaign: Campaign, reason: str, now: datetime) -> Campaign:
    move(campaign, CampaignState.PAUSED, now)
    campaign.pause_reason = reason[:60] or None
    session.flush()
    audit.record(session, actor, "campaign.paused", "campaign", campaign.public_id, now, {"reason": reason[:60]})
    return campaign


def _check_not_started(campaign: Campaign) -> None:
    if campaign.state not in (CampaignState.RUNNING, CampaignState.FINISHED) or campaign.started_at is None:
        return
    raise RuleError(
        "campaign.started_already",
        f"state: the campaign is {campaign.state}, started {campaign.started_at.isoformat()}. Nobody is told twice.",
        "state",
        {"at": campaign.started_at, "variant": campaign.state},
    )


def _check_startable(session: Session, campaign: Campaign) -> None:
    incident = None if campaign.incident_id is None else session.get(Incident, campaign.incident_id)
    if incident is not None:
        session.refresh(incident)
        reason = overtaken(campaign.kind, incident.state, incident.publication)
        if reason is not None:
            raise RuleError(
                "campaign.overtaken",
                f"incident: it is {incident.state} and {incident.publication}, so this message is not true any more "
                f"({reason}). Cancel the campaign.",
                "incident",
                {"reason": reason},
            )
    approved = campaign_texts.going_out(session, campaign)
    check_approved_content(campaign.approved_hash, preview.current_hash(session, campaign, approved))


def _check_not_standing(campaign: Campaign) -> None:
    if campaign.kind is CampaignKind.CONFIRMATION:
        raise RuleError("campaign.standing", "campaign: confirmations always go out.", "campaign")


_CANCELLED_WITH_REST = text(
    "SELECT c.id, c.pause_reason FROM campaign c WHERE c.state = 'cancelled' AND EXISTS ("
    "SELECT 1 FROM delivery d WHERE d.campaign_id = c.id AND d.state = 'pending') ORDER BY c.id LIMIT 1"
)
_SWEEP = (
    "WITH rest AS MATERIALIZED (SELECT id FROM delivery WHERE campaign_id = :campaign AND state = 'pending' "
    "LIMIT :limit{lock}) "
    "UPDATE delivery SET state = 'cancelled', reason = :reason, final_at = :now "
    "WHERE id IN (SELECT id FROM rest) AND state = 'pending' RETURNING channel"
)
