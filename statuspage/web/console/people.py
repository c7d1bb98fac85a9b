"""Who is told: figures, a file in, a file out, one person found and forgotten."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from flask import Blueprint, Response, request, send_file, stream_with_context, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage.domain.errors import NotFound, RuleError
from statuspage.domain.roles import Permission
from statuspage.models import PeopleImport
from statuspage.services import erasure, people
from statuspage.services.people_import_book import deserted, standing
from statuspage.services.people_import_columns import NO, TABLE, YES
from statuspage.services.people_import_sample import sample_file
from statuspage.web import shell
from statuspage.web.access import access, actor, person
from statuspage.web.console import found, importing, naming
from statuspage.web.console.importing import Task
from statuspage.web.errors import status_of
from statuspage.web.forms import fields
from statuspage.web.wiring import now, wiring

LARGEST_FILE_BYTES = 2_000_000_000

blueprint = Blueprint("people", __name__, url_prefix="/console/people")


@blueprint.get("")
@access(Permission.SUBSCRIBER_VIEW)
def index() -> ResponseReturnValue:
    return _page(None)


@blueprint.get("/imports")
@access(Permission.SUBSCRIBER_VIEW)
def progress() -> ResponseReturnValue:
    """The moving part of the page alone, for whoever watches an import; the whole page anew when it has ended."""
    with wiring().reading() as session:
        watch = _watch(session)
    answer = Response(shell.render("console/people/imports.html", watch=watch, standing=standing))
    if not watch.going:
        answer.headers["HX-Refresh"] = "true"
    return answer


@blueprint.get("/sample.csv")
@access(Permission.SUBSCRIBER_IMPORT)
def sample() -> ResponseReturnValue:
    """A file to begin with, in this operator's words."""
    with wiring().reading() as session:
        body = sample_file(session, wiring().settings)
    return Response(
        body,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": "attachment; filename=subscribers-sample.csv"},
    )


@blueprint.post("/imports")
@access(Permission.SUBSCRIBER_IMPORT, largest=LARGEST_FILE_BYTES)
def upload() -> ResponseReturnValue:
    """Takes the file and answers at once; nothing of it is visible until its last row is in."""
    sent = request.files.get("file")
    dry_run = request.form.get("dry_run") == "1"
    if sent is None or not sent.filename:
        error = RuleError("people_import.no_file", "file: no file was chosen. Choose one.", "file")
        return _page(error), status_of(error)
    since = int(now().timestamp())
    path = importing.keep(sent, wiring().settings, now())
    try:
        importing.check(path, wiring(), dry_run=dry_run)
    except RuleError as error:
        path.unlink()
        return _page(error), status_of(error)
    importing.launch(Task(str(path), sent.filename[-200:], person().public_id, dry_run))
    return shell.done("people.begun", url_for("people.index", since=since, _anchor="imports"))


@blueprint.get("/imports/<public_id>/refused")
@access(Permission.SUBSCRIBER_IMPORT)
def refused(public_id: str) -> ResponseReturnValue:
    """The refused lines with their reasons, as long as they are kept, from the host that read the file."""
    with wiring().reading() as session:
        run = session.scalar(select(PeopleImport).where(PeopleImport.public_id == public_id))
    kept = _kept(run, now())
    if run is None or kept is None:
        raise NotFound("people_import.no_refused", "The refused lines of this import are not kept here any more.")
    return send_file(kept, mimetype="text/csv", as_attachment=True, download_name=f"refused-{run.public_id}.csv")


@blueprint.post("/export")
@access(Permission.SUBSCRIBER_EXPORT)
def export() -> ResponseReturnValue:
    """Everybody as CSV; who took the copy is in the audit before the first row is out."""
    signups = request.form.get("what") == "signups"
    with wiring().writing() as session:
        people.allow_export(session, actor(), now=now())
    name = "signups.csv" if signups else "subscribers.csv"
    return Response(
        stream_with_context(_rows(signups)),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f"attachment; filename={name}"},
    )


@blueprint.post("/find")
@access(Permission.SUBSCRIBER_VIEW)
def find() -> ResponseReturnValue:
    """Who it is, and what an agent has to say. What was asked is never in this page's own address, which logs keep."""
    return found.look_up(fields().text("address", required=True, limit=300))


@blueprint.post("/erase")
@access(Permission.SUBSCRIBER_ERASE)
def erase() -> ResponseReturnValue:
    """Forget whoever is told there; asking again changes nothing, so the form needs no key."""
    address = fields().text("address", required=True, limit=300)
    try:
        with wiring().writing() as session:
            erased = erasure.erase(session, actor(), address, wiring().settings, now=now())
    except RuleError as error:
        return found.page(address, error=error)
    return found.page(address, erased=erased)


def _rows(signups: bool) -> Iterator[str]:
    with wiring().reading() as session:
        yield from people.signups_csv(session) if signups else people.lines_csv(session)


@dataclass(frozen=True)
class _Watch:
    """The newest imports, and whether there is more to come. `since` is when this person sent a file, in seconds."""

    imports: Sequence[PeopleImport]
    at: datetime
    since: int | None
    waiting: bool
    not_begun: bool

    @property
    def going(self) -> bool:
        return self.waiting or any(one.finished_at is None and not deserted(one, self.at) for one in self.imports)


def _watch(session: Session) -> _Watch:
    """A sent file is read by a process of its own, whose row is not there at once, and never if it is refused."""
    imports = people.imports(session, actor())
    since = request.args.get("since", type=int)
    begun = since is None or any(one.started_at.timestamp() >= since for one in imports[:1])
    patient = since is not None and now().timestamp() - since < importing.BEGINS_WITHIN.total_seconds()
    return _Watch(imports, now(), since, not begun and patient, not begun and not patient)


def _page(error: RuleError | None) -> str:
    with wiring().reading() as session:
        watch = _watch(session)
        return shell.render(
            "console/people/index.html",
            error=error,
            counts=people.counts(session, actor()),
            segments=dict(naming.segment_names(session)),
            regions=dict(naming.region_names(session)),
            columns=TABLE,
            yes=", ".join(YES),
            no=", ".join(NO),
            country=wiring().settings.default_region,
            default_locale=wiring().settings.default_locale,
            watch=watch,
            standing=standing,
        )


def _kept(run: PeopleImport | None, at: datetime) -> Path | None:
    if run is None or run.refused_path is None:
        return None
    path = Path(run.refused_path)
    expired = run.refused_expires_at is not None and run.refused_expires_at <= at
    return None if expired or not path.is_file() else path
