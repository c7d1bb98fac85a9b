"""Draft a campaign, edit it, find it; and what the restoration of an incident makes of its campaigns."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import count

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifiers.base import Channel
from statuspage.domain.campaign import EDITABLE, OVER, CampaignKind, CampaignState, priority
from statuspage.domain.consent import LegalBasis
from statuspage.domain.delivery import REACHED, RESEND_UNKNOWN, DeliveryState, Reason
from statuspage.domain.errors import NotFound, RuleError, check_all
from statuspage.domain.roles import Permission
from statuspage.models import Campaign, Incident, MessageTemplate
from statuspage.services import (
    audience_sql,
    audit,
    campaign_course,
    campaign_templates,
    campaign_texts,
    clock_facts,
    counts,
)
from statuspage.services.actor import Actor
from statuspage.services.campaign_texts import Bodies
from statuspage.services.wording import line

NAME_LENGTH = 120
VALIDITY_SECONDS = 4 * 3600
LONGEST_VALIDITY_SECONDS = 36_000
"""Twilio's longest (notifications.md §4a)."""

MONEY = Decimal("0.0001")


@dataclass(frozen=True)
class Edit:
    """What changes; None leaves it. `texts`: field → locale → text with placeholders."""

    texts: Bodies | None = None
    audience: str | None = None
    channels: Sequence[Channel] | None = None
    name: str | None = None
    cost_ceiling: Decimal | None = None
    validity_seconds: int | None = None


def get_campaign(session: Session, public_id: str) -> Campaign:
    """Raises NotFound."""
    campaign = session.scalar(select(Campaign).where(Campaign.public_id == public_id))
    if campaign is None:
        said = f"campaign: there is none with the id {public_id!r}."
        raise NotFound("campaign.not_found", said, "campaign", {"id": public_id[:40]})
    return campaign


def list_campaigns(session: Session, incident: Incident | None = None, *, limit: int = 100) -> list[Campaign]:
    """Newest first, without the standing one of confirmations."""
    query = select(Campaign).where(Campaign.kind != CampaignKind.CONFIRMATION).order_by(Campaign.id.desc())
    if incident is not None:
        query = query.where(Campaign.incident_id == incident.id)
    return list(session.scalars(query.limit(limit)))


def list_message_templates(session: Session) -> list[MessageTemplate]:
    return list(session.scalars(select(MessageTemplate).order_by(MessageTemplate.id)))


def get_message_template(session: Session, key: str) -> MessageTemplate:
    """Raises NotFound naming the templates there are."""
    template = session.scalar(select(MessageTemplate).where(MessageTemplate.key == key))
    if template is None:
        known = ", ".join(one.key for one in list_message_templates(session)) or "none"
        said = f"template: {key!r} is unknown. There are: {known}."
        raise NotFound("message_template.not_found", said, "template", {"name": key[:60], "known": known})
    return template


def draft_campaign(
    session: Session,
    actor: Actor,
    incident: Incident,
    template: MessageTemplate,
    *,
    channels: Sequence[Channel] = tuple(Channel),
    told_by: Campaign | None = None,
    now: datetime,
) -> Campaign:
    """A draft to the people the incident concerns, narrowed by the template's own audience.

    An end notice needs `told_by`, the campaign whose recipients it goes to.
    """
    actor.require(Permission.CAMPAIGN_EDIT)
    return _draft(session, actor, incident, template, _channels(channels), told_by, now)


def edit_campaign(
    session: Session, actor: Actor, campaign: Campaign, edit: Edit, *, version: int, now: datetime
) -> Campaign:
    """Change a campaign that has not started. Every edit takes it back to draft and voids its approval.

    `version` is the one the editor saw; RuleError when somebody else has edited meanwhile.
    """
    actor.require(Permission.CAMPAIGN_EDIT)
    campaign_course.lock(session, campaign)
    if campaign.version != version:
        raise RuleError(
            "campaign.edited_meanwhile", "version: somebody else edited this campaign. Look at it again.", "version"
        )
    if campaign.state not in EDITABLE:
        said = f"state: one that is {campaign.state} is not edited. Draft another."
        raise RuleError("campaign.not_editable", said, "state", {"state": campaign.state})
    _apply(session, campaign, edit, now)
    campaign_course.void_approval(campaign)
    if campaign.state is not CampaignState.DRAFT:
        campaign_course.move(campaign, CampaignState.DRAFT, now)
    campaign.version += 1
    campaign.updated_at = now
    session.flush()
    audit.record(session, actor, "campaign.edited", "campaign", campaign.public_id, now, {"version": campaign.version})
    return campaign


def on_restored(session: Session, actor: Actor, incident: Incident, now: datetime) -> list[Campaign]:
    """Payments work again: what is left of the outage's messages is cancelled at once, and for those who were told an
    end notice is drafted, to be approved like any other; where they all know the end, the audit says that instead.
    Returns the drafts. Needs no permission of its own: it follows from the restoration. Asking again drafts nothing
    twice."""
    query = select(Campaign).where(Campaign.incident_id == incident.id, Campaign.kind == CampaignKind.INCIDENT_NOTICE)
    owed = {one.campaign for one in clock_facts.told(session, incident) if one.end_at is None}
    drafts: list[Campaign] = []
    for campaign in session.scalars(query.order_by(Campaign.id)).all():
        campaign_course.lock(session, campaign)
        if campaign.state not in OVER:
            campaign_course.stop(session, actor, campaign, Reason.INCIDENT_OVER, now)
        notice = _end_notice(session, actor, incident, campaign, owed, now)
        if notice is not None:
            drafts.append(notice)
    return drafts


def _end_notice(
    session: Session, actor: Actor, incident: Incident, told_by: Campaign, owed: Collection[str], now: datetime
) -> Campaign | None:
    """The draft for those whom `told_by` told; None where nobody is left to tell. `owed`: public ids of the campaigns
    of whose people some do not know the end."""
    found = counts.read(session, told_by.id)
    # What a sender holds this moment may still reach somebody.
    if told_by.started_at is None or not counts.total(found, *REACHED, DeliveryState.PENDING):
        return None
    if not counts.total(found, DeliveryState.PENDING) and told_by.public_id not in owed:
        audit.record(session, actor, "campaign.end_known", "campaign", told_by.public_id, now)
        return None
    standing = select(Campaign.id).where(
        Campaign.told_by_id == told_by.id, Campaign.state != CampaignState.CANCELLED, Campaign.started_at.is_(None)
    )
    template = session.scalar(
        select(MessageTemplate)
        .where(MessageTemplate.purpose == campaign_templates.END_PURPOSE.get(told_by.purpose, "end"))
        .order_by(MessageTemplate.id)
    )
    if template is None or session.scalar(standing) is not None:
        return None
    channels = [Channel(channel) for channel in told_by.channels]
    return _draft(session, actor, incident, template, channels, told_by, now)


def _draft(
    session: Session,
    actor: Actor,
    incident: Incident,
    template: MessageTemplate,
    channels: Sequence[Channel],
    told_by: Campaign | None,
    now: datetime,
) -> Campaign:
    kind = _kind(incident, template, told_by)
    campaign = Campaign(
        incident_id=incident.id,
        told_by_id=told_by.id if told_by is not None and kind is CampaignKind.END_NOTICE else None,
        kind=kind,
        purpose=template.purpose,
        name=_name(session, incident, template.key),
        state=CampaignState.DRAFT,
        priority=priority(kind),
        channels=[channel.value for channel in channels],
        audience=campaign_templates.audience(session, incident, template) if told_by is None else told_by.audience,
        basis=LegalBasis.CONTRACT.value,
        validity_seconds=VALIDITY_SECONDS,
        resend_unknown=[channel.value for channel in RESEND_UNKNOWN],
        estimated={},
        author_id=actor.id,
        created_at=now,
        updated_at=now,
    )
    session.add(campaign)
    session.flush()
    campaign_texts.copy_template(session, campaign, template, now)
    told = {"incident": incident.public_id, "template": template.key}
    audit.record(session, actor, "campaign.drafted", "campaign", campaign.public_id, now, {**told})
    return campaign


def _name(session: Session, incident: Incident, key: str) -> str:
    """What no other campaign of the incident is called."""
    taken = set(session.scalars(select(Campaign.name).where(Campaign.incident_id == incident.id)))
    return next(name for n in count(1) if (name := key if n == 1 else f"{key} {n}") not in taken)


def _kind(incident: Incident, template: MessageTemplate, told_by: Campaign | None) -> CampaignKind:
    if not campaign_templates.ends(template):
        return CampaignKind.INCIDENT_NOTICE
    if told_by is None or told_by.incident_id != incident.id:
        raise RuleError(
            "campaign.told_by_missing",
            "told_by: an end notice goes to those whom a campaign of this incident told. Name that campaign.",
            "told_by",
        )
    return CampaignKind.END_NOTICE


def _apply(session: Session, campaign: Campaign, edit: Edit, now: datetime) -> None:
    """All that is wrong with it is said at once; nothing of it is kept then."""

    def texts() -> None:
        campaign_texts.write_draft(session, campaign, edit.texts or {}, now)

    def audience() -> None:
        if edit.audience is not None:
            campaign.audience = _audience(session, campaign, edit.audience)

    def channels() -> None:
        if edit.channels is not None:
            campaign.channels = [channel.value for channel in _channels(edit.channels)]

    def name() -> None:
        campaign.name = line(edit.name or "", "campaign_name", NAME_LENGTH) or campaign.name

    def ceiling() -> None:
        if edit.cost_ceiling is not None:
            campaign.cost_ceiling, campaign.estimated = _ceiling(edit.cost_ceiling), {}

    def validity() -> None:
        if edit.validity_seconds is not None:
            campaign.validity_seconds = _validity(edit.validity_seconds)

    check_all((audience, channels, texts, name, ceiling, validity))


def _audience(session: Session, campaign: Campaign, expression: str) -> str:
    if campaign.told_by_id is not None:
        said = "audience: an end notice goes to those who were told, and to all of them."
        raise RuleError("campaign.audience_fixed", said, "audience")
    return audience_sql.check_expression(session, expression)


def _ceiling(amount: Decimal) -> Decimal:
    if amount < 0:
        said = f"cost_ceiling: {amount} is below 0. Give 0 or more."
        raise RuleError("campaign.bad_ceiling", said, "cost_ceiling", {"value": amount})
    return amount.quantize(MONEY)


def _validity(seconds: int) -> int:
    if not 60 <= seconds <= LONGEST_VALIDITY_SECONDS:
        minutes, most = seconds // 60, LONGEST_VALIDITY_SECONDS // 60
        said = f"validity_minutes: {minutes} is not within 1 to {most}."
        raise RuleError("campaign.bad_validity", said, "validity_minutes", {"value": minutes, "limit": most})
    return seconds


def _channels(channels: Sequence[Channel]) -> list[Channel]:
    chosen = [channel for channel in Channel if channel in channels]
    if not chosen:
        raise RuleError("campaign.no_channel", "channels: name sms, email or both.", "channels")
    return chosen
