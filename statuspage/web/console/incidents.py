"""The list of incidents, and declaring one from a template."""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint, flash, redirect, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage.domain import clocks
from statuspage.domain.component import ComponentState
from statuspage.domain.errors import RuleError
from statuspage.domain.incident import OPEN, CauseCategory, Publication
from statuspage.domain.roles import Permission
from statuspage.models import Incident, User
from statuspage.services import break_glass, clock_facts, incidents, templates, waiting_words
from statuspage.services.incidents import Declaration
from statuspage.web import shell
from statuspage.web.access import access, actor
from statuspage.web.console import declaration, naming, room
from statuspage.web.errors import status_of
from statuspage.web.forms import Fields, fields, key
from statuspage.web.wiring import now, wiring

blueprint = Blueprint("incidents", __name__, url_prefix="/console/incidents")


@blueprint.get("")
@access(Permission.INCIDENT_VIEW)
def index() -> ResponseReturnValue:
    gone = (Publication.WITHDRAWN, Publication.DUPLICATE)
    with wiring().reading() as session:
        found = incidents.list_incidents(session)
        wordings = incidents.titles(session, found)
        owners = session.execute(select(User.id, User.name).where(User.id.in_({one.owner_id for one in found})))
        offered = templates.titles(session)
        going = [one for one in found if one.state in OPEN and one.publication not in gone]
        return shell.render(
            "console/incidents/index.html",
            going=going,
            due={one.id: _due(session, one) for one in going},
            over=[one for one in found if one not in going],
            titles={one.id: naming.picked(wordings.get(one.id)) for one in found},
            owners=dict(owners.all()),
            for_legal=waiting_words.incidents(session, found),
            alone=break_glass.released_alone(session, [one.id for one in found]),
            cap=wiring().settings.break_glass_cap,
            templates=[(one.key, naming.picked(offered.get(one.id))) for one in templates.list_templates(session)],
            blank=declaration.NO_TEMPLATE,
        )


def _due(session: Session, incident: Incident) -> datetime | None:
    """By when the next update is due; of what the public does not see yet, what its draft would promise."""
    found = clock_facts.next_update(session, incident, room.operator())
    return incident.next_update_at if found is None else found.due_at


@blueprint.get("/new/<template>")
@access(Permission.INCIDENT_EDIT)
def new(template: str) -> ResponseReturnValue:
    return _form(template, None)


@blueprint.post("/new/<template>")
@access(Permission.INCIDENT_EDIT)
def declare(template: str) -> ResponseReturnValue:
    """A doubled click declares once; published at once, the public page follows before the answer."""
    try:
        with wiring().reading() as session:
            said = _checked(session, fields(), template)
        with wiring().writing() as session:
            incident = incidents.declare_incident(session, actor(), said, idempotency_key=key(), now=now())
    except RuleError as error:
        return _form(template, error), status_of(error)
    flash(shell.t(f"declare.done_{said.publication}"))
    room.warn(incident.public_id)
    return redirect(url_for("room.show", public_id=incident.public_id), code=303)


def _checked(session: Session, form: Fields, template: str) -> Declaration:
    """The form's declaration. Raises InputError with what is wrong in form and substance, all at once."""
    said = declaration.read(form, declaration.choices(session, template), template)
    unclear = "source" in form.mistakes  # in no language there is nothing to judge
    form.check(None if unclear else lambda: incidents.check_declaration(session, actor(), said, now()))
    return said


def _form(template: str, error: RuleError | None) -> str:
    with wiring().reading() as session:
        offered = declaration.choices(session, template)
        said = declaration.prefilled(session, template, now())
        settings = wiring().settings
        asked = clocks.asked_after(clocks.PROFILES[said.profile], now(), now(), settings.zone)
    return shell.render(
        "console/incidents/new.html",
        error=error,
        template=template,
        said=said,
        offered=offered,
        asked=asked,
        causes=list(CauseCategory),
        states=declaration.open_states(),
        component_states=[state for state in ComponentState if state is not ComponentState.OPERATIONAL],
    )
