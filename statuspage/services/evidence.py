"""What really happened in an incident, when and by whom, gathered for the playbook in a few queries."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from statuspage.domain import clocks
from statuspage.domain.audience import parse
from statuspage.domain.campaign import CampaignKind
from statuspage.domain.delivery import TOLD, DeliveryState
from statuspage.domain.evidence import Evidence
from statuspage.domain.incident import ENDED, CauseCategory, IncidentState, Publication, cause_unsaid
from statuspage.domain.message import placeholders
from statuspage.domain.notice import Notice, told_of
from statuspage.domain.route import Behaviour, Dependency, RouteKind
from statuspage.models import (
    AuditEntry,
    Campaign,
    CampaignCount,
    GraceAcknowledgement,
    GraceLedger,
    GracePolicy,
    Incident,
    PageRevision,
    Route,
    Segment,
    User,
)
from statuspage.services import campaign_texts, clock_facts, components, grace_policies, reference, routes, texts, words
from statuspage.services.grace import STANDING
from statuspage.services.operator_facts import OperatorFacts

PARTNER_COMPONENTS = frozenset({"roaming_settlement", "invoices"})
"""Components that partners and business accounts settle by (playbook row 14)."""

TO_ALL, MERCHANTS = frozenset({"outage", "security"}), "merchants"
LIST_OF_WAYS = "page"
"""The placeholder for the page's address: whoever follows it finds the ways to pay."""

_BILLING = frozenset({Dependency.BILLING_CORE.value, Dependency.BALANCE_QUERY.value})
_LAST_ON_PAGE = 20
"""Revisions looked through for the last one that held a closed incident; each of its updates makes one."""


def gather(session: Session, incident: Incident, operator: OperatorFacts, now: datetime) -> Evidence:
    """The facts of `incident` at `now`."""
    public = incident.publication is Publication.PUBLISHED
    filed = _last_act(session, incident, clock_facts.REPORT_FILED)
    owner, credited_by = _people(session, incident.owner_id, incident.crediting_verified_by)
    evidence = Evidence(
        declared_at=incident.declared_at,
        cause=incident.cause,
        open=incident.state not in ENDED,
        resolved_at=incident.resolved_at,
        owner=owner,
        # An unknown cause is printed as "unknown", except where the state says that it is found.
        cause_said=not cause_unsaid(incident.state, incident.cause),
        end_said=True,  # an unknown end is printed as such
        expected_end=incident.expected_end_at,
        restored_at=incident.restored_at,
        credited_at=incident.crediting_verified_at,
        credited_by=credited_by,
        payments_queued=incident.payments_queued or 0,
        payments_credited=incident.payments_credited or 0,
        filed_at=None if filed is None else filed.at,
        filed_by=None if filed is None else filed.actor_id,
        postmortem_at=incident.updated_at if public and incident.state is IncidentState.POSTMORTEM else None,
    )
    evidence = replace(evidence, **_page(session, incident))
    evidence = replace(evidence, **_words(session, incident))
    evidence = replace(evidence, **_cadence(session, incident, operator, now))
    evidence = replace(evidence, **_routes(session, incident, now))
    evidence = replace(evidence, **_grace(session, incident))
    evidence = replace(evidence, **_scope(session, incident))
    return replace(evidence, **_campaigns(session, incident, evidence.published))


def _page(session: Session, incident: Incident) -> dict[str, Any]:
    newest = select(PageRevision.incidents, PageRevision.manifest).order_by(PageRevision.revision.desc())
    row = session.execute(newest.limit(1)).one_or_none()
    gaps = None if row is None else row.incidents.get(incident.public_id)
    if gaps is None and incident.state in ENDED:
        gaps = _last_gaps(session, incident)
    if row is None or gaps is None:
        return {"published": False}
    paths = [str(path) for path in row.manifest["entries"]]
    by = _last_act(session, incident, "incident.published") or _last_act(session, incident, "incident.declared")
    return {
        "published": True,
        "published_at": incident.published_at,
        "published_by": None if by is None else by.actor_id,
        "gaps": tuple(gaps),
        "short_texts_published": any("/text/ivr" in path for path in paths),
        "triage_linked": any("/terminal" in path for path in paths),
    }


def _last_gaps(session: Session, incident: Incident) -> list[str] | None:
    """A revision lists open incidents; of a closed one the last that did says what the page told."""
    if incident.published_at is None:
        return None
    query = select(PageRevision.incidents).where(PageRevision.published_at >= incident.published_at)
    if incident.resolved_at is not None:
        query = query.where(PageRevision.published_at <= incident.resolved_at)
    for told in session.scalars(query.order_by(PageRevision.revision.desc()).limit(_LAST_ON_PAGE)):
        if incident.public_id in told:
            return list(told[incident.public_id])
    return None


def _words(session: Session, incident: Incident) -> dict[str, Any]:
    approved = _last_act(session, incident, words.APPROVED)
    statement = set(words.holding("body").values())
    said = {body for one in words.all_said(session, incident) for body in one.values()}
    return {
        "words_approved_at": None if approved is None else approved.at,
        "words_approved_by": None if approved is None else approved.actor_id,
        "phishing_notice_shown": incident.cause is CauseCategory.SECURITY and bool(said & statement),
    }


def _cadence(session: Session, incident: Incident, operator: OperatorFacts, now: datetime) -> dict[str, Any]:
    facts = clock_facts.facts(session, incident, operator)
    profile = clock_facts.profile_of(incident)
    due = clocks.next_update_due(profile, facts)
    kept = clocks.compliance(profile, facts, now)
    # When it was due does not change by the restoration, which may have come first.
    asked = clocks.due(profile, replace(facts, restored_at=None), now)
    return {
        "next_update_due": due,
        "update_overdue": due is not None and now > due,
        "updates_due": kept.due,
        "updates_on_time": kept.on_time,
        "longest_gap": kept.longest_gap,
        "first_sms_due": next((one.due_at for one in asked if one.key == "first_sms"), None),
    }


def _routes(session: Session, incident: Incident, now: datetime) -> dict[str, Any]:
    found = [one for one in routes.list_routes(session, now) if one.usable]
    payment = [one.route for one in found if one.route.kind is RouteKind.PAYMENT]
    service = [one.route for one in found if one.route.kind is RouteKind.SERVICE]
    checked = [(route.checked_at, route) for route in payment if route.checked_at is not None]
    oldest = min(checked, key=lambda one: one[0], default=None)
    without_billing = [
        route for route in service if route.behaviour is Behaviour.INDEPENDENT or _BILLING.isdisjoint(route.depends_on)
    ]
    return {
        "payment_routes_shown": len(payment),
        "payment_uncovered": len(routes.uncovered_pairs(session, incident, RouteKind.PAYMENT, now)),
        "routes_checked_at": None if oldest is None else oldest[0],
        "routes_checked_by": None if oldest is None else _checked_by(session, oldest[1]),
        "routes_in_message": _told_a_way(session, incident, [route.id for route in payment]),
        "service_routes_shown": len(without_billing),
    }


def _checked_by(session: Session, route: Route) -> str | None:
    query = select(AuditEntry.actor_id).where(AuditEntry.entity == "route", AuditEntry.entity_id == route.public_id)
    looked = query.where(AuditEntry.action == "route.state_set").order_by(AuditEntry.id.desc()).limit(1)
    return session.scalar(looked)


def _told_a_way(session: Session, incident: Incident, route_ids: list[int]) -> bool:
    """Whether what went out names a way to pay that works, or leads to the page where they are listed."""
    query = select(Campaign).where(Campaign.incident_id == incident.id, Campaign.started_at.is_not(None))
    bodies: list[tuple[str, str]] = []
    for campaign in session.scalars(query).all():
        sent = campaign_texts.going_out(session, campaign)
        drafted = campaign_texts.draft(session, campaign)
        fields = {name.partition(".")[0] for name in sent}
        if any(LIST_OF_WAYS in placeholders(body) for field in fields for body in drafted.get(field, {}).values()):
            return True
        bodies += [(name.rpartition(".")[2], body.casefold()) for name, body in sent.items()]
    named = texts.read(session, "route", route_ids)
    names = [
        (locale, name) for (_, field), one in named.items() if field == "name" for locale, name in one.bodies.items()
    ]
    return any(there == locale and name.casefold() in body for locale, name in names for there, body in bodies)


def _grace(session: Session, incident: Incident) -> dict[str, Any]:
    standing = [one for one in grace_policies.policies_of(session, incident) if one.state in STANDING]
    affected = set(incident.segments or [one.key for one in reference.segments(session)])
    covered = {segment for policy in standing for segment in policy.segments}
    here = [policy.id for policy in standing]
    first = session.execute(
        select(GraceLedger.at, GraceLedger.actor)
        .where(GraceLedger.policy_id.in_(here))
        .order_by(GraceLedger.at, GraceLedger.id)
        .limit(1)
    ).one_or_none()
    acknowledged = select(func.max(GraceAcknowledgement.at)).where(GraceAcknowledgement.policy_id.in_(here))
    return {
        "grace_policies": len(standing),
        "grace_since": None if first is None else first.at,
        "grace_by": None if first is None else first.actor,
        "grace_until": min((one.published_until for one in standing if one.published_until is not None), default=None),
        "grace_uncovered": tuple(sorted(affected - covered)),
        "grace_unacknowledged": tuple(sorted({name for one in standing for name in _unacknowledged(session, one)})),
        "grace_acknowledged_at": session.scalar(acknowledged),
    }


def _unacknowledged(session: Session, policy: GracePolicy) -> set[str]:
    """Systems that once acknowledged something and not this revision; "" for one when no system ever did."""
    systems = set(session.scalars(select(GraceAcknowledgement.system).distinct())) or {""}
    here = (GraceAcknowledgement.policy_id == policy.id) & (GraceAcknowledgement.revision == policy.revision)
    return systems - set(session.scalars(select(GraceAcknowledgement.system).where(here)))


def _scope(session: Session, incident: Incident) -> dict[str, Any]:
    machines = set(session.scalars(select(Segment.key).where(Segment.machine)))
    return {
        "pos_affected": bool(machines & set(incident.segments) if incident.segments else machines),
        "partners_affected": bool(PARTNER_COMPONENTS & set(components.states_of(session, incident))),
    }


def _campaigns(session: Session, incident: Incident, on_page: bool) -> dict[str, Any]:
    """What was sent stays sent: a campaign that the restoration cancelled counts like one that ran to its end."""
    query = select(Campaign).where(
        Campaign.incident_id == incident.id,
        Campaign.kind == CampaignKind.INCIDENT_NOTICE,
        Campaign.started_at.is_not(None),
    )
    begun = session.scalars(query.order_by(Campaign.started_at, Campaign.id)).all()
    purposes = {one.id: one.purpose for one in begun}
    counts = _counts(session, purposes)
    told = [(purposes[one], channel, n) for one, channel, state, n in counts if state in TOLD and n]
    notices = [one for one in begun if one.purpose in TO_ALL]
    first = notices[0] if notices else None
    by = None if first is None else _people(session, first.approved_by or first.author_id)[0]
    to_subscribers, reachable = told_of(
        [notice for one in notices for notice in _notices(one, counts)], set(components.states_of(session, incident))
    )
    return {
        "campaign_ran": first is not None,
        "campaign_at": None if first is None else first.started_at,
        "campaign_by": by,
        "reachable": reachable,
        "told": to_subscribers,
        "pos_contacts_told": sum(n for purpose, _, n in told if purpose == MERCHANTS),
        # The feeds are bytes beside the page: whoever reads it by feed has the news when the page has it.
        "independent_channels": (*(("page",) if on_page else ()), *sorted({channel for _, channel, _ in told})),
    }


def _counts(session: Session, campaigns: Collection[int]) -> list[tuple[int, str, str, int]]:
    """(campaign row id, channel, state, messages)"""
    columns = (CampaignCount.campaign_id, CampaignCount.channel, CampaignCount.state)
    query = select(*columns, func.sum(CampaignCount.n)).where(CampaignCount.campaign_id.in_(campaigns))
    return [(one, channel, state, int(n)) for one, channel, state, n in session.execute(query.group_by(*columns))]


def _notices(campaign: Campaign, counts: list[tuple[int, str, str, int]]) -> list[Notice]:
    """The campaign channel by channel, its messages that were not left out being the reachable. While people are still
    gathered these are as many as were approved: the first five hundred of a million are not everybody."""
    own = [(channel, state, n) for one, channel, state, n in counts if one == campaign.id]
    approved = {} if campaign.expanded_at is not None else campaign.estimated.get("channels", {})
    audience = parse(campaign.audience)
    return [
        Notice(
            channel,
            audience,
            max(
                sum(n for there, state, n in own if there == channel and state != DeliveryState.SUPPRESSED),
                int(approved.get(channel, {}).get("recipients", 0)),
            ),
            sum(n for there, state, n in own if there == channel and state in TOLD),
        )
        for channel in sorted({channel for channel, _, _ in own} | set(approved))
    ]


def _last_act(session: Session, incident: Incident, action: str) -> AuditEntry | None:
    query = select(AuditEntry).where(AuditEntry.entity == "incident", AuditEntry.entity_id == incident.public_id)
    return session.scalar(query.where(AuditEntry.action == action).order_by(AuditEntry.id.desc()).limit(1))


def _people(session: Session, *ids: int | None) -> list[str | None]:
    """Public ids of people by row id, in the same order; "cli" for what the command line did stays None here."""
    named = dict(session.execute(select(User.id, User.public_id).where(User.id.in_([one for one in ids if one]))).all())
    return [None if one is None else named.get(one) for one in ids]
