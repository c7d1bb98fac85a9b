"""Log in, log out, change one's password, choose the console's language."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, flash, redirect, request, session, url_for
from flask.typing import ResponseReturnValue

from statuspage.domain.errors import RuleError
from statuspage.services import guesses, logins, passwords, users
from statuspage.services.actor import of_user
from statuspage.web import shell
from statuspage.web.access import LOGIN, access, actor, person, whoever
from statuspage.web.errors import status_of
from statuspage.web.forms import fields
from statuspage.web.proxies import from_loopback, peer
from statuspage.web.throttle import Limit, OneAtATime, Throttle
from statuspage.web.wiring import now, wiring

HOME = "incidents.index"

blueprint = Blueprint("auth", __name__, url_prefix="/console")
tries = Throttle(Limit(tries=10, per=timedelta(minutes=5)))
beyond = OneAtATime()
"""The tries of an address that has none left: they cost as much work, so that it does not tell who may still log in."""


@blueprint.get("/login")
@access.public
def login() -> ResponseReturnValue:
    return shell.render("auth/login.html", refused=False, next=_local(request.args.get("next", "")))


@blueprint.post("/login")
@access.public
def log_in() -> ResponseReturnValue:
    """One answer for every refusal: unknown, wrong, locked, too often, or a first password from elsewhere."""
    form = fields()
    email, password = form.text("email", limit=254), request.form.get("password", "")
    onward = _local(request.form.get("next", ""))
    token = None
    if email and 0 < len(password) <= passwords.MAXIMUM_LENGTH and not form.mistakes:
        token = _token(email, password)
    if token is None:
        return shell.render("auth/login.html", refused=True, next=onward), 422
    _begin(token)
    return redirect(onward or url_for(HOME), code=303)


@blueprint.post("/logout")
@access.user
def logout() -> ResponseReturnValue:
    with wiring().writing() as db:
        logins.end_login(db, session[LOGIN], now=now())
    session.clear()
    return redirect(url_for("auth.login"), code=303)


@blueprint.get("/password")
@access.user
def password() -> ResponseReturnValue:
    return _password_page(None)


@blueprint.post("/password")
@access.user
def change_password() -> ResponseReturnValue:
    """Ends every log-in of this person and begins a new one here."""
    current, new = request.form.get("current", ""), request.form.get("new", "")
    try:
        if new != request.form.get("again", ""):
            raise RuleError("user.passwords_differ", "again: the new passwords differ. Type this one anew.", "again")
        proven = users.new_password(person(), current, new)
        with wiring().writing() as db:
            user = users.get_user(db, person().public_id)
            users.change_password(db, actor(), user, proven, now=now())
            token = logins.open_login(db, user, now=now())
    except RuleError as error:
        return _password_page(error)
    _begin(token)
    flash(shell.t("password.changed"))
    return redirect(url_for(HOME), code=303)


@blueprint.post("/language")
@access.public
def language() -> ResponseReturnValue:
    """Before a log-in for this browser's next one; afterwards for good, wherever that person logs in."""
    chosen = request.form.get("locale", "")
    if chosen in wiring().settings.locales:
        session[shell.LOCALE] = chosen
        reader = whoever()
        if reader is not None and reader.locale != chosen:
            with wiring().writing() as db:
                users.choose_locale(db, of_user(reader), users.get_user(db, reader.public_id), chosen, now=now())
    return redirect(_local(request.form.get("next", "")) or url_for(HOME), code=303)


def _token(email: str, password: str) -> str | None:
    """A log-in of the person whose password this is, as long as the address has tries, and beyond them as far as the
    account is known from there: one who guesses is not to keep a whole shift behind one address out."""
    address = peer()
    if not tries.take(address, now()):
        with beyond.turn(address) as free:
            return _checked(email, password, spent=True) if free else None
    token = _checked(email, password, spent=False)
    if token is not None:
        tries.give_back(address)  # of a whole shift only the failures count
    return token


def _checked(email: str, password: str, *, spent: bool) -> str | None:
    """The password is looked at between two transactions, where nobody waits."""
    network = guesses.network_of(peer())
    with wiring().writing() as db:
        attempt = logins.begin(db, email, network=network, loopback=from_loopback(), spent=spent, now=now())
    matched = attempt.matches(password)
    with wiring().writing() as db:
        user = logins.finish(db, attempt, matched=matched, now=now())
        return None if user is None else logins.open_login(db, user, now=now())


def _password_page(error: RuleError | None) -> ResponseReturnValue:
    page = shell.render(
        "auth/password.html", error=error, first=person().must_change_password, least=passwords.MINIMUM_LENGTH
    )
    return page, 200 if error is None else status_of(error)


def _begin(token: str) -> None:
    # Nothing of an earlier visitor's session survives, so that a planted cookie is worth nothing.
    chosen = session.get(shell.LOCALE)
    session.clear()
    session[LOGIN] = token
    if chosen is not None:
        session[shell.LOCALE] = chosen


def _local(address: str) -> str:
    """`address` when it is a page of this console, else ""; never another site's."""
    clean = address.startswith("/console/") and "\\" not in address and not any(ord(one) < 33 for one in address)
    return address.removesuffix("?") if clean else ""
