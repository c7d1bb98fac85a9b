"""Whether the public sees an incident: publish it, withdraw it, mark it a duplicate; and what its text leaves out."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from statuspage.domain.errors import RuleError
from statuspage.domain.incident import Publication
from statuspage.domain.publication import Gap, PublicationFacts, check_publication, gaps
from statuspage.domain.roles import Permission
from statuspage.models import Incident
from statuspage.services import audit, components, grace, page, texts, updates, words
from statuspage.services.actor import Actor
from statuspage.services.incidents import lock
from statuspage.services.operator_facts import OperatorFacts, phone_to_call


def checklist(session: Session, incident: Incident, operator: OperatorFacts) -> tuple[Gap, ...]:
    """What the incident does not say yet: warnings with a remedy, never a block."""
    title = texts.read(session, "incident", [incident.id])[incident.id, "title"]
    newest = updates.list_updates(session, incident)[0]
    body = texts.read(session, "incident_update", [newest.id])[newest.id, "body"]
    complete = set(title.bodies) & set(body.bodies) - title.outdated - body.outdated
    return gaps(
        PublicationFacts(
            title=title.bodies[title.source],
            what_happened=body.bodies[body.source],
            started_at=incident.started_at,
            # Segments and regions say the scale; where none is named, the page says "all subscribers, everywhere".
            scale_said=True,
            cause=incident.cause,
            regions=incident.regions,
            components=components.states_of(session, incident),
            not_affected=incident.not_affected,
            expected_end_said=True,
            next_update_at=incident.next_update_at if incident.resolved_at is None else incident.resolved_at,
            contact=phone_to_call(session, operator.phone),
            what_to_do="The page itself says how to pay and not to pay twice.",
            missing_locales=[locale for locale in operator.locales if locale not in complete],
        )
    )


def publish_incident(
    session: Session, actor: Actor, incident: Incident, operator: OperatorFacts, *, now: datetime
) -> tuple[Gap, ...]:
    """Show a draft to the public at once, and return what its text leaves out. Publishing twice changes nothing."""
    actor.require(Permission.INCIDENT_PUBLISH)
    lock(session, incident)
    found = checklist(session, incident, operator)
    if incident.publication is Publication.PUBLISHED:
        return found
    check_publication(incident.publication, Publication.PUBLISHED)
    words.check_public(session, actor, incident, words.all_said(session, incident), now)
    incident.publication, incident.published_at = Publication.PUBLISHED, now
    incident.updated_at = now
    session.flush()
    newest = updates.list_updates(session, incident)[0]
    components.apply(session, incident, newest.id, incident.started_at, now)
    detail: audit.Detail = {"gaps": [gap.field for gap in found]}
    audit.record(session, actor, "incident.published", "incident", incident.public_id, now, detail)
    grace.activate_approved(session, actor, incident, now)
    page.bump(session)
    return found


def withdraw(session: Session, actor: Actor, incident: Incident, *, now: datetime) -> None:
    """Take an incident off the page. What it promised still holds, but moves no further."""
    _leave(session, actor, incident, Publication.WITHDRAWN, now)
    audit.record(session, actor, "incident.withdrawn", "incident", incident.public_id, now)


def mark_duplicate(session: Session, actor: Actor, incident: Incident, original: Incident, *, now: datetime) -> None:
    """Say that the incident is `original`, which alone is carried on."""
    if original.id == incident.id or original.publication in (Publication.WITHDRAWN, Publication.DUPLICATE):
        raise RuleError(
            "incident.bad_original", "duplicate_of: name another incident, one that is carried on.", "duplicate_of"
        )
    incident.duplicate_of_id = original.id
    _leave(session, actor, incident, Publication.DUPLICATE, now)
    detail: audit.Detail = {"of": original.public_id}
    audit.record(session, actor, "incident.duplicate", "incident", incident.public_id, now, detail)


def _leave(session: Session, actor: Actor, incident: Incident, to: Publication, now: datetime) -> None:
    actor.require(Permission.INCIDENT_PUBLISH)
    session.flush()
    lock(session, incident)
    was_public = incident.publication is Publication.PUBLISHED
    check_publication(incident.publication, to)
    incident.publication, incident.updated_at = to, now
    session.flush()
    grace.stop_following(session, incident)
    if was_public:
        components.apply(session, incident, None, now, now)
        page.bump(session)
