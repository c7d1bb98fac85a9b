"""The report of an incident: in the browser in any language, as figures for programs; and saying that it was filed."""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from statuspage.domain.errors import NotFound
from statuspage.domain.roles import Permission
from statuspage.i18n import LANGUAGE_TAGS, Moments
from statuspage.publish import report as words
from statuspage.publish.report import Report
from statuspage.services import incidents
from statuspage.services import report as figures
from statuspage.web import shell
from statuspage.web.access import access, actor
from statuspage.web.console import room
from statuspage.web.console.acting import act
from statuspage.web.console.room import operator
from statuspage.web.forms import fields
from statuspage.web.wiring import now, wiring

blueprint = Blueprint("report", __name__, url_prefix="/console/incidents/<public_id>")

FIGURES = {"json": (words.to_json, "application/json"), "csv": (words.to_csv, "text/csv; charset=utf-8")}
"""Form of the figures → what writes them, and its media type."""


@blueprint.get("/report")
@access(Permission.REPORT_VIEW)
def show(public_id: str) -> ResponseReturnValue:
    """The document, in the language asked for by `locale`, else in the reader's."""
    settings, asked = wiring().settings, request.args.get("locale", "")
    locale = asked if asked in settings.locales else shell.locale()
    built = _built(public_id)
    page = words.html(built, Moments(locale, settings.zone, built.as_of), settings.brand_name or settings.operator_name)
    answer = Response(page, content_type="text/html; charset=utf-8")
    answer.headers["Content-Security-Policy"] = words.content_security_policy()
    answer.headers["Content-Language"] = LANGUAGE_TAGS[locale]
    return answer


@blueprint.get("/report.<form>")
@access(Permission.REPORT_VIEW)
def download(public_id: str, form: str) -> ResponseReturnValue:
    """The same figures as a file, under stable names."""
    if form not in FIGURES:
        raise NotFound("page.not_found", f"report: there is no form {form[:10]!r}. There are: {', '.join(FIGURES)}.")
    write, media = FIGURES[form]
    answer = Response(write(_built(public_id)), content_type=media)
    answer.headers["Content-Disposition"] = f"attachment; filename=report-{public_id}.{form}"
    return answer


@blueprint.post("/report/filed")
@access(Permission.INCIDENT_EDIT)
def file(public_id: str) -> ResponseReturnValue:
    """Whoever handed the report in says so: its clock stops, and the audit keeps what the chain's head was."""
    which = fields().text("report", required=True)

    def filed(session: Session) -> None:
        figures.file_report(session, actor(), incidents.get_incident(session, public_id), which, now=now())

    return act(
        f"report.{which}.{public_id}",
        filed,
        done="room.done_report",
        onward=url_for("room.show", public_id=public_id, _anchor="report"),
        page=lambda error: room.page(public_id, error),
    )


def _built(public_id: str) -> Report:
    with wiring().reading() as session:
        return words.build(session, actor(), incidents.get_incident(session, public_id), operator(), now())
