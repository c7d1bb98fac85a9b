"""The database's schema."""

from __future__ import annotations

import sys

import click

from statuspage import schema
from statuspage.commands.parts import prepare
from statuspage.composition import Composition


@click.group()
def db() -> None:
    """The database's schema."""


@db.command()
@click.pass_obj
def upgrade(parts: Composition) -> None:
    """Bring the database to this version. Safe to repeat, and from several hosts at once."""
    prepare(parts)
    click.echo("The database is at this version.")


@db.command()
@click.pass_obj
def check(parts: Composition) -> None:
    """Exit 0 when the database is at this version, 1 when it is not."""
    if not schema.is_current(parts.sessions.kw["bind"]):
        click.echo("The database is not at this version; run: statuspage db upgrade", err=True)
        sys.exit(1)
    click.echo("The database is at this version.")
