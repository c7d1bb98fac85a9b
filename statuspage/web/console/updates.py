"""Words for the public: an update, the restoration, the resolution, a reopening, a postmortem; and mending them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from statuspage.domain.component import ComponentState
from statuspage.domain.errors import NotAllowed, NotFound, RuleError
from statuspage.domain.incident import BROKEN, OPEN, CauseCategory, IncidentState
from statuspage.domain.playbook import open_gate
from statuspage.domain.roles import Permission
from statuspage.models import Incident
from statuspage.services import (
    clock_facts,
    components,
    incidents,
    lifecycle,
    playbook,
    templates,
    texts,
    updates,
    words,
)
from statuspage.services.updates import KEEP, Keep, NewUpdate
from statuspage.web import shell
from statuspage.web.access import access, actor
from statuspage.web.console import naming, touched
from statuspage.web.console.acting import act
from statuspage.web.console.room import operator, warn
from statuspage.web.forms import Fields, fields
from statuspage.web.wiring import now, wiring

HOUR = timedelta(hours=1)

blueprint = Blueprint("updates", __name__, url_prefix="/console/incidents/<public_id>")


class Kind(StrEnum):
    """What the words are for; the last part of the form's address."""

    UPDATE = "update"
    RESTORE = "restore"
    RESOLVE = "resolve"
    REOPEN = "reopen"
    POSTMORTEM = "postmortem"


STATES: dict[Kind, list[IncidentState]] = {
    Kind.UPDATE: [
        state for state in IncidentState if state in OPEN and state is not IncidentState.RESTORED_CATCHING_UP
    ],
    Kind.RESTORE: [IncidentState.RESTORED_CATCHING_UP],
    Kind.RESOLVE: [IncidentState.RESOLVED],
    Kind.REOPEN: [state for state in IncidentState if state in BROKEN],
    Kind.POSTMORTEM: [IncidentState.POSTMORTEM],
}
"""The states that a form of the kind offers."""


@blueprint.get("/tell/<kind>")
@access(Permission.INCIDENT_EDIT)
def write(public_id: str, kind: str) -> ResponseReturnValue:
    return _page(public_id, _kind(kind), None)


@blueprint.post("/tell/<kind>")
@access(Permission.INCIDENT_EDIT)
def tell(public_id: str, kind: str) -> ResponseReturnValue:
    """Once however often the button is pressed; the public page follows before the answer."""
    chosen, form = _kind(kind), fields()
    if form.flag("keep"):
        return _keep(public_id, chosen, form)
    answer = act(
        f"incident.{chosen}.{public_id}",
        lambda session: _VERBS[chosen](session, incidents.get_incident(session, public_id), form),
        done=f"tell.done_{chosen}",
        onward=url_for("room.show", public_id=public_id),
        page=lambda error: _page(public_id, chosen, error),
    )
    if shell.made(answer).location is not None:
        warn(public_id)
    return answer


def _keep(public_id: str, kind: Kind, form: Fields) -> ResponseReturnValue:
    """The words of the form wait for a person who agrees to them; the rest of the form is said when they go out."""

    def keep_words(session: Session) -> None:
        incident = incidents.get_incident(session, public_id)
        state = form.needed("state", IncidentState) if len(STATES[kind]) > 1 else STATES[kind][0]
        body, source = _body(form)
        lifecycle.keep_words(session, actor(), incident, state, body, source, now=now())

    return act(
        f"incident.keep.{public_id}",
        keep_words,
        done="tell.done_kept",
        onward=url_for("room.show", public_id=public_id),
        page=lambda error: _page(public_id, kind, error),
    )


@blueprint.get("/words/<place>")
@access(Permission.INCIDENT_EDIT)
def mend(public_id: str, place: str) -> ResponseReturnValue:
    return _words_page(public_id, place, None)


@blueprint.post("/words/<place>")
@access(Permission.INCIDENT_EDIT)
def keep(public_id: str, place: str) -> ResponseReturnValue:
    """`place` is "title" or an update's public id. Locales left empty keep what they have."""
    form = fields()

    def edit(session: Session) -> None:
        incident = incidents.get_incident(session, public_id)
        source = form.text("source", required=True)
        body = form.texts("body", required=source)
        form.check()
        if place == "title":
            updates.edit_title(session, actor(), incident, body, source, now=now())
        else:
            update = updates.get_update(session, incident, place)
            updates.edit_update(session, actor(), incident, update, body, source, now=now())

    return act(
        f"incident.words.{public_id}",
        edit,
        done="tell.done_words",
        onward=url_for("room.show", public_id=public_id),
        page=lambda error: _words_page(public_id, place, error),
    )


def _kind(name: str) -> Kind:
    if name not in list(Kind):
        raise NotFound("page.not_found", f"{name[:20]}: there is no such form.")
    return Kind(name)


def _new(session: Session, incident: Incident, form: Fields) -> NewUpdate:
    """The update of the form, for the kinds that choose a state; what is left empty is said as "unknown"."""
    source = form.text("source", required=True)
    states = {key: form.choice(f"component.{key}", ComponentState) for key in components.states_of(session, incident)}
    new = NewUpdate(
        state=form.needed("state", IncidentState),
        body=form.texts("body", required=source),
        source_locale=source,
        at=form.moment("at"),
        next_update_at=form.moment("next_update_at"),
        expected_end_at=form.moment("expected_end_at"),
        components={key: state for key, state in states.items() if state is not None},
        cause=_cause(form),
    )
    form.check()
    return new


def _cause(form: Fields) -> CauseCategory | Keep:
    """Often learned later than declared; left alone it stays as it is."""
    return form.choice("cause", CauseCategory) or KEEP


def _body(form: Fields) -> tuple[dict[str, str], str]:
    source = form.text("source", required=True)
    body = form.texts("body", required=source)
    form.check()
    return body, source


def _update(session: Session, incident: Incident, form: Fields) -> None:
    lifecycle.add_update(session, actor(), incident, _new(session, incident, form), operator(), now=now())


def _restore(session: Session, incident: Incident, form: Fields) -> None:
    credited_by = form.moment("credited_by_at")
    body, source = _body(form)
    lifecycle.restore_incident(
        session, actor(), incident, body, source, operator(), credited_by_at=credited_by, now=now()
    )


def _resolve(session: Session, incident: Incident, form: Fields) -> None:
    override, cause = form.text("override", limit=2000), _cause(form)
    body, source = _body(form)
    lifecycle.resolve_incident(
        session, actor(), incident, body, source, operator(), cause=cause, override=override, now=now()
    )


def _reopen(session: Session, incident: Incident, form: Fields) -> None:
    lifecycle.reopen_incident(session, actor(), incident, _new(session, incident, form), operator(), now=now())


def _postmortem(session: Session, incident: Incident, form: Fields) -> None:
    cause = _cause(form)
    body, source = _body(form)
    new = NewUpdate(IncidentState.POSTMORTEM, body, source, cause=cause)
    lifecycle.add_update(session, actor(), incident, new, operator(), now=now())


_VERBS: dict[Kind, Callable[[Session, Incident, Fields], None]] = {
    Kind.UPDATE: _update,
    Kind.RESTORE: _restore,
    Kind.RESOLVE: _resolve,
    Kind.REOPEN: _reopen,
    Kind.POSTMORTEM: _postmortem,
}


def _page(public_id: str, kind: Kind, error: RuleError | None) -> str:
    with wiring().reading() as session:
        incident = incidents.get_incident(session, public_id)
        asked = clock_facts.asked_after(session, incident, operator(), now())
        state = _offered(kind, incident, request.args.get("state", ""))
        waiting = {one.state for one in words.kept(session, incident)}
        # Words that the public has already read are not offered again as news.
        fresh = state is not incident.state or state in waiting
        prepared = templates.words_for(session, incident, state) if fresh else None
        security = incident.cause is CauseCategory.SECURITY
        named = dict(naming.component_names(session))
        return shell.render(
            "console/room/tell.html",
            error=error,
            kind=kind,
            incident=incident,
            title=naming.picked(incidents.titles(session, [incident])[incident.id]),
            states=STATES[kind],
            state=state,
            body=prepared.bodies if prepared is not None else {},
            source=prepared.source if prepared is not None else wiring().settings.default_locale,
            next_update_at=asked or now() + HOUR,
            asked=asked,
            causes=list(CauseCategory),
            # Words are kept for a security incident only, so this is what the update is going to say.
            cause=CauseCategory.SECURITY if state in waiting and not security else "",
            for_legal=security or isinstance(error, NotAllowed),
            expected_end_at=_still_ahead(incident.expected_end_at),
            credited_by_at=_still_ahead(incident.credited_by_at),
            components=[(key, named[key], one) for key, one in _as_offered(session, incident, kind).items()],
            component_states=list(ComponentState),
            measures={key: naming.picked(one) for key, one in playbook.measure_texts(session, incident).items()},
            gate=open_gate(playbook.rows(session, incident, operator(), now())) if kind is Kind.RESOLVE else (),
            already_told=touched.told(session, incident),
            still_broken=naming.incident_titles(session, components.also_broken_by(session, incident)),
            waiting=touched.waiting(session, incident),
            at_stake=touched.lines_within(session, incident.segments, incident.regions),
        )


def _words_page(public_id: str, place: str, error: RuleError | None) -> str:
    with wiring().reading() as session:
        incident = incidents.get_incident(session, public_id)
        if place == "title":
            wording = incidents.titles(session, [incident])[incident.id]
        else:
            update = updates.get_update(session, incident, place)
            wording = texts.read(session, "incident_update", [update.id])[update.id, "body"]
        return shell.render(
            "console/room/words.html",
            error=error,
            incident=incident,
            title=naming.picked(incidents.titles(session, [incident])[incident.id]),
            place=place,
            wording=wording,
        )


def _as_offered(session: Session, incident: Incident, kind: Kind) -> dict[str, ComponentState]:
    """What the form says of each component by itself: as it is, or at a reopening as bad as it was."""
    return (components.worst_of if kind is Kind.REOPEN else components.states_of)(session, incident)


def _offered(kind: Kind, incident: Incident, asked: str) -> IncidentState:
    """The state a fresh form of the kind begins with: the one asked for, else the present one."""
    states = STATES[kind]
    if asked in states:
        return IncidentState(asked)
    return incident.state if kind is Kind.UPDATE and incident.state in states else states[0]


def _still_ahead(moment: datetime | None) -> datetime | None:
    """A time that has passed is not offered again: whoever writes has to say a new one or "unknown"."""
    return moment if moment is not None and moment > now() else None
