"""What every answer carries, what no caller gets past, and what a broken part of the house looks like from outside."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Callable

import psycopg
import pytest
from flask import Flask, abort
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm.exc import StaleDataError
from structlog.testing import capture_logs

from statuspage.db import Sessions, reason_of
from statuspage.domain.errors import NotAllowed, NotFound, RuleError
from statuspage.domain.roles import ROLES, Permission
from statuspage.web import security
from statuspage.web.access import access, declared
from tests.databases import fill_disk
from tests.web.site import Browser, Build


def _sqlite(name: str) -> sqlite3.OperationalError:
    fault = sqlite3.OperationalError("secret")
    fault.sqlite_errorname = name
    return fault


def _with(app: Flask, failure: Exception) -> Flask:
    @access.public
    def fail() -> str:
        raise failure

    app.add_url_rule("/fails", "fails", fail)
    return app


def test_every_route_says_who_may_call_it(build: Build) -> None:
    """No endpoint of the application is without a declaration."""
    app = build()
    assert [name for name, view in app.view_functions.items() if declared(view) is None] == []


def test_a_route_that_says_nothing_is_served_to_nobody(build: Build) -> None:
    """Forgetting the declaration closes a route instead of opening it."""
    app = build()
    app.add_url_rule("/forgotten", "forgotten", lambda: "open")
    assert app.test_client().get("/forgotten").status_code == 403


def test_pages_cannot_be_framed_scripted_or_kept(browser: Browser) -> None:
    """The headers of a console page: a strict policy without inline, no framing, no store, no type guessing."""
    headers = browser.get("/console/login").headers
    assert headers["Content-Security-Policy"] == security.CSP
    assert "unsafe" not in security.CSP
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Strict-Transport-Security" not in headers
    assert "<style" not in browser.page
    assert " style=" not in browser.page


def test_over_https_the_cookie_is_secure_and_the_browser_stays(build: Build, person: Callable[..., str]) -> None:
    """With an https address: HSTS, a cookie that only https sees, bound to this host."""
    browser = Browser(build(base_url="https://status.example").test_client())
    browser.client.environ_base.update({"wsgi.url_scheme": "https", "HTTP_REFERER": "https://localhost/"})
    answer = browser.log_in(person())
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-console=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert answer.headers["Strict-Transport-Security"] == security.HSTS


def test_the_stylesheet_is_kept_for_ever_under_its_own_hash(browser: Browser) -> None:
    """An asset's address changes with its bytes, so browsers need not ask again; a stale address is not kept."""
    address = browser.get("/console/login").text.partition('rel="stylesheet" href="')[2].partition('"')[0]
    kept = browser.get(address)
    assert kept.headers["Cache-Control"].endswith("immutable")
    assert kept.text.startswith(":root{--brand-light:")
    assert browser.get("/static/0/console.css").headers["Cache-Control"] == "no-cache"
    assert browser.get("/static/0/secret.txt").status_code == 404


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (RuleError("incident.illegal_move", "state: no.", "state"), 409),
        (RuleError("incident.no_components", "components: none.", "components"), 422),
        (NotAllowed("actor.not_allowed", "no."), 403),
        (NotFound("incident.not_found", "none."), 404),
        (StaleDataError("two at once"), 409),
        (OperationalError("SELECT secret", {}, Exception("gone")), 503),
        (RuntimeError("secret inside"), 500),
    ],
)
def test_a_failure_has_its_status_for_people_and_machines(build: Build, failure: Exception, status: int) -> None:
    """People get a page, machines a problem document; neither learns what was inside."""
    client = _with(build(), failure).test_client()
    page = client.get("/fails", headers={"Accept": "text/html"})
    problem = client.get("/fails", headers={"Accept": "application/json"})
    assert (page.status_code, page.mimetype) == (status, "text/html")
    assert (problem.status_code, problem.mimetype) == (status, "application/problem+json")
    assert problem.json is not None
    assert problem.json["status"] == status
    assert "secret" not in page.text + problem.text


def test_a_dead_database_says_when_to_come_again(build: Build) -> None:
    """503 with Retry-After, and the page says that the public side is still served."""
    answer = _with(build(), OperationalError("", {}, Exception())).test_client().get("/fails")
    assert answer.headers["Retry-After"] == "10"


@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("locale", "said"), [("en", "The disk is full"), ("ru", "нет места"), ("zh", "磁盘已满")])
def test_a_full_disk_is_named(engineer: Browser, sessions: Sessions, locale: str, said: str) -> None:
    """A declaration that the database has no room for says so, in the person's language; the log has the reason; with
    room the same form is taken."""
    engineer.get("/console/password")
    engineer.post("/console/language", {"locale": locale, "next": "/console/incidents"})
    address = "/console/incidents/new/billing_outage"
    engineer.get(address)
    fields = {**engineer.filled(address), "publication": "published", "body.ru": "слово " * 1000}
    room = fill_disk(sessions.kw["bind"])
    with capture_logs() as logs:
        answer = engineer.post(address, fields)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    assert said in answer.text
    assert "DATA_DIR" in answer.text
    assert [(one["event"], one["reason"]) for one in logs if one["event"] == "database.gone"] == [
        ("database.gone", "disk_full")
    ]
    room()
    assert engineer.post(address, fields).status_code == 303


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (psycopg.errors.DiskFull(), "disk_full"),
        (psycopg.errors.DeadlockDetected(), "40P01"),
        (psycopg.OperationalError(), "OperationalError"),
        (_sqlite("SQLITE_IOERR_SHMSIZE"), "disk_full"),
        (_sqlite("SQLITE_BUSY"), "SQLITE_BUSY"),
    ],
)
def test_the_log_has_the_code_of_a_fault(fault: Exception, reason: str) -> None:
    """A full disk by its name, whatever the driver's code of it; another fault by that code."""
    assert reason_of(OperationalError("SELECT secret", {}, fault)) == reason


def test_an_unknown_address_and_a_wrong_method(browser: Browser) -> None:
    """404 and 405 keep what the protocol asks for."""
    assert browser.get("/console/nowhere").status_code == 404
    wrong = browser.client.put("/console/login")
    assert (wrong.status_code, "GET" in wrong.headers["Allow"]) == (405, True)


def test_a_form_too_large_is_refused(engineer: Browser) -> None:
    """A request beyond the limit is not read into memory."""
    engineer.get("/console/password")
    answer = engineer.post("/console/password", {"current": "x" * 3_000_000})
    assert answer.status_code == 413


class _Body(io.BytesIO):
    """A request's body that knows whether anybody read of it."""

    touched = False

    def read(self, size: int | None = -1, /) -> bytes:
        self.touched = True
        return super().read(size)

    def readinto(self, buffer: object, /) -> int:
        self.touched = True
        return super().readinto(buffer)  # type: ignore[arg-type]


def _upload(browser: Browser, body: _Body) -> int:
    kind = "multipart/form-data; boundary=b"
    size = str(len(body.getvalue()))
    answer = browser.client.post(
        "/console/people/imports", input_stream=body, content_type=kind, headers={"Content-Length": size}
    )
    return answer.status_code


def _large_body() -> _Body:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="p.csv"\r\n\r\n'
    return _Body(head + b"x" * 3_000_000 + b"\r\n--b--\r\n")


def test_nothing_is_read_of_an_upload_by_who_may_not_upload(build: Build, log_in: Callable[..., Browser]) -> None:
    """A stranger is sent to the log-in, a viewer is refused, and neither has put a byte of the body on the disk."""
    stranger, viewer = _large_body(), _large_body()
    assert _upload(Browser(build().test_client()), stranger) == 302
    assert _upload(log_in("viewer"), viewer) == 403
    assert (stranger.touched, viewer.touched) == (False, False)


def test_who_may_upload_may_upload_much(log_in: Callable[..., Browser]) -> None:
    """The route's own limit holds for whoever has the permission: what is missing then is the token alone."""
    role = next(role for role, held in ROLES.items() if Permission.SUBSCRIBER_IMPORT in held)
    body = _large_body()
    assert _upload(log_in(role), body) == 400
    assert body.touched


def test_every_post_of_the_console_wants_its_token(log_in: Callable[..., Browser], build: Build) -> None:
    """With a live log-in that holds the permission, a POST without a token is refused as such, at every address."""
    app = build()
    browsers: dict[str, Browser] = {}
    answers: dict[str, int] = {}
    with app.test_request_context() as context:
        posts = [
            rule
            for rule in app.url_map.iter_rules()
            if rule.rule.startswith("/console") and "POST" in (rule.methods or ())
        ]
        router = context.url_adapter
        assert router is not None
        addresses = {rule.endpoint: router.build(rule.endpoint, dict.fromkeys(rule.arguments, 1)) for rule in posts}
    for endpoint, address in addresses.items():
        found = declared(app.view_functions[endpoint])
        assert found is not None
        role = next(role for role, held in ROLES.items() if found.permission is None or found.permission in held)
        if role not in browsers:
            browsers[role] = log_in(role)
        answers[address] = browsers[role].client.post(address).status_code
    assert len(answers) > 20
    assert {address: status for address, status in answers.items() if status != 400} == {}


@pytest.mark.parametrize("address", ["/console", "/console//login", "/console/", "/console/incidents", "/subscribe"])
def test_no_answer_leads_to_the_host_that_the_request_named(browser: Browser, address: str) -> None:
    """The Host header is anybody's: where an answer leads on, it is to a path of this site."""
    answer = browser.client.get(address, headers={"Host": "evil.example"})
    assert "evil.example" not in str(answer.headers) + answer.text
    if answer.status_code // 100 == 3:
        assert answer.location.startswith(("/console/", "/en/", "/ru/", "/zh/"))


def test_the_console_opens_without_its_slash(engineer: Browser) -> None:
    """`/console` is the console."""
    assert engineer.get("/console").location == "/console/incidents"


@pytest.mark.parametrize("address", ["/nowhere", "/zh/nowhere", "/fr/subscribe", "/consoles", "/static/0/no.txt", "/"])
def test_an_error_outside_the_console_sets_no_cookie(browser: Browser, address: str) -> None:
    """The public side's error page has no form, no token and no cookie, and does not depend on one."""
    answer = browser.client.get(address, headers={"Accept-Language": "en"})
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert "Set-Cookie" not in answer.headers
    assert "Cookie" not in answer.headers.get("Vary", "")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "csrf" not in answer.text
    assert "<form" not in answer.text
    assert '<a href="/zh/"' in answer.text
    assert ('lang="zh-Hans"' in answer.text.partition("<head>")[0]) == address.startswith("/zh/")


def test_a_failure_outside_the_console_sets_no_cookie(build: Build) -> None:
    """Nor does a broken view."""
    answer = _with(build(), RuntimeError("secret inside")).test_client().get("/fails")
    assert (answer.status_code, "Set-Cookie" in answer.headers) == (500, False)
    assert "csrf" not in answer.text


@pytest.mark.parametrize(
    "address", ["/healthz", "/readyz", "/metrics", "/console/", "/console/no", "/no", "/subscribe"]
)
def test_every_dynamic_answer_is_kept_by_nobody(browser: Browser, address: str) -> None:
    """Pages, redirects, errors and what machines read alike."""
    assert browser.client.get(address).headers["Cache-Control"] == "no-store"


def test_an_abort_keeps_its_headers(build: Build) -> None:
    """What a view aborts with is answered with that status."""
    app = build()

    @access.public
    def tea() -> str:
        abort(418)

    app.add_url_rule("/tea", "tea", tea)
    assert app.test_client().get("/tea").status_code == 418
