"""What really happened in an incident, gathered for the playbook in a few queries."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from statuspage.domain import clocks
from statuspage.domain.campaign import CampaignKind, CampaignState
from statuspage.domain.delivery import DeliveryState
from statuspage.domain.evidence import Evidence
from statuspage.domain.incident import ENDED, CauseCategory, IncidentState, Publication
from statuspage.domain.route import Behaviour, Dependency, RouteKind
from statuspage.models import (
    Campaign,
    CampaignCount,
    GraceAcknowledgement,
    GracePolicy,
    Incident,
    PageRevision,
    Segment,
)
from statuspage.services import clock_facts, components, grace_policies, reference, routes, texts, words
from statuspage.services.grace import STANDING
from statuspage.services.operator_facts import OperatorFacts

PARTNER_COMPONENTS = frozenset({"roaming_settlement", "invoices"})
"""Components that partners and business accounts settle by (playbook row 14)."""

RAN = (CampaignState.RUNNING, CampaignState.PAUSED, CampaignState.FINISHED)
_TOLD = (DeliveryState.ACCEPTED, DeliveryState.SENT, DeliveryState.DELIVERED)
_BILLING = frozenset({Dependency.BILLING_CORE.value, Dependency.BALANCE_QUERY.value})


def gather(session: Session, incident: Incident, operator: OperatorFacts, now: datetime) -> Evidence:
    """The facts of `incident` at `now`."""
    evidence = Evidence(
        declared_at=incident.declared_at,
        cause=incident.cause,
        open=incident.state not in ENDED,
        resolved_at=incident.resolved_at,
        owner_named=incident.owner_id is not None,
        # Both are always said: an unknown cause and an unknown end are printed as "unknown".
        cause_said=True,
        end_said=True,
        expected_end=incident.expected_end_at,
        restored_at=incident.restored_at,
        crediting_verified=incident.crediting_verified_at is not None,
        postmortem_published=incident.state is IncidentState.POSTMORTEM
        and incident.publication is Publication.PUBLISHED,
        words_approved=words.approved(session, incident),
    )
    evidence = replace(evidence, **_page(session, incident))
    evidence = replace(evidence, **_cadence(session, incident, operator, now))
    evidence = replace(evidence, **_routes(session, incident, now))
    evidence = replace(evidence, **_grace(session, incident))
    evidence = replace(evidence, **_scope(session, incident))
    return replace(evidence, **_campaigns(session, incident, evidence.published))


def _page(session: Session, incident: Incident) -> dict[str, Any]:
    newest = select(PageRevision.incidents, PageRevision.manifest).order_by(PageRevision.revision.desc()).limit(1)
    row = session.execute(newest).one_or_none()
    # A revision lists open incidents; a closed one that was public has been on the page.
    closed = incident.state in ENDED and incident.published_at is not None
    if row is None or not (closed or incident.public_id in row.incidents):
        return {"published": False}
    paths = [str(path) for path in row.manifest["entries"]]
    statement = set(words.holding("body").values())
    said = {body for one in words.all_said(session, incident) for body in one.values()}
    return {
        "published": True,
        "unexplained_gaps": len(row.incidents.get(incident.public_id) or ()),
        "short_texts_published": any("/text/ivr" in path for path in paths),
        "triage_linked": any("/terminal" in path for path in paths),
        "phishing_notice_shown": incident.cause is CauseCategory.SECURITY and bool(said & statement),
    }


def _cadence(session: Session, incident: Incident, operator: OperatorFacts, now: datetime) -> dict[str, Any]:
    facts = clock_facts.facts(session, incident, operator)
    profile = clock_facts.profile_of(incident)
    due = clocks.next_update_due(profile, facts)
    sms = next((one for one in clocks.due(profile, facts, now) if one.key == "first_sms"), None)
    return {
        "next_update_due": due,
        "update_overdue": due is not None and now > due,
        "first_sms_due": None if sms is None else sms.due_at,
    }


def _routes(session: Session, incident: Incident, now: datetime) -> dict[str, Any]:
    found = [one for one in routes.list_routes(session, now) if one.usable]
    payment = [one.route for one in found if one.route.kind is RouteKind.PAYMENT]
    service = [one.route for one in found if one.route.kind is RouteKind.SERVICE]
    checks = [route.checked_at for route in payment if route.checked_at is not None]
    without_billing = [
        route for route in service if route.behaviour is Behaviour.INDEPENDENT or _BILLING.isdisjoint(route.depends_on)
    ]
    return {
        "payment_routes_shown": len(payment),
        "payment_uncovered": len(routes.uncovered_pairs(session, incident, RouteKind.PAYMENT, now)),
        "routes_checked_at": min(checks, default=None),
        "routes_in_message": _named_in_messages(session, incident, [route.id for route in payment]),
        "service_routes_shown": len(without_billing),
    }


def _named_in_messages(session: Session, incident: Incident, route_ids: list[int]) -> bool:
    """Whether what was sent names a way to pay that works."""
    query = select(Campaign.id).where(Campaign.incident_id == incident.id, Campaign.state.in_(RAN))
    sent = texts.read(session, "campaign", session.scalars(query))
    bodies = [(locale, body.casefold()) for one in sent.values() for locale, body in one.bodies.items()]
    named = texts.read(session, "route", route_ids)
    names = [
        (locale, name) for (_, field), one in named.items() if field == "name" for locale, name in one.bodies.items()
    ]
    return any(there == locale and name.casefold() in body for locale, name in names for there, body in bodies)


def _grace(session: Session, incident: Incident) -> dict[str, Any]:
    standing = [one for one in grace_policies.policies_of(session, incident) if one.state in STANDING]
    affected = set(incident.segments or [one.key for one in reference.segments(session)])
    covered = {segment for policy in standing for segment in policy.segments}
    return {
        "grace_policies": len(standing),
        "grace_uncovered": len(affected - covered),
        "grace_unacknowledged": sum(_unacknowledged(session, policy) for policy in standing),
    }


def _unacknowledged(session: Session, policy: GracePolicy) -> int:
    """Systems that once acknowledged something and not this revision; one, when no system ever did."""
    systems = set(session.scalars(select(GraceAcknowledgement.system).distinct()))
    here = (GraceAcknowledgement.policy_id == policy.id) & (GraceAcknowledgement.revision == policy.revision)
    acknowledged = set(session.scalars(select(GraceAcknowledgement.system).where(here)))
    return len(systems - acknowledged) if systems else 1


def _scope(session: Session, incident: Incident) -> dict[str, Any]:
    machines = set(session.scalars(select(Segment.key).where(Segment.machine)))
    return {
        "pos_affected": bool(machines & set(incident.segments) if incident.segments else machines),
        "partners_affected": bool(PARTNER_COMPONENTS & set(components.states_of(session, incident))),
    }


def _campaigns(session: Session, incident: Incident, on_page: bool) -> dict[str, Any]:
    query = (
        select(Campaign.purpose, CampaignCount.channel, CampaignCount.state, func.sum(CampaignCount.n))
        .join(CampaignCount, CampaignCount.campaign_id == Campaign.id)
        .where(
            Campaign.incident_id == incident.id,
            Campaign.kind == CampaignKind.INCIDENT_NOTICE,
            Campaign.state.in_(RAN),
        )
        .group_by(Campaign.purpose, CampaignCount.channel, CampaignCount.state)
    )
    counts = [(purpose, channel, state, int(n)) for purpose, channel, state, n in session.execute(query)]
    told = [(purpose, channel, n) for purpose, channel, state, n in counts if state in _TOLD and n]
    ran = select(Campaign.id).where(Campaign.incident_id == incident.id, Campaign.purpose == "outage")
    return {
        "campaign_ran": session.scalar(ran.where(Campaign.state.in_(RAN)).limit(1)) is not None,
        "reachable": sum(n for _, _, state, n in counts if state != DeliveryState.SUPPRESSED),
        "told": sum(n for _, _, n in told),
        "pos_contacts_told": any(purpose == "merchants" for purpose, _, _ in told),
        # The feeds are bytes beside the page: whoever reads it by feed has the news when the page has it.
        "independent_channels": len({channel for _, channel, _ in told}) + on_page,
    }
