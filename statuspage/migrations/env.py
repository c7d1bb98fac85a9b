"""Alembic's entry: the engine comes from the caller (`statuspage db upgrade`), never from a file."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import JSON

from statuspage.models import Base
from statuspage.models.types import Money, Named, UtcDateTime


def render_type(kind: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:
    """Write our own column types by name, so that a migration reads as what the database holds."""
    if kind != "type":
        return False
    if isinstance(item, UtcDateTime):
        autogen.imports.add("from statuspage.models.types import UtcDateTime")
        return "UtcDateTime()"
    if isinstance(item, Money):
        autogen.imports.add("from statuspage.models.types import Money")
        return "Money()"
    if isinstance(item, JSON):
        autogen.imports.add("from sqlalchemy.dialects import postgresql")
        return "sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')"
    if isinstance(item, Named):
        return "sa.String(length=40)"
    return False


def run() -> None:
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=Base.metadata,
        render_item=render_type,
        render_as_batch=True,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
