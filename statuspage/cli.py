"""The command line: one file a noun in `commands/`, loaded only when it is called."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module

import click
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm.exc import StaleDataError

from statuspage.composition import Composition
from statuspage.config import ConfigError
from statuspage.db import disk_is_full
from statuspage.domain.errors import RuleError
from statuspage.supervisor import AlreadyRunning

REFUSED, MISUSED = 1, 2
DISK_FULL = (
    "The disk is full, so the database could not write; nothing was left half done. Free space where the database is "
    "(STATUSPAGE_DATA_DIR, or the PostgreSQL server's disk), then run the command again."
)

COMMANDS = {
    "audit": "audit:audit",
    "campaign": "campaign:campaign",
    "db": "db:db",
    "demo": "demo:demo",
    "grace": "grace:grace",
    "incident": "incident:incident",
    "playbook": "playbook:playbook",
    "publish": "publish:publish",
    "report": "report:report",
    "route": "route:route",
    "sample": "sample:sample",
    "scheduler": "parts:scheduler",
    "sender": "parts:sender",
    "serve": "parts:serve",
    "subscribers": "subscribers:subscribers",
    "user": "user:user",
    "web": "parts:web",
}
"""Command → module in `statuspage.commands` and its name there."""


class Lazy(click.Group):
    """Loads a command's module when it is called: a sender carries no importer, an importer no web server."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click names the argument
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- the same
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f"statuspage.commands.{module}"), attribute)
        return command


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="statuspage")
@click.pass_context
def group(ctx: click.Context) -> None:
    """Tell subscribers what is down, what works, and until when nobody is suspended.

    Settings are read from STATUSPAGE_… variables; docs/settings.md lists them. Exit codes: 0 done, 1 refused by a
    rule, 2 wrong use, 3 done but for lines that an import left out.
    """
    compose: Callable[[], Composition] = ctx.obj
    ctx.obj = compose()


def run(compose: Callable[[], Composition]) -> None:
    """Run the command of `sys.argv` and end the process with its exit code."""
    try:
        group.main(obj=compose, prog_name="statuspage", standalone_mode=True)
    except ConfigError as refused:
        _end(MISUSED, str(refused))
    except RuleError as refused:
        _end(REFUSED, refused.message)
    except AlreadyRunning as refused:
        _end(REFUSED, str(refused))
    except StaleDataError:
        _end(REFUSED, "Somebody else changed this at the same moment; look at it again and repeat your change.")
    except DBAPIError as fault:
        if disk_is_full(fault):
            _end(REFUSED, DISK_FULL)
        # The driver's own words may hold a person's data, so only the kind of the fault is told.
        kind = type(fault.orig).__name__
        _end(REFUSED, f"The database refused ({kind}). Is it there, and is it upgraded (statuspage db upgrade)?")


def _end(code: int, message: str) -> None:
    click.echo(message, err=True)
    sys.exit(code)
