"""The report of an incident: figures read from what really happened, each fit to be checked against its rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from statuspage.domain import clocks
from statuspage.domain.campaign import CampaignKind
from statuspage.domain.clocks import Clock, Compliance
from statuspage.domain.delivery import DeliveryState
from statuspage.domain.roles import Permission
from statuspage.models import (
    Attempt,
    AuditEntry,
    Campaign,
    CampaignCount,
    Delivery,
    GraceLedger,
    GracePolicy,
    Incident,
    IncidentUpdate,
    User,
)
from statuspage.services import audit, clock_facts
from statuspage.services.actor import Actor
from statuspage.services.operator_facts import OperatorFacts

TOLD = frozenset({DeliveryState.ACCEPTED, DeliveryState.SENT, DeliveryState.DELIVERED})
"""Handed to the provider and not known to have failed."""


@dataclass(frozen=True)
class Outcome:
    """How many deliveries ended (or stand) so; `reason` is empty where the state says it all."""

    state: DeliveryState
    reason: str
    n: int


@dataclass(frozen=True)
class ChannelResult:
    """One channel over all of a kind of campaign. `resent`: unknown ones sent again under the declared policy."""

    channel: str
    first_accepted_at: datetime | None
    outcomes: tuple[Outcome, ...]
    resent: int

    def count(self, states: Iterable[DeliveryState]) -> int:
        wanted = set(states)
        return sum(outcome.n for outcome in self.outcomes if outcome.state in wanted)

    @property
    def told(self) -> int:
        return self.count(TOLD)

    @property
    def total(self) -> int:
        return sum(outcome.n for outcome in self.outcomes)


@dataclass(frozen=True)
class CampaignResult:
    """One campaign, who wrote it and who released it."""

    public_id: str
    name: str
    kind: CampaignKind
    state: str
    author: str | None
    approver: str | None
    approved_at: datetime | None
    break_glass: bool
    started_at: datetime | None
    finished_at: datetime | None
    channels: tuple[ChannelResult, ...]


@dataclass(frozen=True)
class LedgerLine:
    """One line of the grace ledger."""

    at: datetime
    actor: str
    cause: str
    old_until: datetime | None
    new_until: datetime


@dataclass(frozen=True)
class GraceGiven:
    """One policy of the incident and all it ever promised."""

    public_id: str
    state: str
    segments: tuple[str, ...]
    starts_at: datetime | None
    until: datetime | None
    ledger: tuple[LedgerLine, ...]


@dataclass(frozen=True)
class Facts:
    """The figures of a report. Durations are None while their end has not come."""

    clocks: tuple[Clock, ...]
    compliance: Compliance
    updates: int
    end_slips: int
    """How often the expected end was moved or taken back after it had been told."""
    first_page_after_start: timedelta | None
    first_page_after_declaration: timedelta | None
    first_told_after_declaration: dict[str, timedelta]
    """By channel: from the declaration to the provider's first acceptance."""
    campaigns: tuple[CampaignResult, ...]
    grace: tuple[GraceGiven, ...]
    audit_entries: int
    audit_head: str
    """Hash of the chain's newest entry: whoever keeps this report can prove later that nothing before was changed."""
    audit_holds: bool


def gather(session: Session, actor: Actor, incident: Incident, operator: OperatorFacts, now: datetime) -> Facts:
    """Read all figures of `incident`. Writes nothing."""
    actor.require(Permission.REPORT_VIEW)
    known = clock_facts.facts(session, incident, operator)
    first_page = known.updates[0].at if known.updates else None
    campaigns = _campaigns(session, incident)
    notices = [one for one in campaigns if one.kind is CampaignKind.INCIDENT_NOTICE]
    _, broken = audit.verify(session)
    own_entries = select(func.count()).where(
        AuditEntry.entity == "incident", AuditEntry.entity_id == incident.public_id
    )
    return Facts(
        clocks=clock_facts.due(session, incident, operator, now),
        compliance=clocks.compliance(clock_facts.profile_of(incident), known, now),
        updates=len(known.updates),
        end_slips=_end_slips(session, incident),
        first_page_after_start=None if first_page is None else first_page - incident.started_at,
        first_page_after_declaration=None if first_page is None else first_page - incident.declared_at,
        first_told_after_declaration=_first_told(notices, incident.declared_at),
        campaigns=campaigns,
        grace=_grace(session, incident),
        audit_entries=session.scalar(own_entries) or 0,
        audit_head=session.scalar(select(AuditEntry.hash).order_by(AuditEntry.id.desc()).limit(1)) or audit.GENESIS,
        audit_holds=broken is None,
    )


def _campaigns(session: Session, incident: Incident) -> tuple[CampaignResult, ...]:
    rows = list(session.scalars(select(Campaign).where(Campaign.incident_id == incident.id).order_by(Campaign.id)))
    people = {one for row in rows for one in (row.author_id, row.approved_by) if one is not None}
    query = select(User.id, User.public_id).where(User.id.in_(people))
    names = dict(session.execute(query).all())
    return tuple(
        CampaignResult(
            public_id=row.public_id,
            name=row.name,
            kind=row.kind,
            state=row.state.value,
            author=None if row.author_id is None else names[row.author_id],
            approver=None if row.approved_by is None else names[row.approved_by],
            approved_at=row.approved_at,
            break_glass=row.break_glass_reason is not None,
            started_at=row.started_at,
            finished_at=row.finished_at,
            channels=tuple(_channel(session, row, channel) for channel in row.channels),
        )
        for row in rows
    )


def _channel(session: Session, campaign: Campaign, channel: str) -> ChannelResult:
    here = (Delivery.campaign_id == campaign.id, Delivery.channel == channel)
    counts = session.scalars(
        select(CampaignCount)
        .where(CampaignCount.campaign_id == campaign.id, CampaignCount.channel == channel, CampaignCount.n > 0)
        .order_by(CampaignCount.state, CampaignCount.reason)
    )
    resent = select(func.count()).select_from(Attempt).join(Delivery, Attempt.delivery_id == Delivery.id)
    return ChannelResult(
        channel=channel,
        first_accepted_at=session.scalar(select(func.min(Delivery.accepted_at)).where(*here)),
        outcomes=tuple(Outcome(DeliveryState(row.state), row.reason, row.n) for row in counts),
        resent=session.scalar(resent.where(*here, Attempt.outcome == "resent")) or 0,
    )


def _first_told(campaigns: list[CampaignResult], declared_at: datetime) -> dict[str, timedelta]:
    first: dict[str, timedelta] = {}
    for campaign in campaigns:
        for channel in campaign.channels:
            if channel.first_accepted_at is not None:
                after = channel.first_accepted_at - declared_at
                first[channel.channel] = min(after, first.get(channel.channel, after))
    return first


def _end_slips(session: Session, incident: Incident) -> int:
    told = session.scalars(
        select(IncidentUpdate.expected_end_at)
        .where(IncidentUpdate.incident_id == incident.id)
        .order_by(IncidentUpdate.at, IncidentUpdate.id)
    ).all()
    slips, last = 0, None
    for end in told:
        slips += last is not None and end != last and (end is None or end > last)
        last = end
    return slips


def _grace(session: Session, incident: Incident) -> tuple[GraceGiven, ...]:
    policies = session.scalars(
        select(GracePolicy).where(GracePolicy.incident_id == incident.id).order_by(GracePolicy.id)
    ).all()
    return tuple(
        GraceGiven(
            public_id=policy.public_id,
            state=policy.state.value,
            segments=tuple(policy.segments),
            starts_at=policy.starts_at,
            until=policy.published_until,
            ledger=tuple(
                LedgerLine(line.at, line.actor, line.cause, line.old_until, line.new_until)
                for line in session.scalars(
                    select(GraceLedger).where(GraceLedger.policy_id == policy.id).order_by(GraceLedger.revision)
                )
            ),
        )
        for policy in policies
    )
