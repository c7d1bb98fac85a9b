"""The audit chain."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, delete, select, text, update
from sqlalchemy.exc import DBAPIError

from statuspage import schema
from statuspage.db import Sessions, transaction
from statuspage.models import AuditEntry
from statuspage.services import audit
from statuspage.services.actor import SYSTEM
from tests.databases import NOW


def _three(sessions: Sessions) -> None:
    for n in range(3):
        with transaction(sessions) as session:
            audit.record(session, SYSTEM, "test.act", "thing", str(n), NOW, {"n": n})


def test_models_equal_migrations(engine: Engine) -> None:
    """The migrations make exactly the tables that the models describe."""
    assert schema.is_current(engine)
    assert schema.differences(engine) == []


def test_chain_holds(sessions: Sessions) -> None:
    """Entries written one by one verify from the first to the last."""
    _three(sessions)
    with transaction(sessions, read_only=True) as session:
        assert audit.verify(session) == (3, None)


def test_chain_shows_a_change(sessions: Sessions) -> None:
    """A row changed behind the triggers' back is named."""
    _three(sessions)
    with transaction(sessions) as session:
        if session.get_bind().dialect.name == "sqlite":
            session.execute(text("DROP TRIGGER audit_entry_no_update"))
        else:
            session.execute(text("DROP TRIGGER audit_entry_no_change ON audit_entry"))
        session.execute(update(AuditEntry).where(AuditEntry.entity_id == "1").values(action="test.other"))
    with transaction(sessions, read_only=True) as session:
        count, broken = audit.verify(session)
        assert count == 1
        assert broken is not None


@pytest.mark.parametrize("statement", [update(AuditEntry).values(action="x"), delete(AuditEntry)])
def test_database_refuses_change(sessions: Sessions, statement: object) -> None:
    """The database itself refuses to change or delete an entry."""
    _three(sessions)
    with pytest.raises(DBAPIError, match="append-only"), transaction(sessions) as session:
        session.execute(statement)  # type: ignore[call-overload]


def test_database_refuses_replacement(sessions: Sessions) -> None:
    """An entry cannot be written over by SQLite's REPLACE, which deletes without the trigger for deletion."""
    _three(sessions)
    with transaction(sessions, read_only=True) as session:
        if session.get_bind().dialect.name != "sqlite":
            pytest.skip("only SQLite has REPLACE")
    with pytest.raises(DBAPIError, match="append-only"), transaction(sessions) as session:
        session.execute(text("INSERT OR REPLACE INTO audit_entry SELECT * FROM audit_entry WHERE id = 1"))


def test_a_cut_off_end_is_seen_by_a_hash_kept_elsewhere(sessions: Sessions) -> None:
    """Entries cut off at the end leave a chain that holds, but not one that contains the hash kept with a report."""
    _three(sessions)
    with transaction(sessions) as session:
        head = session.scalars(select(AuditEntry.hash).order_by(AuditEntry.id.desc())).first()
        assert head is not None
        assert audit.contains(session, head)
        if session.get_bind().dialect.name == "sqlite":
            session.execute(text("DROP TRIGGER audit_entry_no_delete"))
        else:
            session.execute(text("DROP TRIGGER audit_entry_no_change ON audit_entry"))
        session.execute(delete(AuditEntry).where(AuditEntry.hash == head))
        assert audit.verify(session) == (2, None)
        assert not audit.contains(session, head)


def test_failed_verb_leaves_no_entry(sessions: Sessions) -> None:
    """A transaction that fails takes its audit entry with it."""
    with pytest.raises(ZeroDivisionError), transaction(sessions) as session:
        audit.record(session, SYSTEM, "test.act", "thing", "1", NOW)
        _ = 1 // 0
    with transaction(sessions, read_only=True) as session:
        assert audit.verify(session) == (0, None)
