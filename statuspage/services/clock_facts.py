"""What the clocks of an incident need to know, read from what really happened."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Select, and_, except_, func, select
from sqlalchemy.orm import Session

from statuspage.domain import clocks
from statuspage.domain.campaign import CampaignKind, CampaignState
from statuspage.domain.clocks import PROFILES, Clock, ClockFacts, ClockProfile, NextUpdate, PublicUpdate, Told
from statuspage.domain.delivery import REACHED, DeliveryState, Reason
from statuspage.domain.incident import OPEN, IncidentState
from statuspage.models import AuditEntry, Campaign, Delivery, Incident, IncidentUpdate, Suppression
from statuspage.services import counts
from statuspage.services.operator_facts import OperatorFacts

AT_ONCE = 1_000
REPORT_FILED = "report.filed"
"""The audit action that stops a report's clock; its detail names the report."""


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
        updates=held_to(session, incident),
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


def held_to(session: Session, incident: Incident) -> tuple[PublicUpdate, ...]:
    """`public_updates`, the last with the promise that stands on the page now, whoever wrote it there."""
    *earlier, last = public_updates(session, incident) or (None,)
    return () if last is None else (*earlier, replace(last, next_promised=incident.next_update_at))


def next_update(session: Session, incident: Incident, operator: OperatorFacts) -> NextUpdate | None:
    """By when the public must hear again, and why then; the one answer for the room, the lists and the alarms."""
    return clocks.next_update(profile_of(incident), held_to(session, incident), operator.zone)


def asked_after(session: Session, incident: Incident, operator: OperatorFacts, at: datetime) -> datetime | None:
    """By when the cadence would ask for the next update if one came at `at`; None where it never asks."""
    seen = public_updates(session, incident)
    return clocks.asked_after(profile_of(incident), seen[0].at if seen else at, at, operator.zone)


def told(session: Session, incident: Incident) -> tuple[Told, ...]:
    """Whom campaigns of the incident told, campaign by campaign and channel by channel, and since when each knows the
    end. An end notice that was cut off, or left a channel out, is none for those whom it does not reach; whom it left
    out because another end notice told him knows it from that one."""
    query = select(Campaign).where(Campaign.incident_id == incident.id, Campaign.started_at.is_not(None))
    started = session.scalars(query.order_by(Campaign.id)).all()
    ends = [(one, _reaches_all(session, one)) for one in started if one.kind is CampaignKind.END_NOTICE]
    found: list[Told] = []
    for notice in (one for one in started if one.kind is CampaignKind.INCIDENT_NOTICE):
        found += [
            Told(notice.public_id, channel, _end_told_at(session, notice, channel, ends))
            for channel in sorted(_reached(session, notice))
            if _may_be_told(session, notice, channel)
        ]
    return tuple(found)


def _end_told_at(
    session: Session, notice: Campaign, channel: str, ends: list[tuple[Campaign, set[str]]]
) -> datetime | None:
    """Since when everybody whom the notice told by the channel knows the end; None while somebody does not."""
    its = [end for end, to in ends if end.told_by_id == notice.id and channel in to]
    own = [end for end in its if not _spares(session, end, channel)]
    if own:
        return min((end.first_accepted_at for end in own if end.first_accepted_at is not None), default=None)
    since = notice.started_at
    later = [end for end, _ in ends if since is not None and end.started_at is not None and end.started_at >= since]
    at = [end.first_accepted_at for end in later if end.first_accepted_at is not None]
    # Whom one of them spared stands in another of the incident's, which, if it is among them, has let nobody down.
    whole = not any(_drops(session, end, channel) for end in later)
    plain = whole and (len(later) == len(ends) or not any(_spares(session, end, channel) for end in later))
    if not at or (not (its and whole) and _somebody_missing(session, notice, channel, later, plain=plain)):
        return None
    return min(at)


def _spares(session: Session, end: Campaign, channel: str) -> bool:
    """Whether it left somebody out because another end notice told him."""
    spared = (one.n for one in counts.read(session, end.id) if one.channel == channel and one.reason == Reason.END_TOLD)
    return sum(spared) > 0


def _drops(session: Session, end: Campaign, channel: str) -> bool:
    """Whether it may have let somebody down who stands in it."""
    lost = (one for one in counts.read(session, end.id) if one.state is DeliveryState.CANCELLED)
    return end.state is CampaignState.CANCELLED or any(one.channel == channel for one in lost)


def _somebody_missing(session: Session, notice: Campaign, channel: str, ends: list[Campaign], *, plain: bool) -> bool:
    """Whether anybody whom the notice reached, and who may still be written to, stands in none of the end notices.

    A million people are not looked up one by one: sets are compared, which both databases do in one pass; over the
    unique index alone, and in its order, where it is `plain` that whoever has a row in an end notice is told.
    """
    told = select(Delivery.address_hash).where(Delivery.campaign_id == notice.id, Delivery.channel == channel)
    refused = select(Suppression.address_hash).where(Suppression.channel == channel)
    missing = except_(told, *(_knows(end, channel, plain=plain) for end in ends), refused)
    for hashes in session.scalars(missing.order_by(missing.selected_columns.address_hash)).partitions(AT_ONCE):
        reached = _reached_by(notice, channel).where(Delivery.address_hash.in_(hashes))
        if session.scalar(reached.limit(1)) is not None:
            return True
    return False


def _knows(end: Campaign, channel: str, *, plain: bool) -> Select[str]:
    """Address hashes of those who stand in it; unless `plain`, without whom it dropped untried or spared."""
    standing = select(Delivery.address_hash).where(Delivery.campaign_id == end.id, Delivery.channel == channel)
    if plain:
        return standing
    never = (DeliveryState.CANCELLED, DeliveryState.PENDING)
    dropped = never if end.state is CampaignState.CANCELLED else never[:1]
    untried = and_(Delivery.state.in_(dropped), Delivery.attempt == 0)
    return standing.where(~untried, func.coalesce(Delivery.reason, "") != Reason.END_TOLD)


def _reached(session: Session, campaign: Campaign) -> set[str]:
    """Channels by which somebody had its message."""
    return {one.channel for one in counts.read(session, campaign.id) if one.state in REACHED}


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
    return session.scalar(_reached_by(campaign, channel).where(~refused.exists()).limit(1)) is not None


def _reached_by(campaign: Campaign, channel: str) -> Select[int]:
    return select(Delivery.id).where(
        Delivery.campaign_id == campaign.id,
        Delivery.channel == channel,
        Delivery.state.in_(REACHED),
        Delivery.address.is_not(None),
    )


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
