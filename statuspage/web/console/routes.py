"""The board of ways to pay and to manage services: what each can do now, and what somebody just saw."""

from __future__ import annotations

from flask import Blueprint, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from statuspage.domain.errors import RuleError
from statuspage.domain.roles import Permission
from statuspage.domain.route import RouteKind, RouteState
from statuspage.services import components, routes, texts
from statuspage.web import shell
from statuspage.web.access import access, actor
from statuspage.web.console import naming
from statuspage.web.console.acting import act
from statuspage.web.forms import fields
from statuspage.web.wiring import now, wiring

DERIVED = "derived"

blueprint = Blueprint("routes", __name__, url_prefix="/console/routes")


@blueprint.get("")
@access(Permission.INCIDENT_VIEW)
def index() -> ResponseReturnValue:
    return _page(None)


@blueprint.post("")
@access(Permission.ROUTE_EDIT)
def check() -> ResponseReturnValue:
    """Keeps what was seen of every route that the form names; a route left alone keeps what it had."""
    form = fields()
    seen = {
        name.removeprefix("state."): value for name, value in form.form.items() if name.startswith("state.") and value
    }

    def keep(session: Session) -> None:
        for key, value in seen.items():
            route = routes.get_route(session, key)
            if value == DERIVED:
                routes.forget_state(session, actor(), route, now=now())
            else:
                routes.set_state(session, actor(), route, form.needed(f"state.{key}", RouteState), now=now())
        form.check()

    return act("routes.check", keep, done="routes.done", onward=url_for("routes.index"), page=_page)


def _page(error: RuleError | None) -> str:
    with wiring().reading() as session:
        listed = routes.list_routes(session, now())
        named = texts.read(session, "route", [one.route.id for one in listed])
        return shell.render(
            "console/routes/index.html",
            error=error,
            groups=[(kind, [one for one in listed if one.route.kind is kind]) for kind in RouteKind],
            names={one.route.id: naming.picked(named.get((one.route.id, "name"))) for one in listed},
            broken=components.broken_dependencies(session),
            segments=dict(naming.segment_names(session)),
            regions=dict(naming.region_names(session)),
            states=[state for state in RouteState if state is not RouteState.UNKNOWN],
            derived=DERIVED,
        )
