"""Who may call a route: said at the route itself, checked in one place before any view runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from flask import Flask, current_app, g, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFProtect

from statuspage.domain.errors import NotAllowed
from statuspage.domain.roles import ROLES, Permission
from statuspage.models import User
from statuspage.services import logins
from statuspage.services.actor import Actor, of_user
from statuspage.web.proxies import from_loopback
from statuspage.web.wiring import now, wiring

View = TypeVar("View", bound=Callable[..., ResponseReturnValue])

LOGIN = "login"
FIRST_PASSWORD = frozenset({"auth.password", "auth.change_password", "auth.logout"})

csrf = CSRFProtect()


class Caller(StrEnum):
    """`public`: anybody; `user`: whoever is logged in; `permitted`: who holds the permission.

    `callback`: a machine that signs what it sends, or a mail program's one click.
    """

    PUBLIC = "public"
    CALLBACK = "callback"
    USER = "user"
    PERMITTED = "permitted"


@dataclass(frozen=True)
class Access:
    """The declaration of one route."""

    caller: Caller
    permission: Permission | None = None
    largest: int | None = None
    """The most bytes a request may have, where it is not what all others may."""


class _Declare:
    """`@access(Permission.X)`, `@access.user`, `@access.public` or `@access.callback`, right under the route."""

    def __call__(self, permission: Permission, *, largest: int | None = None) -> Callable[[View], View]:
        return lambda view: _mark(view, Access(Caller.PERMITTED, permission, largest))

    def user(self, view: View) -> View:
        return _mark(view, Access(Caller.USER))

    def public(self, view: View) -> View:
        return _mark(view, Access(Caller.PUBLIC))

    def callback(self, view: View) -> View:
        """No cookie is looked at and no CSRF token asked for: the view checks a signature of its own."""
        return _mark(view, Access(Caller.CALLBACK))


access = _Declare()


def _mark(view: View, declared: Access) -> View:
    view.__dict__["access"] = declared
    return view


def declared(view: Callable[..., object]) -> Access | None:
    """What the route says about its callers; None is a fault that the guard refuses to serve."""
    found = getattr(view, "access", None)
    return found if isinstance(found, Access) else None


def guard(app: Flask) -> None:
    """Check every request of `app`."""
    app.config["WTF_CSRF_CHECK_DEFAULT"] = False  # the guard asks, since it knows which routes take no cookie
    csrf.init_app(app)
    app.before_request(_admit)


def _admit() -> ResponseReturnValue | None:
    g.user = None
    if request.endpoint is None:
        return None  # no such address: the router answers 404 or 405
    found = declared(current_app.view_functions[request.endpoint])
    if found is None:
        raise NotAllowed("route.undeclared", "This address does not say who may call it, so nobody may.")
    if found.caller is Caller.CALLBACK:
        return None
    if found.caller is Caller.PUBLIC:
        csrf.protect()
        return None
    return _admit_person(found)


def _admit_person(found: Access) -> ResponseReturnValue | None:
    user = _logged_in()
    if user is None:
        return redirect(url_for("auth.login", next=request.full_path if request.method == "GET" else None))
    g.user = user
    if user.must_change_password:
        if not from_loopback():
            raise NotAllowed(
                "user.first_password", "A first password works on the server itself only; change it there."
            )
        if request.endpoint not in FIRST_PASSWORD:
            return redirect(url_for("auth.password"))
    if found.permission is not None:
        of_user(user).require(found.permission)
    if found.largest is not None:
        request.max_content_length = found.largest
    csrf.protect()  # last: looking for the token reads the whole body, which only who may send it makes us do
    return None


def _logged_in() -> User | None:
    token = session.get(LOGIN)
    if not isinstance(token, str):
        return None
    with wiring().reading() as db:
        held = logins.look_up(db, token, now=now())
    if held is None:
        return None
    if logins.due_for_touch(held.login, now=now()):
        with wiring().writing() as db:
            logins.touch(db, held.login.id, now=now())
    return held.user


def whoever() -> User | None:
    """Who is logged in, asked by a view that is public and does more for a person."""
    return _logged_in()


def person() -> User:
    """Who is logged in; only for views that do not declare `public` or `callback`."""
    if g.user is None:
        raise NotAllowed("user.nobody", "Nobody is logged in.")
    user: User = g.user
    return user


def actor() -> Actor:
    return of_user(person())


def may(permission: Permission) -> bool:
    """Whether the reader of this page could do it: what cannot be done is not offered."""
    return g.user is not None and permission in ROLES[g.user.role]
