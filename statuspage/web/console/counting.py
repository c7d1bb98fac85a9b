"""How many people an audience means, said while somebody types it; nothing is saved by asking."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from notifiers.base import Channel
from statuspage.domain.audience import LONGEST, AudienceError, too_long
from statuspage.domain.errors import NotFound, RuleError
from statuspage.domain.roles import Permission
from statuspage.services import audience_count, campaign_templates, campaigns, incidents, recipients
from statuspage.services.audience_count import AudienceCount
from statuspage.web import shell
from statuspage.web.access import access, actor, person
from statuspage.web.console.campaigns import page
from statuspage.web.errors import status_of
from statuspage.web.throttle import Limit, Throttle
from statuspage.web.wiring import now, wiring

asked = Throttle(Limit(tries=40, per=timedelta(minutes=1)))
"""Of one person. A count among a million people takes more than half a second of a processor, and nobody pauses in
typing more often than this for long."""

TOO_OFTEN = "audience.too_often"

blueprint = Blueprint("counting", __name__, url_prefix="/console/campaigns")


@dataclass(frozen=True)
class Answer:
    """`found` or, where there is none, the `error` that says why."""

    found: AudienceCount | None = None
    error: RuleError | None = None


@blueprint.get("/<public_id>/count")
@access(Permission.CAMPAIGN_EDIT)
def live(public_id: str) -> ResponseReturnValue:
    """A piece of the campaign's page. A mistake in the audience is an answer like any other to who is still typing it,
    and a browser puts only what succeeded into the page."""
    return _piece(_answer(request.args, lambda session, text: _of_campaign(session, public_id, text, request.args)))


@blueprint.post("/<public_id>/count")
@access(Permission.CAMPAIGN_EDIT)
def counted(public_id: str) -> ResponseReturnValue:
    """The same without a script: the whole page, with all that was typed still in it."""
    answer = _answer(request.form, lambda session, text: _of_campaign(session, public_id, text, request.form))
    return page(public_id, answer.error, counted=answer), _status(answer.error)


@blueprint.get("/new/count")
@access(Permission.CAMPAIGN_EDIT)
def of_template() -> ResponseReturnValue:
    """Whom a draft from a template would begin with; of what is not there (any more) it says so."""

    def counted(session: Session, _text: str) -> AudienceCount | None:
        incident = incidents.get_incident(session, request.args.get("incident", "")[:40])
        template = campaigns.get_message_template(session, request.args.get("template", "")[:60])
        if campaign_templates.ends(template):
            return None
        expression = campaign_templates.audience(session, incident, template)
        taken = template.purpose in recipients.SIGN_UP_PURPOSES
        return audience_count.count(session, actor(), expression, incident, _channels(request.args), sign_ups=taken)

    try:
        return _piece(_answer(request.args, counted))
    except NotFound as error:
        return _piece(Answer(error=error))


def _of_campaign(session: Session, public_id: str, text: str, given: MultiDict[str, str]) -> AudienceCount:
    campaign = campaigns.get_campaign(session, public_id)
    return audience_count.count_for(session, actor(), campaign, text, _channels(given))


def _answer(given: MultiDict[str, str], counted: Callable[[Session, str], AudienceCount | None]) -> Answer:
    """What is too long or too often is refused before anything is read."""
    expression = given.get("audience", "").strip()
    if len(expression) > LONGEST:
        return Answer(error=too_long())
    if not asked.take(person().public_id, now()):
        said = "audience: too many counts in a row. Wait a minute."
        return Answer(error=RuleError(TOO_OFTEN, said, "audience"))
    try:
        with wiring().reading() as session:
            return Answer(counted(session, expression))
    except AudienceError as error:
        return Answer(error=error)


def _status(error: RuleError | None) -> int:
    if error is None:
        return HTTPStatus.OK
    return HTTPStatus.TOO_MANY_REQUESTS if error.code == TOO_OFTEN else status_of(error)


def _channels(given: MultiDict[str, str]) -> Collection[Channel]:
    ticked = given.getlist("channels")
    return [one for one in Channel if one.value in ticked]


def _piece(answer: Answer) -> ResponseReturnValue:
    return shell.render("console/campaigns/count.html", counted=answer)
