"""The processes: all in one command, or each apart."""

from __future__ import annotations

import os
import sys

import click

from statuspage import schema, supervisor
from statuspage.composition import Composition
from statuspage.db import transaction
from statuspage.services import installation, settings_in_force
from statuspage.services.addresses import AddressKey

PARTS = ("web", "scheduler", "sender")
WORKER_STOP_SECONDS = 5
"""Less than the supervisor's patience with the whole part."""


@click.command()
@click.option("--host", help="Address to listen on instead of STATUSPAGE_HOST.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on instead of STATUSPAGE_PORT.")
@click.pass_obj
def serve(parts: Composition, host: str | None, port: int | None) -> None:
    """Everything in one command: web, scheduler and sender under one supervisor, the database upgraded first."""
    if host is not None:
        os.environ["STATUSPAGE_HOST"] = host
    if port is not None:
        os.environ["STATUSPAGE_PORT"] = str(port)
    prepare(parts)
    settings = parts.settings
    click.echo(f"Public page: {settings.base_url}   Console: {settings.base_url}/console/")
    supervisor.take_over(settings.data_dir, settings.log_format, PARTS)


@click.command()
@click.pass_obj
def web(parts: Composition) -> None:
    """The public page and the console. Serves the published page even while the database is dead."""
    settings = parts.settings
    options = {"interface": "asgi", "host": settings.host, "port": settings.port, "workers": settings.web_workers}
    # A worker that is told to stop while it starts does not hear it, and granian would wait for it for ever.
    options["workers-kill-timeout"] = WORKER_STOP_SECONDS
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    # Becoming granian leaves behind what this process loaded to read the settings: half of its memory.
    command = [sys.executable, "-m", "granian", *words, "--no-ws", "--respawn-failed-workers", "app:front"]
    os.execv(sys.executable, command)  # noqa: S606 -- no shell is wanted


@click.command()
@click.pass_obj
def sender(parts: Composition) -> None:
    """Sends what campaigns left in the outbox. Any number may run, on any number of hosts, with PostgreSQL."""
    from statuspage.jobs import sender as job

    _check_key(parts)
    job.run(parts)


@click.command()
@click.pass_obj
def scheduler(parts: Composition) -> None:
    """The clockwork: publishing at boundaries, grace, receipts, clean-up. A lease lets one work at a time."""
    from statuspage.jobs import scheduler as job

    _check_key(parts)
    with transaction(parts.sessions) as session:
        settings_in_force.put(session, parts.settings)
    job.run(parts)


def prepare(parts: Composition) -> None:
    """Upgrade the database and make the rows every process needs; refuse to go on with another SECRET_KEY."""
    schema.upgrade(parts.sessions.kw["bind"])
    with transaction(parts.sessions) as session:
        installation.ensure(session, _key(parts), parts.clock.now())


def _check_key(parts: Composition) -> None:
    """A part that began with another key than the installation's would write to people who opted out."""
    with transaction(parts.sessions, read_only=True) as session:
        installation.check_key(session, _key(parts))


def _key(parts: Composition) -> AddressKey:
    return AddressKey.derive(parts.settings.secret_key.get_secret_value())
