"""Bring a database to the schema this code needs, or say that it is not there yet."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from statuspage.db import READ_ONLY, make_sqlite_file
from statuspage.models import Base

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(engine: Engine) -> str:
    """Run what is missing and return the revision.

    Two processes that upgrade at once queue up (SQLite: its lock; PostgreSQL: ours).
    """
    make_sqlite_file(engine)
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL lock_timeout = 0")  # another's migration may take long
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7461)")
        command.upgrade(_config(connection), "head")
        return _current(connection) or ""


def is_current(engine: Engine) -> bool:
    """Whether the database is at the revision of this code."""
    with engine.execution_options(**READ_ONLY).connect() as connection:
        return _current(connection) == _head()


def differences(engine: Engine) -> list[object]:
    """What the models say and the database does not, and the reverse; empty when migrations are complete."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Base.metadata))


def _config(connection: Connection) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    return config


def new_migration(engine: Engine, number: str, message: str) -> None:
    """Write a migration from the difference between models and database (`make migrate`)."""
    with engine.begin() as connection:
        command.revision(_config(connection), message=message, rev_id=number, autogenerate=True)


def _head() -> str | None:
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
