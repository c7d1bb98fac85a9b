"""How a raw statement says a moment and a list of ids on either database: large sets go around the ORM."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import CursorResult, text
from sqlalchemy.orm import Session

from statuspage.db import is_sqlite

_AMONG_SQLITE = "{column} IN (SELECT value FROM json_each(:{parameter}))"
_AMONG_POSTGRESQL = "{column} = ANY(CAST(:{parameter} AS bigint[]))"


def moment(session: Session, at: datetime) -> str | datetime:
    """An aware time as the column keeps it: on SQLite the fixed-width UTC text that `UtcDateTime` writes."""
    if is_sqlite(session):
        return at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    return at


def among(session: Session, column: str, parameter: str = "ids") -> str:
    """`column` is one of the ids bound to `parameter` by `listed`; one statement whatever their number."""
    form = _AMONG_SQLITE if is_sqlite(session) else _AMONG_POSTGRESQL
    return form.format(column=column, parameter=parameter)


def listed(session: Session, ids: Sequence[int]) -> str | list[int]:
    """The value of `among`'s parameter."""
    return json.dumps(ids) if is_sqlite(session) else list(ids)


def changed(session: Session, statement: str, parameters: dict[str, Any]) -> int:
    """Run one statement and return how many rows it changed. It must begin with its verb: the driver of SQLite counts
    nothing behind a WITH."""
    result = session.execute(text(statement), parameters)
    return result.rowcount if isinstance(result, CursorResult) else 0
