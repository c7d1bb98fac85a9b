"""Which message template a campaign about an incident begins with, and whom it is for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage.domain.audience import AudienceFacts, matches, parse
from statuspage.domain.campaign import CampaignKind
from statuspage.domain.errors import NotFound
from statuspage.domain.incident import RESTORED, CauseCategory
from statuspage.i18n import KNOWN_LOCALES
from statuspage.models import Campaign, Incident, MessageTemplate, Region, Segment
from statuspage.services import audience_sql

END_PURPOSE: Mapping[str, str] = {"outage": "end", "security": "end", "merchants": "merchants_end"}
"""Which template tells the end of what."""

SECURITY = "security"
"""What the words for a security incident are for, which warn of fraud; they suit no other incident."""

_END_PURPOSES = frozenset(END_PURPOSE.values())


def ends(template: MessageTemplate) -> bool:
    """Whether it tells the end of an outage, and so goes to those whom another campaign told."""
    return template.purpose in _END_PURPOSES


def told(session: Session, incident: Incident) -> list[Campaign]:
    """The incident's notices that were started, whose end can be told; newest first."""
    query = select(Campaign).where(
        Campaign.incident_id == incident.id,
        Campaign.kind == CampaignKind.INCIDENT_NOTICE,
        Campaign.started_at.is_not(None),
    )
    return list(session.scalars(query.order_by(Campaign.id.desc())))


def fitting(session: Session, incident: Incident, earlier: Sequence[Campaign]) -> list[MessageTemplate]:
    """All message templates, those that suit the incident first: one that tells what is true now, to people whom the
    incident concerns. `earlier`: its campaigns whose end can be told."""
    restored = bool(earlier) and incident.state in RESTORED
    awaited = {END_PURPOSE.get(one.purpose) for one in earlier[:1]}
    scope = list(_scope(session, incident))

    def misfit(template: MessageTemplate) -> tuple[bool, bool, int]:
        if ends(template):
            return not restored, template.purpose not in awaited, template.id
        if (template.purpose == SECURITY) != (incident.cause is CauseCategory.SECURITY):
            return restored, True, template.id
        audience = parse(template.audience or "all")
        return restored, not any(matches(audience, facts) for facts in scope), template.id

    return sorted(session.scalars(select(MessageTemplate)), key=misfit)


def suiting(
    session: Session, incident: Incident, template: MessageTemplate | None, told_by: Campaign | None
) -> tuple[MessageTemplate, Campaign | None]:
    """What a person left open: the template that suits the incident (or the campaign it follows), and for an end notice
    the newest campaign whose end it tells. Raises NotFound when the operator has no templates."""
    earlier = told(session, incident) if told_by is None else [told_by]
    offered = fitting(session, incident, earlier)
    if told_by is not None:
        its_end = END_PURPOSE.get(told_by.purpose)
        offered.sort(key=lambda one: one.purpose != its_end)
    chosen = template or next(iter(offered), None)
    if chosen is None:
        raise NotFound("message_template.none", "template: there is none. Load the operator's data first.", "template")
    if told_by is None and ends(chosen):
        told_by = next((one for one in earlier if END_PURPOSE.get(one.purpose) == chosen.purpose), None)
    return chosen, told_by


def audience(session: Session, incident: Incident, template: MessageTemplate) -> str:
    """Whom the incident concerns, narrowed by what the template says itself where that leaves anybody out."""
    own = parse(template.audience or "all")
    needless = all(matches(own, facts) for facts in _scope(session, incident))
    return audience_sql.of_incident(incident, "" if needless else template.audience)


def _scope(session: Session, incident: Incident) -> Iterator[AudienceFacts]:
    """One person of each kind whom the incident concerns."""
    segments = incident.segments or list(session.scalars(select(Segment.key)))
    regions = incident.regions or list(session.scalars(select(Region.key)))
    touched = frozenset(audience_sql.components_of(session, incident.id))
    for segment, region, language in product(segments, regions, KNOWN_LOCALES):
        yield AudienceFacts(segment, region, language, touched)
