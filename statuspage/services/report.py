"""The report of an incident: figures read from what really happened, each fit to be checked against its rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from statuspage.domain import clocks
from statuspage.domain.campaign import CampaignKind
from statuspage.domain.clocks import Clock, Compliance
from statuspage.domain.delivery import DeliveryState
from statuspage.domain.errors import RuleError
from statuspage.domain.roles import Permission
from statuspage.models import (
    Attempt,
    AuditEntry,
    Campaign,
    CampaignCount,
    Delivery,
    Incident,
    IncidentUpdate,
    User,
)
from statuspage.services import audit, clock_facts, grace_policies, people_reached, report_acts, texts, updates
from statuspage.services.actor import Actor
from statuspage.services.operator_facts import OperatorFacts
from statuspage.services.report_acts import Acts, RouteCheck
from statuspage.services.texts import Wording

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
    """The second person; None where none was needed or none could be reached."""
    released_by: str | None
    """Who answers for its going out: the second person, or the one who released it without."""
    approved_at: datetime | None
    break_glass: bool
    break_glass_reason: str | None
    started_at: datetime | None
    finished_at: datetime | None
    channels: tuple[ChannelResult, ...]
    purpose: str = ""
    people: int = 0
    """Told by whichever channel: who got an SMS and a mail is one person."""


@dataclass(frozen=True)
class Said:
    """One update as the public reads it; `written_at` is when it really was, `author` who wrote it."""

    at: datetime
    written_at: datetime
    author: str | None
    state: str
    body: Wording


@dataclass(frozen=True)
class Applied:
    """A dunning system, or a person for it, answered for applying a revision of the policy."""

    at: datetime
    actor: str
    system: str
    revision: int
    held: int | None
    suspended_in_error: int | None


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
    regions: tuple[str, ...] = ()
    title: Wording | None = None
    approved_by: str | None = None
    approved_at: datetime | None = None
    applied: tuple[Applied, ...] = ()


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
    people_told: int
    """Told of the outage by any of its campaigns and channels; whoever got several messages is one person."""
    grace: tuple[GraceGiven, ...]
    declared_by: str | None
    owner: str | None
    crediting_verified_by: str | None
    said: tuple[Said, ...]
    route_checks: tuple[RouteCheck, ...]
    audit_entries: int
    """All that belongs to the incident: its own, and those of its playbook, campaigns, grace and checked routes."""
    audit_by_kind: dict[str, int]
    audit_chain: int
    """Entries of the whole chain, of every incident, that hold."""
    audit_head: str
    """Hash of the chain's newest entry: whoever keeps this report can prove later that nothing before was changed."""
    audit_holds: bool

    def actors(self) -> list[str | None]:
        """Everybody who did something that the report names."""
        campaigns = [actor for one in self.campaigns for actor in (one.author, one.released_by)]
        ledger = [line.actor for policy in self.grace for line in policy.ledger]
        applied = [one.actor for policy in self.grace for one in policy.applied]
        approvers = [policy.approved_by for policy in self.grace]
        rest = [line.actor for line in self.route_checks] + [line.author for line in self.said]
        leading = [self.declared_by, self.owner, self.crediting_verified_by]
        return [*leading, *campaigns, *ledger, *applied, *approvers, *rest]


def gather(session: Session, actor: Actor, incident: Incident, operator: OperatorFacts, now: datetime) -> Facts:
    """Read all figures of `incident`. Writes nothing."""
    actor.require(Permission.REPORT_VIEW)
    known = clock_facts.facts(session, incident, operator)
    first_page = known.updates[0].at if known.updates else None
    acts: Acts = report_acts.of(session, incident, now)
    campaigns = _campaigns(session, incident, acts)
    notices = [one for one in campaigns if one.kind is CampaignKind.INCIDENT_NOTICE]
    chain, broken = audit.verify(session)
    return Facts(
        clocks=clock_facts.due(session, incident, operator, now),
        compliance=clocks.compliance(clock_facts.profile_of(incident), known, now),
        updates=len(known.updates),
        end_slips=_end_slips(session, incident),
        first_page_after_start=None if first_page is None else first_page - incident.started_at,
        first_page_after_declaration=None if first_page is None else first_page - incident.declared_at,
        first_told_after_declaration=_first_told(notices, incident.declared_at),
        campaigns=campaigns,
        people_told=_people_told(session, notices),
        grace=_grace(session, incident),
        declared_by=acts.actor("incident.declared"),
        owner=_public_id(session, incident.owner_id),
        crediting_verified_by=acts.actor("incident.crediting_verified") if incident.crediting_verified_at else None,
        said=_said(session, incident, acts),
        route_checks=report_acts.checks(session, acts),
        audit_entries=len(acts.entries),
        audit_by_kind=acts.by_kind(),
        audit_chain=chain,
        audit_head=_head(session),
        audit_holds=broken is None,
    )


def file_report(session: Session, actor: Actor, incident: Incident, key: str, *, now: datetime) -> None:
    """Somebody answers that the report `key` of the incident's clock profile was handed in; its clock stops.

    The entry keeps the chain's newest hash, so that the document handed in can be told from a later one.
    """
    actor.require(Permission.INCIDENT_EDIT)
    known = [one.key for one in clock_facts.profile_of(incident).reports]
    if key not in known:
        there = ", ".join(known) or "none"
        raise RuleError("report.unknown", f"report: {key!r} is none of this incident's. There are: {there}.", "report")
    detail: audit.Detail = {"report": key, "head": _head(session)}
    audit.record(session, actor, clock_facts.REPORT_FILED, "incident", incident.public_id, now, detail)


def _head(session: Session) -> str:
    return session.scalar(select(AuditEntry.hash).order_by(AuditEntry.id.desc()).limit(1)) or audit.GENESIS


def _public_id(session: Session, user_id: int | None) -> str | None:
    return None if user_id is None else session.scalar(select(User.public_id).where(User.id == user_id))


def _said(session: Session, incident: Incident, acts: Acts) -> tuple[Said, ...]:
    found = updates.list_updates(session, incident)
    bodies = texts.read(session, "incident_update", [one.id for one in found])
    authors, first = acts.authors(), acts.actor("incident.declared")
    return tuple(
        Said(one.at, one.created_at, authors.get(one.public_id, first), one.state.value, bodies[one.id, "body"])
        for one in reversed(found)
    )


def _campaigns(session: Session, incident: Incident, acts: Acts) -> tuple[CampaignResult, ...]:
    rows = list(session.scalars(select(Campaign).where(Campaign.incident_id == incident.id).order_by(Campaign.id)))
    people = {one for row in rows for one in (row.author_id, row.approved_by) if one is not None}
    query = select(User.id, User.public_id).where(User.id.in_(people))
    names = dict(session.execute(query).all())
    results = {row.id: tuple(_channel(session, row, channel) for channel in row.channels) for row in rows}
    return tuple(
        CampaignResult(
            public_id=row.public_id,
            name=row.name,
            kind=row.kind,
            state=row.state.value,
            author=acts.actor("campaign.drafted", row.public_id) if row.author_id is None else names[row.author_id],
            approver=None if row.approved_by is None else names[row.approved_by],
            released_by=_released_by(row, names, acts),
            approved_at=row.approved_at,
            break_glass=row.break_glass_reason is not None,
            break_glass_reason=row.break_glass_reason,
            started_at=row.started_at,
            finished_at=row.finished_at,
            channels=results[row.id],
            purpose=row.purpose,
            people=people_reached.people(session, [row.id]),
        )
        for row in rows
    )


def _people_told(session: Session, notices: Sequence[CampaignResult]) -> int:
    told = [one for one in notices if one.people]
    if len(told) < 2:
        return sum(one.people for one in told)
    ids = select(Campaign.id).where(Campaign.public_id.in_([one.public_id for one in told]))
    return people_reached.people(session, session.scalars(ids).all())


def _released_by(campaign: Campaign, names: dict[int, str], acts: Acts) -> str | None:
    if campaign.approved_by is not None or campaign.approved_at is None:
        return None if campaign.approved_by is None else names[campaign.approved_by]
    alone = "campaign.break_glass" if campaign.break_glass_reason is not None else "campaign.approval_requested"
    return acts.actor(alone, campaign.public_id)


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
    policies = grace_policies.policies_of(session, incident)
    titles = texts.read(session, "grace_policy", [policy.id for policy in policies])
    return tuple(
        GraceGiven(
            public_id=policy.public_id,
            state=policy.state.value,
            segments=tuple(policy.segments),
            starts_at=policy.starts_at,
            until=policy.published_until,
            ledger=tuple(
                LedgerLine(line.at, line.actor, line.cause, line.old_until, line.new_until)
                for line in grace_policies.ledger(session, policy)
            ),
            regions=tuple(policy.regions),
            title=titles.get((policy.id, "title")),
            approved_by=_public_id(session, policy.approved_by),
            approved_at=policy.approved_at,
            applied=tuple(
                Applied(one.at, one.actor, one.system, one.revision, one.held, one.suspended_in_error)
                for one in reversed(grace_policies.acknowledgements(session, policy))
            ),
        )
        for policy in policies
    )
