"""What a caller is told when something is refused or broken: people get a page, machines RFC 9457 problem details."""

from __future__ import annotations

from http import HTTPStatus

import structlog
from flask import Flask, Response, g, jsonify, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import InterfaceError, InternalError, NotSupportedError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.exceptions import HTTPException

from statuspage.db import disk_is_full, reason_of
from statuspage.domain.errors import NotAllowed, NotFound, RuleError
from statuspage.publish.signup_pages import SignupPages
from statuspage.web import shell
from statuspage.web.wiring import now, wiring

_CONFLICTS = (".illegal_", ".already_", ".other_request", ".busy", ".changed", ".running")
"""Parts of the codes that say: right in itself, but not in the state that things are in."""

_MACHINE_PATHS = ("/api/", "/callbacks/", "/healthz", "/readyz", "/metrics")
RETRY_AFTER_SECONDS = "10"

logger = structlog.get_logger(__name__)


def register(app: Flask) -> None:
    """Answer every exception that leaves a view."""
    app.register_error_handler(RuleError, refused)
    app.register_error_handler(StaleDataError, _changed_meanwhile)
    # A PostgreSQL that takes no writes, as a standby does, says so by InternalError or NotSupportedError.
    for gone in (OperationalError, InterfaceError, InternalError, NotSupportedError, PoolTimeout):
        app.register_error_handler(gone, _database_gone)
    app.register_error_handler(CSRFError, _form_too_old)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _broken)


def status_of(error: RuleError) -> int:
    """403 not allowed, 404 not found, 409 not in this state, 422 everything else."""
    if isinstance(error, NotAllowed):
        return HTTPStatus.FORBIDDEN
    if isinstance(error, NotFound):
        return HTTPStatus.NOT_FOUND
    if any(part in error.code for part in _CONFLICTS):
        return HTTPStatus.CONFLICT
    return HTTPStatus.UNPROCESSABLE_ENTITY


def refused(error: RuleError) -> ResponseReturnValue:
    """A refusal that no view has put into its own form."""
    status = status_of(error)
    if _for_machine():
        return _problem(status, error.code, error.message, error.field)
    return _page(status, shell.told(error))


def _changed_meanwhile(_error: StaleDataError) -> ResponseReturnValue:
    return _answer(HTTPStatus.CONFLICT, "request.changed_meanwhile", "changed_meanwhile")


def _database_gone(error: Exception) -> ResponseReturnValue:
    logger.warning("database.gone", endpoint=request.endpoint, error=type(error).__name__, reason=reason_of(error))
    found = "disk_full" if disk_is_full(error) else "gone"
    answer = shell.made(_answer(HTTPStatus.SERVICE_UNAVAILABLE, f"database.{found}", f"database_{found}"))
    answer.headers["Retry-After"] = RETRY_AFTER_SECONDS
    return answer


def _form_too_old(_error: CSRFError) -> ResponseReturnValue:
    return _answer(HTTPStatus.BAD_REQUEST, "form.token", "form_too_old")


def _http(error: HTTPException) -> ResponseReturnValue:
    if error.code is None or error.code < HTTPStatus.BAD_REQUEST:
        return error
    status = HTTPStatus(error.code)
    known = {HTTPStatus.NOT_FOUND: "not_found", HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too_large"}
    answer = shell.made(_answer(status, f"http.{status.name.lower()}", known.get(status, "bad_request")))
    for name, value in error.get_headers():
        if name not in {"Content-Type", "Content-Length"}:
            answer.headers[name] = value  # Allow of a 405, Retry-After of a 429
    return answer


def _broken(error: Exception) -> ResponseReturnValue:
    logger.error("request.failed", endpoint=request.endpoint, method=request.method, exc_info=error)
    return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, "server.error", "broken")


def _answer(status: HTTPStatus, code: str, key: str) -> ResponseReturnValue:
    if _for_machine():
        return _problem(status, code, status.phrase, None)
    return _page(status, shell.t(f"error.{key}"))


def _for_machine() -> bool:
    if request.path.startswith(_MACHINE_PATHS):
        return True
    accepted = request.accept_mimetypes
    return accepted.best_match(["text/html", "application/json"], "text/html") == "application/json"


def _problem(status: int, code: str, detail: str, field: str | None) -> Response:
    details: dict[str, object] = {"type": f"urn:statuspage:{code}", "title": HTTPStatus(status).phrase}
    details |= {"status": int(status), "detail": detail}
    answer = jsonify(details if field is None else {**details, "field": field})
    answer.status_code = int(status)
    answer.mimetype = "application/problem+json"
    return answer


def _page(status: int, message: str) -> ResponseReturnValue:
    title = f"error.title_{404 if status == HTTPStatus.NOT_FOUND else int(status) // 100}"
    if not shell.in_console():
        return _public_page(status, shell.t(title), message)
    if not hasattr(g, "user"):
        g.user = None
    return shell.render("console/error.html", title_key=title, message=message), int(status)


def _public_page(status: int, title: str, message: str) -> Response:
    """For readers of the public side, who have no log-in: neither a form nor a cookie."""
    pages = SignupPages(wiring().settings, now())
    body = pages.render(shell.locale(), "refused", None, {"title": title, "message": message})
    answer = Response(body, status=int(status), content_type="text/html; charset=utf-8")
    answer.headers["Content-Security-Policy"] = pages.content_security_policy
    answer.headers["Content-Language"] = shell.locale()
    return answer
