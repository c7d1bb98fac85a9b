"""The public side's own forms: sign up, confirm, manage, stop. No cookie, no session; opening a link changes nothing.

A form here takes no CSRF token, since there is no log-in that a foreign page could make use of: what a sign-up starts
is confirmed by the owner of the address, and the other forms stand behind a signed link.
"""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address, ip_network

from flask import Blueprint, Response, abort, redirect, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from statuspage.domain.address import AddressError
from statuspage.domain.errors import NotFound
from statuspage.i18n import negotiate
from statuspage.publish.signup_pages import SignupPages
from statuspage.services import consent, signup
from statuspage.services.addresses import AddressKey
from statuspage.services.links import Links
from statuspage.web.access import access
from statuspage.web.proxies import peer
from statuspage.web.throttle import Limit, Throttle
from statuspage.web.wiring import now, wiring

SIGNUPS = Limit(30, timedelta(minutes=10))
"""A mobile operator's own subscribers share few addresses; what one mailbox gets is limited in services/signup.py."""
RETRY_AFTER_SECONDS = "600"
HONEYPOT = "website"

blueprint = Blueprint("subscribe", __name__)
signups = Throttle(SIGNUPS)


@blueprint.get("/subscribe")
@access.public
def choose() -> ResponseReturnValue:
    return redirect(f"/{_preferred()}/subscribe")


@blueprint.get("/<locale>/subscribe")
@access.public
def form(locale: str) -> ResponseReturnValue:
    return _page(locale, "form", path="/subscribe", given="", wrong=False, privacy_url=wiring().settings.privacy_url)


@blueprint.post("/<locale>/subscribe")
@access.callback
def sign_up(locale: str) -> ResponseReturnValue:
    """The same answer for every address, known or not, and for the robots that fill in the field nobody sees."""
    settings = wiring().settings
    _check(locale)
    if not signups.take(_visitor(), now()):
        answer = _page(locale, "too_many", HTTPStatus.TOO_MANY_REQUESTS)
        answer.headers["Retry-After"] = RETRY_AFTER_SECONDS
        return answer
    given = request.form.get("email", "")[:300]
    if not request.form.get(HONEYPOT):
        try:
            with wiring().writing() as session:
                signup.request_signup(session, given, locale, settings, now=now())
        except AddressError:
            return _page(
                locale, "form", HTTPStatus.UNPROCESSABLE_ENTITY,
                path="/subscribe", given=given, wrong=True, privacy_url=settings.privacy_url,
            )  # fmt: skip
    return _page(locale, "sent", HTTPStatus.ACCEPTED)


@blueprint.get("/confirm/<token>")
@access.public
def ask(token: str) -> ResponseReturnValue:
    with wiring().reading() as session:
        found = signup.awaiting(session, _links(), token, now=now())
    return _page(_offered(found.locale), "confirm", signup=found)


@blueprint.post("/confirm/<token>")
@access.callback
def confirm(token: str) -> ResponseReturnValue:
    with wiring().writing() as session:
        found = signup.confirm(session, _links(), token, now=now())
    locale = _offered(found.locale)
    return _page(locale, "confirmed", signup=found, manage_url=_links().manage(locale, found.public_id))


@blueprint.get("/<locale>/manage/<token>")
@access.public
def show(locale: str, token: str) -> ResponseReturnValue:
    with wiring().reading() as session:
        found = signup.managed(session, _links(), token)
    return _page(locale, "manage", signup=found, saved=False)


@blueprint.post("/<locale>/manage/<token>")
@access.callback
def change(locale: str, token: str) -> ResponseReturnValue:
    _check(locale)
    with wiring().writing() as session:
        if request.form.get("act") == "stop":
            found = signup.end(session, _links(), token, now=now())
        else:
            chosen = request.form.get("language", "")
            _check(chosen)
            found = signup.choose_language(session, _links(), token, chosen, now=now())
    return _page(locale, "manage", signup=found, saved=found.state != "ended")


@blueprint.get("/unsubscribe/<token>")
@access.public
def doubt(token: str) -> ResponseReturnValue:
    """Mail scanners open every link, so this only shows the button."""
    channel, _ = _links().read_unsubscribe(token)
    return _page(_preferred(), "unsubscribe", channel=channel.value)


@blueprint.post("/unsubscribe/<token>")
@access.callback
def stop(token: str) -> ResponseReturnValue:
    """The button, and a mail program's one click (RFC 8058), which sends no cookie and follows no redirect."""
    with wiring().writing() as session:
        consent.opt_out(session, _links(), token, now=now())
    return _page(_preferred(), "unsubscribed")


@blueprint.errorhandler(NotFound)
def gone(_error: NotFound) -> ResponseReturnValue:
    return _page(_preferred(), "gone", HTTPStatus.NOT_FOUND)


@blueprint.errorhandler(OperationalError)
@blueprint.errorhandler(InterfaceError)
@blueprint.errorhandler(PoolTimeout)
def dead(_error: Exception) -> ResponseReturnValue:
    answer = _page(_preferred(), "dead", HTTPStatus.SERVICE_UNAVAILABLE)
    answer.headers["Retry-After"] = "60"
    return answer


def _page(
    locale: str, name: str, status: HTTPStatus = HTTPStatus.OK, *, path: str | None = None, **facts: object
) -> Response:
    _check(locale)
    pages = SignupPages(wiring().settings, now())
    answer = Response(pages.render(locale, name, path, facts), status=status, content_type="text/html; charset=utf-8")
    answer.headers["Content-Security-Policy"] = pages.content_security_policy
    answer.headers["Content-Language"] = locale
    return answer


def _check(locale: str) -> None:
    if locale not in wiring().settings.locales:
        abort(HTTPStatus.NOT_FOUND)


def _links() -> Links:
    return Links.of(wiring().settings)


def _offered(locale: str) -> str:
    return locale if locale in wiring().settings.locales else wiring().settings.default_locale


def _preferred() -> str:
    """The address's language when it names one, else the browser's."""
    settings = wiring().settings
    named = (request.view_args or {}).get("locale")
    if named in settings.locales:
        return str(named)
    return negotiate(request.headers.get("Accept-Language", ""), settings.locales, settings.default_locale)


def _visitor() -> str:
    """A keyed hash of whom to count: an IPv4 address, or the /64 that one household has of IPv6."""
    where = peer()
    try:
        address = ip_address(where)
    except ValueError:
        address = None
    if isinstance(address, IPv6Address):
        where = str(ip_network((address, 64), strict=False))
    return AddressKey.derive(wiring().settings.secret_key.get_secret_value()).hash(where)
