"""The same request twice has one effect; the same key with another request is refused."""

from __future__ import annotations

import hashlib
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from statuspage.db import is_sqlite
from statuspage.domain.errors import RuleError
from statuspage.models import IdempotencyKey


def earlier_result(session: Session, scope: str, key: str, request: str) -> str | None:
    """The id that the first request with `key` made, or None when this is the first."""
    if not is_sqlite(session):
        # The same request sent twice at once: the second waits for the first to be done, then finds its result.
        lock = int.from_bytes(hashlib.sha256(f"{scope}\0{key}".encode()).digest()[:8], signed=True)
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": lock})
    row = session.get(IdempotencyKey, (scope, key))
    if row is None:
        return None
    if row.request_hash != _digest(request):
        raise RuleError(
            "idempotency.other_request",
            "This idempotency key was used before for a different request; use a new key.",
            "idempotency_key",
        )
    return row.result_id


def remember(session: Session, scope: str, key: str, request: str, result_id: str, now: datetime) -> None:
    """Keep what `key` did, in the transaction that did it."""
    session.add(
        IdempotencyKey(scope=scope, key=key, request_hash=_digest(request), result_id=result_id, created_at=now)
    )
    session.flush()


def _digest(request: str) -> str:
    return hashlib.sha256(request.encode()).hexdigest()
