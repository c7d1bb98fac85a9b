"""The people who work with the console: add them, change their role, shut them out."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from statuspage.domain.errors import RuleError
from statuspage.domain.roles import ROLES, Permission
from statuspage.models import User
from statuspage.services import users
from statuspage.web import shell
from statuspage.web.access import access, actor
from statuspage.web.console.acting import act
from statuspage.web.errors import status_of
from statuspage.web.forms import fields
from statuspage.web.wiring import now, wiring

blueprint = Blueprint("staff", __name__, url_prefix="/console/users")


@blueprint.get("")
@access(Permission.USER_EDIT)
def index() -> ResponseReturnValue:
    return _page(None)


@blueprint.post("")
@access(Permission.USER_EDIT)
def add() -> ResponseReturnValue:
    """The first password is in this one answer and nowhere else, so a repeated form makes no second person of it."""
    form = fields()
    email = form.text("email", required=True, limit=254)
    name, role, locale = form.text("name", limit=120), form.text("role", required=True), form.text("locale")
    try:
        form.check()
        with wiring().writing() as session:
            user, password = users.add_user(
                session, actor(), email=email, role=role, name=name, locale=locale or shell.locale(), now=now()
            )
    except RuleError as error:
        return _page(error), status_of(error)
    return shell.render("console/users/password.html", person=user, password=password)


@blueprint.post("/<public_id>/password")
@access(Permission.USER_EDIT)
def reset(public_id: str) -> ResponseReturnValue:
    with wiring().writing() as session:
        user = users.get_user(session, public_id)
        password = users.reset_password(session, actor(), user, now=now())
    return shell.render("console/users/password.html", person=user, password=password)


@blueprint.post("/<public_id>/role")
@access(Permission.USER_EDIT)
def set_role(public_id: str) -> ResponseReturnValue:
    role = request.form.get("role", "")
    return _change(public_id, "role", lambda db, user: users.set_role(db, actor(), user, role, now=now()))


@blueprint.post("/<public_id>/disable")
@access(Permission.USER_EDIT)
def disable(public_id: str) -> ResponseReturnValue:
    return _change(public_id, "disabled", lambda db, user: users.disable_user(db, actor(), user, now=now()))


@blueprint.post("/<public_id>/enable")
@access(Permission.USER_EDIT)
def enable(public_id: str) -> ResponseReturnValue:
    return _change(public_id, "enabled", lambda db, user: users.enable_user(db, actor(), user, now=now()))


def _change(public_id: str, what: str, verb: Callable[[Session, User], None]) -> ResponseReturnValue:
    return act(
        f"user.{what}.{public_id}",
        lambda session: verb(session, users.get_user(session, public_id)),
        done=f"users.done_{what}",
        onward=url_for("staff.index"),
        page=_page,
    )


def _page(error: RuleError | None) -> str:
    with wiring().reading() as session:
        return shell.render(
            "console/users/index.html", people=users.list_users(session), roles=list(ROLES), error=error
        )
