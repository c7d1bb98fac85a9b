"""Four eyes: what is frozen for the approver, who may approve it, and the break-glass for when nobody can."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage.config import Settings
from statuspage.domain.campaign import (
    EDITABLE,
    CampaignState,
    check_approved_content,
    check_approver,
    check_break_glass,
)
from statuspage.domain.delivery import Reason
from statuspage.domain.errors import NotAllowed, RuleError
from statuspage.domain.roles import Permission
from statuspage.models import AuditEntry, Campaign, User
from statuspage.services import alone, audit, campaign_course, campaign_texts, recipients, words
from statuspage.services import preview as previews
from statuspage.services.actor import Actor
from statuspage.services.preview import Preview

_WORKED_ON = ("campaign.drafted", "campaign.edited", "campaign.approval_requested")

logger = structlog.get_logger(__name__)


def request_approval(
    session: Session, actor: Actor, campaign: Campaign, *, settings: Settings, now: datetime
) -> Preview:
    """Freeze texts, audience and cost ceiling and ask for a second person; where none is needed, approve at once. What
    counts is its messages with those that were released so before (`services.alone`).

    The people are frozen with it: those of the import that is visible now, and who has signed up by now. Whoever comes
    later was seen by nobody who approved and is not told; asking again, also of an approved one, counts them anew.
    Refused while a text or a value is missing, naming it, when nobody would be told, and while the legal department has
    not agreed to the words about a security incident.
    """
    actor.require(Permission.CAMPAIGN_EDIT)
    found = _freeze(session, campaign, settings, now)
    campaign_course.move(campaign, CampaignState.AWAITING_APPROVAL, now)
    audit.record(
        session,
        actor,
        "campaign.approval_requested",
        "campaign",
        campaign.public_id,
        now,
        {
            "recipients": found.recipients,
            "hash": campaign.content_hash,
            "needed": found.release.needed,
            "released": found.release.by_nobody,
        },
    )
    if not found.release.needed:
        _approved(campaign, None, now)
    session.flush()
    return found


def approve(session: Session, actor: Actor, campaign: Campaign, *, seen_hash: str, now: datetime) -> Campaign:
    """A second person agrees to exactly what he saw (`seen_hash`). Twice by the same person has one effect."""
    approver = check_person(session, actor, "approver")
    campaign_course.lock(session, campaign)
    check_approver(authors(session, campaign), approver)
    if campaign.state is CampaignState.APPROVED and campaign.approved_by == actor.id:
        check_approved_content(campaign.approved_hash, seen_hash)
        return campaign
    if campaign.state is not CampaignState.AWAITING_APPROVAL:
        raise RuleError(
            "campaign.not_awaiting",
            f"state: the campaign is {campaign.state}; nobody asks for approval.",
            "state",
            {"state": campaign.state},
        )
    check_approved_content(campaign.content_hash, seen_hash)
    current = previews.current_hash(session, campaign, campaign_texts.going_out(session, campaign))
    check_approved_content(campaign.content_hash, current)
    _approved(campaign, approver, now)
    session.flush()
    audit.record(session, actor, "campaign.approved", "campaign", campaign.public_id, now, {"hash": seen_hash})
    return campaign


def check_person(session: Session, actor: Actor, field: str) -> int:
    """Whoever approves is a person with a log-in of his own; the row id."""
    actor.require(Permission.CAMPAIGN_APPROVE)
    if actor.kind != "user" or actor.id is None:
        raise NotAllowed("campaign.approval_by_person", f"{field}: only a person who has logged in approves.", field)
    if session.get_one(User, actor.id).must_change_password:
        # Whoever made the log-in has seen that password, so it does not tell one person from another.
        raise NotAllowed(
            "campaign.first_password", f"{field}: a first password approves nothing. Choose your own first.", field
        )
    return actor.id


def break_glass(
    session: Session, actor: Actor, campaign: Campaign, *, reason: str, settings: Settings, now: datetime
) -> Preview:
    """One person alone releases a small campaign, saying why; it is capped together with the others of the incident,
    and of any incident in the last 24 hours, that were released so, audited and raises an alarm."""
    actor.require(Permission.CAMPAIGN_BREAK_GLASS)
    found = _freeze(session, campaign, settings, now)
    check_break_glass(found.recipients, settings.break_glass_cap, reason, found.release.alone)
    _approved(campaign, None, now)
    campaign.break_glass_reason = reason.strip()
    session.flush()
    audit.record(
        session,
        actor,
        "campaign.break_glass",
        "campaign",
        campaign.public_id,
        now,
        {"recipients": found.recipients, "hash": campaign.content_hash},
    )
    logger.error("campaign.break_glass", campaign_id=campaign.public_id, count=found.recipients)
    return found


def done_by(session: Session, campaign: Campaign, act: str) -> str | None:
    """Who did `act` last, such as "drafted" or "break_glass", as the audit has it: a person's public id, or cli or
    system; None when nobody has."""
    query = select(AuditEntry.actor_id).where(
        AuditEntry.entity == "campaign",
        AuditEntry.entity_id == campaign.public_id,
        AuditEntry.action == f"campaign.{act}",
    )
    return session.scalar(query.order_by(AuditEntry.id.desc()).limit(1))


def authors(session: Session, campaign: Campaign) -> set[int]:
    """Everybody who drafted the campaign, edited it or asked for its approval, by row id."""
    worked = (
        select(User.id)
        .join(AuditEntry, AuditEntry.actor_id == User.public_id)
        .where(
            AuditEntry.entity == "campaign",
            AuditEntry.entity_id == campaign.public_id,
            AuditEntry.actor_kind == "user",
            AuditEntry.action.in_(_WORKED_ON),
        )
    )
    own = set() if campaign.author_id is None else {campaign.author_id}
    return own | set(session.scalars(worked))


def _freeze(session: Session, campaign: Campaign, settings: Settings, now: datetime) -> Preview:
    campaign_course.lock(session, campaign)
    if campaign.state in EDITABLE - {CampaignState.DRAFT}:
        campaign_course.move(campaign, CampaignState.DRAFT, now)
    if campaign.state is not CampaignState.DRAFT:
        said = f"state: the campaign is {campaign.state}, not a draft."
        raise RuleError("campaign.not_draft", said, "state", {"state": campaign.state})
    words.check_message(session, campaign.incident_id, campaign_texts.draft(session, campaign).values())
    campaign_course.void_approval(campaign)
    filled = campaign_texts.fill(session, campaign, settings, now=now)
    campaign_texts.freeze(session, campaign, filled, now)
    campaign.generation, campaign.counted_at = recipients.current_generation(session), now
    session.flush()
    found = previews.preview(session, campaign, settings, now=now)
    if recipients.hold_generation(session) != campaign.generation:
        raise RuleError(
            "campaign.file_came_in",
            "audience: a newer subscriber file came in while people were counted. Ask again.",
            "audience",
        )
    _check_somebody(found)
    own_ceiling = campaign.cost_ceiling is not None
    if campaign.cost_ceiling is None:
        campaign.cost_ceiling = previews.ceiling(found)
    if found.cost > campaign.cost_ceiling:
        raise RuleError(
            "campaign.above_ceiling",
            f"cost_ceiling: it would cost {found.cost} {settings.currency}, more than {campaign.cost_ceiling}. "
            "Raise the ceiling or shorten the text.",
            "cost_ceiling",
            {"cost": found.cost, "ceiling": campaign.cost_ceiling, "currency": settings.currency},
        )
    campaign.currency = settings.currency
    campaign.estimated = {**found.summary(), "own_ceiling": own_ceiling}
    campaign.content_hash = previews.current_hash(session, campaign, filled.flat())
    alone.hold(session)
    return replace(found, release=alone.release(session, campaign, found.recipients, settings, at=now))


def _check_somebody(found: Preview) -> None:
    if not found.recipients and any(one.left_out.get(Reason.END_TOLD) for one in found.channels):
        raise RuleError(
            "campaign.end_told",
            "audience: another end notice of the incident has told all of them. Cancel this one.",
            "audience",
        )
    if not found.recipients:
        raise RuleError("campaign.nobody", "audience: nobody who may be told is in it. Widen it.", "audience")


def _approved(campaign: Campaign, approver_id: int | None, now: datetime) -> None:
    campaign_course.move(campaign, CampaignState.APPROVED, now)
    campaign.approved_by, campaign.approved_at, campaign.approved_hash = approver_id, now, campaign.content_hash
