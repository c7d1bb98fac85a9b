"""Write and verify the audit chain.

A verb that cannot be audited does not happen: the row is in its own transaction.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from statuspage.db import is_sqlite
from statuspage.models import AuditEntry
from statuspage.services.actor import Actor
from statuspage.services.ledger_seal import Place, Seals

GENESIS = "0" * 64
_CHAIN_LOCK = 7462
_PAGE = 500

Detail = dict[str, str | int | bool | list[str] | list[int] | None]


@dataclass(frozen=True)
class BrokenLink:
    """The first entry whose hash does not follow from the one before; or, where the chain holds, the first whose row of
    the grace ledger (`ledger`: policy and revision) is not what it wrote, None for a row that no entry wrote."""

    entry_id: int | None
    ledger: Place | None = None


def record(
    session: Session,
    actor: Actor,
    action: str,
    entity: str,
    entity_id: str,
    now: datetime,
    detail: Detail | None = None,
) -> AuditEntry:
    """Append one entry. `detail` holds ids, states and counts only, never a name, an address or a text."""
    if not is_sqlite(session):  # SQLite has one writer; PostgreSQL must be told that the chain has one
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CHAIN_LOCK})
    session.flush()
    last = session.scalar(select(AuditEntry.hash).order_by(AuditEntry.id.desc()).limit(1))
    entry = AuditEntry(
        at=now,
        actor_kind=actor.kind,
        actor_id=actor.name,
        action=action,
        entity=entity,
        entity_id=entity_id,
        detail=detail or {},
        previous_hash=last or GENESIS,
    )
    entry.hash = _digest(entry)
    session.add(entry)
    session.flush()
    return entry


def verify(session: Session) -> tuple[int, BrokenLink | None]:
    """How many entries hold, and the first that does not. The grace ledger is checked against them."""
    previous, count, seals = GENESIS, 0, Seals()
    for entry in entries(session):
        if entry.previous_hash != previous or entry.hash != _digest(entry):
            return count, BrokenLink(entry.id)
        previous, count = entry.hash, count + 1
        seals.note(entry)
    wrong = seals.first_wrong(session)
    return count, None if wrong is None else BrokenLink(*wrong)


def contains(session: Session, kept: str) -> bool:
    """Whether the entry with the hash `kept` (from a report, say) still stands: a chain cut at its end holds too."""
    return session.scalar(select(AuditEntry.id).where(AuditEntry.hash == kept)) is not None


def entries(session: Session, entity: str | None = None, entity_id: str | None = None) -> Iterator[AuditEntry]:
    """In order; of one entity when named. Read page by page, so that no cursor stays open behind the caller."""
    query = select(AuditEntry).order_by(AuditEntry.id).limit(_PAGE)
    if entity is not None:
        query = query.where(AuditEntry.entity == entity)
    if entity_id is not None:
        query = query.where(AuditEntry.entity_id == entity_id)
    last = 0
    while rows := session.scalars(query.where(AuditEntry.id > last)).all():
        yield from rows
        last = rows[-1].id


def _digest(entry: AuditEntry) -> str:
    body = [
        entry.previous_hash,
        entry.at.isoformat(timespec="microseconds"),
        entry.actor_kind,
        entry.actor_id,
        entry.action,
        entry.entity,
        entry.entity_id,
        entry.detail,
    ]
    return hashlib.sha256(
        json.dumps(body, sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode()
    ).hexdigest()
