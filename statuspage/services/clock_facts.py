"""What the clocks of an incident need to know, read from what really happened."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from statuspage.domain import clocks
from statuspage.domain.campaign import CampaignKind
from statuspage.domain.clocks import PROFILES, Clock, ClockFacts, ClockProfile, PublicUpdate
from statuspage.domain.incident import OPEN, IncidentState
from statuspage.models import AuditEntry, Campaign, Incident, IncidentUpdate
from statuspage.services.operator_facts import OperatorFacts

REPORT_FILED = "report.filed"
"""The audit action that stops a report's clock; its detail names the report."""


def profile_of(incident: Incident) -> ClockProfile:
    return PROFILES.get(incident.profile, PROFILES["default_billing"])


def due(session: Session, incident: Incident, operator: OperatorFacts, now: datetime) -> tuple[Clock, ...]:
    """Every clock of the incident, the most urgent open one first."""
    return clocks.due(profile_of(incident), facts(session, incident, operator), now)


def facts(session: Session, incident: Incident, operator: OperatorFacts) -> ClockFacts:
    """An update counts from when the public could read it, whatever time it shows: a back-dated one is not early."""
    return ClockFacts(
        declared_at=incident.declared_at,
        zone=operator.zone,
        updates=public_updates(session, incident),
        expected_end=incident.expected_end_at,
        first_sms_at=_first_accepted(session, incident, CampaignKind.INCIDENT_NOTICE),
        restored_at=incident.restored_at,
        end_notice_at=_first_accepted(session, incident, CampaignKind.END_NOTICE),
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


def _first_accepted(session: Session, incident: Incident, kind: CampaignKind) -> datetime | None:
    query = select(func.min(Campaign.first_accepted_at))
    return session.scalar(query.where(Campaign.incident_id == incident.id, Campaign.kind == kind))


def _reports_done(session: Session, incident: Incident) -> dict[str, datetime]:
    query = select(AuditEntry).where(AuditEntry.entity == "incident", AuditEntry.entity_id == incident.public_id)
    filed = session.scalars(query.where(AuditEntry.action == REPORT_FILED).order_by(AuditEntry.id.desc()))
    done = {str(entry.detail["report"]): entry.at for entry in filed}
    if incident.state is IncidentState.POSTMORTEM:
        done.setdefault("public", incident.updated_at)
    return done
