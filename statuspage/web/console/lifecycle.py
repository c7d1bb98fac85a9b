"""What is done to an incident as a whole: publish, withdraw, crediting figures, its owner and its facts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from statuspage.domain.errors import RuleError
from statuspage.domain.incident import CauseCategory
from statuspage.domain.roles import Permission
from statuspage.models import Incident
from statuspage.services import break_glass, campaigns, incidents, lifecycle, publication, words
from statuspage.services.incidents import Facts
from statuspage.services.lifecycle import Crediting
from statuspage.services.updates import KEEP, Keep
from statuspage.web import shell
from statuspage.web.access import access, actor
from statuspage.web.console import naming, room
from statuspage.web.console.acting import act
from statuspage.web.console.declaration import choices
from statuspage.web.console.room import operator
from statuspage.web.forms import Fields, fields
from statuspage.web.wiring import now, wiring

blueprint = Blueprint("lifecycle", __name__, url_prefix="/console/incidents/<public_id>")


@blueprint.post("/publish")
@access(Permission.INCIDENT_PUBLISH)
def publish(public_id: str) -> ResponseReturnValue:
    return _change(
        public_id, "publish", lambda db, one: publication.publish_incident(db, actor(), one, operator(), now=now())
    )


@blueprint.post("/withdraw")
@access(Permission.INCIDENT_PUBLISH)
def withdraw(public_id: str) -> ResponseReturnValue:
    return _change(public_id, "withdraw", lambda db, one: publication.withdraw(db, actor(), one, now=now()))


@blueprint.post("/duplicate")
@access(Permission.INCIDENT_PUBLISH)
def duplicate(public_id: str) -> ResponseReturnValue:
    original = request.form.get("original", "").strip()[:40]

    def mark(session: Session, incident: Incident) -> None:
        publication.mark_duplicate(session, actor(), incident, incidents.get_incident(session, original), now=now())

    return _change(public_id, "duplicate", mark)


@blueprint.post("/owner")
@access(Permission.INCIDENT_EDIT)
def own(public_id: str) -> ResponseReturnValue:
    owner = request.form.get("owner") or None
    return _change(public_id, "owner", lambda db, one: incidents.set_owner(db, actor(), one, owner, now=now()))


@blueprint.post("/words-approval")
@access(Permission.WORDS_APPROVE)
def approve_words(public_id: str) -> ResponseReturnValue:
    """A person with words:approve answers for all that a security incident says so far, and for what is kept."""
    read = request.form.get("read", "")[:64]
    return _change(public_id, "words", lambda db, one: words.approve_words(db, actor(), one, read=read, now=now()))


@blueprint.post("/released-alone/<campaign>")
@access(Permission.CAMPAIGN_APPROVE)
def review(public_id: str, campaign: str) -> ResponseReturnValue:
    """A second person has looked at what one released alone; its alarm goes out."""
    return _change(
        public_id,
        f"review.{campaign}",
        lambda db, _one: break_glass.review(db, actor(), campaigns.get_campaign(db, campaign), now=now()),
        "room.done_review",
    )


@blueprint.post("/crediting")
@access(Permission.INCIDENT_RESOLVE)
def credit(public_id: str) -> ResponseReturnValue:
    form = fields()
    queued, credited = form.count("queued", required=True), form.count("credited", required=True)
    duplicated = form.count("duplicated")

    def verify(session: Session, incident: Incident) -> None:
        form.check()
        figures = Crediting(queued or 0, credited or 0, duplicated or 0)
        lifecycle.verify_crediting(session, actor(), incident, figures, now=now())

    said = "room.done_crediting" if credited == queued else "room.done_crediting_unfinished"
    return _change(public_id, "crediting", verify, said)


@blueprint.get("/facts")
@access(Permission.INCIDENT_EDIT)
def facts(public_id: str) -> ResponseReturnValue:
    return _facts_page(public_id, None)


@blueprint.post("/facts")
@access(Permission.INCIDENT_EDIT)
def set_facts(public_id: str) -> ResponseReturnValue:
    form = fields()

    def correct(session: Session) -> None:
        incident, offered = incidents.get_incident(session, public_id), choices(session)
        segments = form.several("segments", [key for key, _ in offered.segments])
        regions = form.several("regions", [key for key, _ in offered.regions])
        said = Facts(
            cause=form.needed("cause", CauseCategory),
            started_at=_moved(form, "started_at", incident.started_at),
            credited_by_at=_moved(form, "credited_by_at", incident.credited_by_at),
            segments=() if len(segments) == len(offered.segments) else tuple(segments),
            regions=() if len(regions) == len(offered.regions) else tuple(regions),
            not_affected=tuple(form.several("not_affected", [key for key, _ in offered.components])),
        )
        form.check()
        incidents.set_facts(session, actor(), incident, said, now=now())

    return act(
        f"incident.facts.{public_id}",
        correct,
        done="room.done_facts",
        onward=url_for("room.show", public_id=public_id),
        page=lambda error: _facts_page(public_id, error),
    )


def _moved(form: Fields, name: str, present: datetime | None) -> datetime | Keep:
    """The moment as typed; KEEP where the form still shows the present one, whose seconds it cannot show."""
    typed = form.moment(name)
    unmoved = present is not None and form.text(name) == shell.local_input(present)
    return KEEP if unmoved or typed is None else typed


def _change(
    public_id: str, what: str, verb: Callable[[Session, Incident], object], done: str = ""
) -> ResponseReturnValue:
    return act(
        f"incident.{what}.{public_id}",
        lambda session: verb(session, incidents.get_incident(session, public_id)),
        done=done or f"room.done_{what}",
        onward=url_for("room.show", public_id=public_id),
        page=lambda error: room.page(public_id, error),
    )


def _facts_page(public_id: str, error: RuleError | None) -> str:
    with wiring().reading() as session:
        incident = incidents.get_incident(session, public_id)
        return shell.render(
            "console/room/facts.html",
            error=error,
            incident=incident,
            title=naming.picked(incidents.titles(session, [incident])[incident.id]),
            offered=choices(session, said=incident.not_affected),
            causes=list(CauseCategory),
        )
