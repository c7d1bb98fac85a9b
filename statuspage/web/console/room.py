"""The incident room: what people see, what is to be done with the clocks on top, what is happening."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, flash
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage.domain.campaign import CampaignState
from statuspage.domain.errors import RuleError
from statuspage.domain.incident import BROKEN, ENDED, OPEN, IncidentState, Publication, cause_unsaid
from statuspage.domain.playbook import open_gate
from statuspage.domain.proof import Fact
from statuspage.domain.roles import Permission
from statuspage.domain.route import RouteKind
from statuspage.models import (
    Campaign,
    GraceAcknowledgement,
    GracePolicy,
    Incident,
    IncidentUpdate,
    PageRevision,
    PageState,
    User,
)
from statuspage.publish import proof
from statuspage.publish.prose import prose
from statuspage.services import (
    break_glass,
    clock_facts,
    components,
    counts,
    grace_inquiries,
    grace_policies,
    incidents,
    playbook,
    publication,
    routes,
    texts,
    updates,
    users,
    waiting_words,
    words,
)
from statuspage.services.operator_facts import OperatorFacts
from statuspage.services.routes import RouteNow
from statuspage.services.texts import Wording
from statuspage.web import shell
from statuspage.web.access import access
from statuspage.web.console import naming, touched
from statuspage.web.console.progress import course
from statuspage.web.wiring import now, wiring

PUBLIC_REPORT = "public"
CHANNELS = ("ivr", "ussd", "sms", "shop")
"""The published short texts, in the order in which a call centre and a shop ask for them."""

blueprint = Blueprint("room", __name__, url_prefix="/console/incidents")


@dataclass(frozen=True)
class Told:
    """One update as the room shows it."""

    update: IncidentUpdate
    body: Wording
    author: str


@dataclass(frozen=True)
class Seen:
    """Whether the public page tells the incident: `on_page` by the newest revision, `behind` while one is due."""

    on_page: bool
    behind: bool
    published_at: datetime | None


def operator() -> OperatorFacts:
    return OperatorFacts.of(wiring().settings)


@blueprint.get("/<public_id>")
@access(Permission.INCIDENT_VIEW)
def show(public_id: str) -> ResponseReturnValue:
    return page(public_id, None)


def page(public_id: str, error: RuleError | None) -> str:
    """The room; `error` is why the last act was refused."""
    with wiring().reading() as session:
        incident = incidents.get_incident(session, public_id)
        return shell.render(
            "console/room/show.html",
            error=error,
            incident=incident,
            **_what_people_see(session, incident),
            **_what_is_to_be_done(session, incident),
            **_what_is_happening(session, incident),
        )


def warn(public_id: str) -> None:
    """What whoever has just written should know: a next update promised later than the clock profile asks for it, or a
    cause that is said to be found and not said."""
    with wiring().reading() as session:
        incident = incidents.get_incident(session, public_id)
        found = clock_facts.next_update(session, incident, operator())
        unsaid = cause_unsaid(incident.state, incident.cause)
    if found is not None and found.promised_too_late:
        promised, asked = shell.moment_text(found.promised_at), shell.moment_text(found.asked_at)
        flash(shell.t("clock.promised_too_late", promised=promised, asked=asked))
    if unsaid:
        flash(shell.t("room.cause_unsaid"))


def _what_people_see(session: Session, incident: Incident) -> dict[str, object]:
    title = incidents.titles(session, [incident])[incident.id]
    named = dict(naming.component_names(session))
    return {
        "title": naming.picked(title),
        "seen": _seen(session, incident),
        "states": [(named[key], state) for key, state in components.states_of(session, incident).items()],
        "not_affected": [named.get(key, key) for key in incident.not_affected],
        "ways": _ways(session) if incident.state in OPEN else [],
        "uncovered": _uncovered(session, incident) if incident.state in OPEN else [],
        "promises": _promises(session, incident),
        "dunning": _dunning(session, incident),
        "asked": _asked(session, incident),
        "gaps": publication.checklist(session, incident, operator()),
        "cause_unsaid": cause_unsaid(incident.state, incident.cause),
        "segment_names": [name for key, name in naming.segment_names(session) if key in incident.segments],
        "region_names": [name for key, name in naming.region_names(session) if key in incident.regions],
    }


def _what_is_to_be_done(session: Session, incident: Incident) -> dict[str, object]:
    rows = playbook.rows(session, incident, operator(), now())
    people = playbook.people_of(session, rows)
    clocks = clock_facts.due(session, incident, operator(), now())
    return {
        "clocks": clocks,
        "ends": _ends_to_send(session, incident, {one for clock in clocks for one in clock.missing}),
        "next_update": clock_facts.next_update(session, incident, operator()),
        "handed_in": _handed_in(incident),
        "rows": rows,
        "row_names": people,
        "fact_names": {**dict(naming.segment_names(session)), **people},
        "fact_text": _fact_text,
        "measures": {key: naming.picked(one) for key, one in playbook.measure_texts(session, incident).items()},
        "gate": open_gate(rows),
        "owner": session.get(User, incident.owner_id) if incident.owner_id is not None else None,
        "people": users.who_may(session, Permission.INCIDENT_EDIT, keep=incident.owner_id),
        "act": _next_act(incident),
        "kept": [(one, _form_for(incident, one.state)) for one in words.kept(session, incident)],
        "unapproved": words.unapproved(session, incident),
        "words_read": words.seen(session, incident),
        "recurrence": playbook.recurrence(session, incident).count,
        "alone": break_glass.released_alone(session, [incident.id]).get(incident.id, ()),
        "cap": wiring().settings.break_glass_cap,
    }


def _what_is_happening(session: Session, incident: Incident) -> dict[str, object]:
    return {
        "updates": _updates(session, incident),
        "prose": prose,
        "channels": CHANNELS,
        **_campaigns(session, incident),
        "already_told": touched.told(session, incident),
        "verified_by": session.get(User, incident.crediting_verified_by) if incident.crediting_verified_by else None,
    }


def _next_act(incident: Incident) -> str:
    """The one act that comes next, always at the same place."""
    if incident.publication in (Publication.DRAFT, Publication.SCHEDULED):
        return "publish"
    if incident.publication is not Publication.PUBLISHED or incident.state is IncidentState.POSTMORTEM:
        return "none"
    if incident.state is IncidentState.RESOLVED:
        return "postmortem"
    if incident.state in BROKEN:
        return "restore" if incident.state is IncidentState.MONITORING else "update"
    return "resolve" if incident.crediting_verified_at is not None else "crediting"


def _form_for(incident: Incident, state: IncidentState) -> str:
    """The kind of the form that says an update to `state`."""
    if state in BROKEN:
        return "update" if incident.state in BROKEN else "reopen"
    return {IncidentState.RESTORED_CATCHING_UP: "restore", IncidentState.RESOLVED: "resolve"}.get(state, "postmortem")


def _handed_in(incident: Incident) -> dict[str, str]:
    """Clocks that a person stops by saying that the report was handed in; the public one is stopped by the review."""
    keys = [one.key for one in clock_facts.profile_of(incident).reports if one.key != PUBLIC_REPORT]
    return {f"report:{key}": key for key in keys}


def _seen(session: Session, incident: Incident) -> Seen:
    state = session.scalars(select(PageState)).one()
    newest = session.get(PageRevision, state.revision)
    behind = state.wanted > state.published
    # A revision names only what is open on it; of what has ended there is nothing more to come out.
    told = (newest is not None and incident.public_id in newest.incidents) or (incident.state in ENDED and not behind)
    return Seen(told, behind, state.published_at)


def _ways(session: Session) -> list[tuple[str, RouteNow]]:
    listed = [one for one in routes.list_routes(session, now()) if one.route.kind is RouteKind.PAYMENT]
    named = texts.read(session, "route", [one.route.id for one in listed])
    return [(naming.picked(named.get((one.route.id, "name"))), one) for one in listed]


def _uncovered(session: Session, incident: Incident) -> list[tuple[str, str]]:
    segments, regions = dict(naming.segment_names(session)), dict(naming.region_names(session))
    pairs = routes.uncovered_pairs(session, incident, RouteKind.PAYMENT, now())
    return [(segments.get(segment, segment), regions.get(region, region)) for segment, region in pairs]


def _promises(session: Session, incident: Incident) -> list[list[tuple[GracePolicy, str]]]:
    """The incident's policies by name; those that promise the same stand together, so that it is said once."""
    found = grace_policies.policies_of(session, incident)
    titles = texts.read(session, "grace_policy", [one.id for one in found])
    alike: dict[tuple[datetime | None, str], list[tuple[GracePolicy, str]]] = {}
    for one in found:
        name = naming.picked(titles.get((one.id, "title"))) or one.public_id
        alike.setdefault((one.published_until, one.state), []).append((one, name))
    return list(alike.values())


def _dunning(session: Session, incident: Incident) -> dict[int, list[GraceAcknowledgement]]:
    """policy row id → the newest word of each dunning system on it."""
    said: dict[int, list[GraceAcknowledgement]] = {}
    for policy in grace_policies.policies_of(session, incident):
        newest = {one.system: one for one in reversed(grace_policies.acknowledgements(session, policy))}
        said[policy.id] = [newest[system] for system in sorted(newest)]
    return said


def _asked(session: Session, incident: Incident) -> tuple[datetime, str] | None:
    """When, since the incident was declared, a dunning system last asked about a line, and which."""
    last = grace_inquiries.last(session)
    if last is None or last.at < incident.declared_at:
        return None
    return last.at, last.asker


def _fact_text(fact: Fact, names: Mapping[str, str]) -> str:
    return proof.said(fact, shell.moments(), names)


def _updates(session: Session, incident: Incident) -> list[Told]:
    found = updates.list_updates(session, incident)
    bodies = texts.read(session, "incident_update", [one.id for one in found])
    people = session.execute(select(User.id, User.name).where(User.id.in_({one.author_id for one in found})))
    names = dict(people.all())
    return [Told(one, bodies[one.id, "body"], names.get(one.author_id or 0, "")) for one in found]


def _ends_to_send(session: Session, incident: Incident, notices: Collection[str]) -> list[Campaign]:
    """End notices that are drafted and not begun, for those whom the campaigns `notices` told."""
    told_by = select(Campaign.id).where(Campaign.public_id.in_(notices))
    query = select(Campaign).where(
        Campaign.incident_id == incident.id,
        Campaign.told_by_id.in_(told_by),
        Campaign.started_at.is_(None),
        Campaign.state != CampaignState.CANCELLED,
    )
    return list(session.scalars(query.order_by(Campaign.id)))


def _campaigns(session: Session, incident: Incident) -> dict[str, object]:
    query = select(Campaign).where(Campaign.incident_id == incident.id).order_by(Campaign.id.desc())
    found = session.scalars(query).all()
    return {
        "campaigns_here": [(one, course(one, counts.read(session, one.id))) for one in found],
        "for_legal": waiting_words.campaigns(session, found),
    }
