"""What a connection to PostgreSQL is set to, so that a client that died or hangs holds no lock for long."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from statuspage import db
from statuspage.db import make_engine, make_sessions, transaction

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def test_settings_of_a_connection(engine: Engine) -> None:
    """Idle transactions end, and the server notices a client whose machine is gone within a minute."""
    with engine.connect() as connection:
        shown = {
            name: connection.exec_driver_sql(f"SHOW {name}").scalar_one()
            for name in ("idle_in_transaction_session_timeout", "lock_timeout", "timezone", "synchronous_commit")
        }
        told = connection.execute(
            text("SELECT name FROM pg_settings WHERE source = 'client' AND name LIKE 'tcp%'")
        ).scalars()
        assert set(told) == {"tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count"}
    assert shown == {
        "idle_in_transaction_session_timeout": "1min",
        "lock_timeout": "10s",
        "timezone": "UTC",
        "synchronous_commit": "on",
    }


def test_a_client_that_hangs_in_a_transaction_lets_go(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lock is free after the limit, whoever waited goes on, and what it had not committed is gone."""
    monkeypatch.setattr(db, "IDLE_TIMEOUT_MS", 300)
    hanging, waiting = make_engine(database_url), make_engine(database_url)
    touch = text("UPDATE lease SET owner = :owner")
    with transaction(make_sessions(waiting)) as session:
        session.execute(text("INSERT INTO lease (name, owner, epoch, until) VALUES ('x', 'nobody', 0, now())"))
    with pytest.raises(DBAPIError, match="idle-in-transaction"), transaction(make_sessions(hanging)) as held:
        held.execute(touch, {"owner": "hanging"})
        with transaction(make_sessions(waiting)) as session:
            session.execute(touch, {"owner": "waiting"})
    with transaction(make_sessions(waiting)) as session:
        assert session.execute(text("SELECT owner FROM lease")).scalar_one() == "waiting"
    hanging.dispose()
    waiting.dispose()
