"""A named person answers for a row of the playbook that the system cannot see done."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from statuspage.domain.roles import Permission
from statuspage.services import incidents, playbook
from statuspage.web.access import access, actor
from statuspage.web.console import room
from statuspage.web.console.acting import act
from statuspage.web.forms import fields
from statuspage.web.wiring import now

NOT_NEEDED = "not_needed"

blueprint = Blueprint("playbook", __name__, url_prefix="/console/incidents/<public_id>/playbook")


@blueprint.post("/<key>")
@access(Permission.PLAYBOOK_TICK)
def answer(public_id: str, key: str) -> ResponseReturnValue:
    """Done, or not needed; the note says how the person knows."""
    note = fields().text("note", limit=2000)
    verb = playbook.waive if request.form.get("answer") == NOT_NEEDED else playbook.tick

    def keep(session: Session) -> None:
        verb(session, actor(), incidents.get_incident(session, public_id), key, note, now=now())

    return _done(public_id, f"playbook.{key}.{public_id}", keep)


@blueprint.post("/<key>/undo")
@access(Permission.PLAYBOOK_TICK)
def undo(public_id: str, key: str) -> ResponseReturnValue:
    """Take an answer back; what happened decides again."""

    def take_back(session: Session) -> None:
        playbook.untick(session, actor(), incidents.get_incident(session, public_id), key, now=now())

    return _done(public_id, f"playbook.undo.{key}.{public_id}", take_back)


def _done(public_id: str, scope: str, verb: Callable[[Session], None]) -> ResponseReturnValue:
    return act(
        scope,
        verb,
        done="playbook.kept",
        onward=url_for("room.show", public_id=public_id, _anchor="do"),
        page=lambda error: room.page(public_id, error),
    )
