"""What the clocks of an incident need to know, read from what really happened."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from statuspage.domain import clocks
from statuspage.domain.campaign import CampaignKind, CampaignState
from statuspage.domain.clocks import PROFILES, Clock, ClockFacts, ClockProfile, PublicUpdate, Told
from statuspage.domain.delivery import DeliveryState
from statuspage.domain.incident import OPEN, IncidentState
from statuspage.models import AuditEntry, Campaign, Delivery, Incident, IncidentUpdate, Suppression
from statuspage.services import counts
from statuspage.services.operator_facts import OperatorFacts

REPORT_FILED = "report.filed"
"""The audit action that stops a report's clock; its detail names the report."""

_REACHED = (DeliveryState.ACCEPTED, DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.UNKNOWN)


def profile_of(incident: Incident) -> ClockProfile:
    return PROFILES.get(incident.profile, PROFILES["default_billing"])


def due(session: Session, incident: Incident, operator: OperatorFacts, now: datetime) -> tuple[Clock, ...]:
    """Every clock of the incident, the most urgent open one first."""
    known = replace(facts(session, incident, operator), told=told(session, incident))
    return clocks.due(profile_of(incident), known, now)


def facts(session: Session, incident: Incident, operator: OperatorFacts) -> ClockFacts:
    """All but who was told, which is dear to find out. An update counts from when the public could read it, whatever
    time it shows: a back-dated one is not early."""
    return ClockFacts(
        declared_at=incident.declared_at,
        zone=operator.zone,
        updates=public_updates(session, incident),
        expected_end=incident.expected_end_at,
        first_sms_at=_first_accepted(session, incident),
        restored_at=incident.restored_at,
        resolved_at=incident.resolved_at,
        reports_done=_reports_done(session, incident),
    )


def public_updates(session: Session, incident: Incident) -> tuple[PublicUpdate, ...]:
    """In order of when the public saw them; none while the incident is unpublished."""
    published_at = incident.published_at
    if published_at is None:
        return ()
    query = select(IncidentUpdate).where(IncidentUpdate.incident_id == incident.id)
    rows = session.scalars(query.order_by(IncidentUpdate.created_at, IncidentUpdate.id))
    return tuple(PublicUpdate(max(row.created_at, published_at), row.next_update_at, row.state in OPEN) for row in rows)


def told(session: Session, incident: Incident) -> tuple[Told, ...]:
    """Whom campaigns of the incident told, campaign by campaign and channel by channel, and since when each knows the
    end. An end notice that was cut off, or left a channel out, is none for those whom it does not reach."""
    query = select(Campaign).where(Campaign.incident_id == incident.id, Campaign.started_at.is_not(None))
    started = session.scalars(query.order_by(Campaign.id)).all()
    ends = [(one, _reaches_all(session, one)) for one in started if one.kind is CampaignKind.END_NOTICE]
    found: list[Told] = []
    for notice in (one for one in started if one.kind is CampaignKind.INCIDENT_NOTICE):
        for channel in sorted(_reached(session, notice)):
            if _may_be_told(session, notice, channel):
                at = [end.first_accepted_at for end, to in ends if end.told_by_id == notice.id and channel in to]
                found.append(Told(notice.public_id, channel, min((one for one in at if one is not None), default=None)))
    return tuple(found)


def _reached(session: Session, campaign: Campaign) -> set[str]:
    """Channels by which somebody had its message."""
    return {one.channel for one in counts.read(session, campaign.id) if one.state in _REACHED}


def _reaches_all(session: Session, end: Campaign) -> set[str]:
    """Channels in which an end notice is under way and nobody was left out. Cancelled after a try was not left out."""
    cancelled = end.state is CampaignState.CANCELLED
    if cancelled and end.expanded_at is None:
        return set()
    lost = {one.channel for one in counts.read(session, end.id) if cancelled or one.state is DeliveryState.CANCELLED}
    untried = select(Delivery.id).where(Delivery.campaign_id == end.id, Delivery.attempt == 0).limit(1)
    dropped = (DeliveryState.CANCELLED, DeliveryState.PENDING) if cancelled else (DeliveryState.CANCELLED,)
    left_out = {
        channel
        for channel in lost
        if session.scalar(untried.where(Delivery.channel == channel, Delivery.state.in_(dropped))) is not None
    }
    return _reached(session, end) - left_out


def _may_be_told(session: Session, campaign: Campaign, channel: str) -> bool:
    """Whether anybody it reached may still be written to: who opted out since, or is erased, is owed nothing."""
    refused = select(Suppression.address_hash).where(
        Suppression.channel == Delivery.channel, Suppression.address_hash == Delivery.address_hash
    )
    reached = select(Delivery.id).where(
        Delivery.campaign_id == campaign.id,
        Delivery.channel == channel,
        Delivery.state.in_(_REACHED),
        Delivery.address.is_not(None),
        ~refused.exists(),
    )
    return session.scalar(reached.limit(1)) is not None


def _first_accepted(session: Session, incident: Incident) -> datetime | None:
    query = select(func.min(Campaign.first_accepted_at)).where(Campaign.incident_id == incident.id)
    return session.scalar(query.where(Campaign.kind == CampaignKind.INCIDENT_NOTICE))


def _reports_done(session: Session, incident: Incident) -> dict[str, datetime]:
    query = select(AuditEntry).where(AuditEntry.entity == "incident", AuditEntry.entity_id == incident.public_id)
    filed = session.scalars(query.where(AuditEntry.action == REPORT_FILED).order_by(AuditEntry.id.desc()))
    done = {str(entry.detail["report"]): entry.at for entry in filed}
    if incident.state is IncidentState.POSTMORTEM:
        done.setdefault("public", incident.updated_at)
    return done
