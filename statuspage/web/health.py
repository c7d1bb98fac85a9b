"""Is the process alive, is it ready, and what does it count."""

from __future__ import annotations

from datetime import UTC, datetime
from shutil import disk_usage
from threading import Lock
from typing import cast

from flask import Blueprint, Response, abort, jsonify
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from statuspage import metrics, schema
from statuspage.publish.mirror import Mirror
from statuspage.publish.publisher import PUBLIC_FOLDER
from statuspage.services.operator_facts import OperatorFacts
from statuspage.web.access import access
from statuspage.web.proxies import from_loopback
from statuspage.web.wiring import now, wiring

LEAST_FREE = 8 * 1024 * 1024
"""Bytes on the disk of DATA_DIR, below which a page may not be written any more."""

blueprint = Blueprint("health", __name__)


class _Schema:
    """A schema once current stays so while this code runs; asking Alembic at every probe would take the lock."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._current: set[int] = set()

    def is_current(self, engine: Engine) -> bool:
        with self._lock:
            if id(engine) not in self._current and schema.is_current(engine):
                self._current.add(id(engine))
            return id(engine) in self._current


_schema = _Schema()


@blueprint.get("/healthz")
@access.public
def alive() -> ResponseReturnValue:
    """The process answers; says nothing of the database, so that a dead one gets no web process killed."""
    return Response("ok\n", mimetype="text/plain")


@blueprint.get("/readyz")
@access.public
def ready() -> ResponseReturnValue:
    """503 until the database answers with this code's schema, and DATA_DIR is there and its disk has room; the mirror's
    age, in seconds, never fails it."""
    database, current = _database()
    folder, disk = _disk()
    checks = {"database": database, "schema": current, "data_dir": folder, "disk": disk}
    answer = jsonify({**checks, "mirror_age_seconds": _mirror_age()})
    answer.status_code = 200 if all(checks.values()) else 503
    return answer


@blueprint.get("/metrics")
@access.public
def exposition() -> ResponseReturnValue:
    """Prometheus text, to this machine only: it counts what the operator's competitors would like to know."""
    if not from_loopback():
        abort(404)
    operator = OperatorFacts.of(wiring().settings)
    return Response(metrics.render(wiring().sessions, operator, now()), content_type=CONTENT_TYPE_LATEST)


def _database() -> tuple[bool, bool]:
    try:
        with wiring().reading() as session:
            session.execute(text("SELECT 1"))
        return True, _schema.is_current(cast(Engine, wiring().sessions.kw["bind"]))
    except DBAPIError:
        return False, False


def _disk() -> tuple[bool, bool]:
    try:
        return True, disk_usage(wiring().settings.data_dir).free >= LEAST_FREE
    except OSError:
        return False, False


def _mirror_age() -> float | None:
    try:
        written = Mirror(wiring().settings.data_dir / PUBLIC_FOLDER).manifest_path.stat().st_mtime
    except OSError:
        return None
    return round((now() - datetime.fromtimestamp(written, UTC)).total_seconds(), 1)
