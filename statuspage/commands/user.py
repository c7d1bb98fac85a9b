"""`statuspage user`: people who work with the console."""

from __future__ import annotations

import click

from statuspage.commands.desk import reading, writing
from statuspage.commands.options import as_json
from statuspage.commands.printing import local, print_json, print_table
from statuspage.composition import Composition
from statuspage.services import users
from statuspage.services.actor import CLI


@click.group()
def user() -> None:
    """People who work with the console. Make the first administrator here; he adds the others under Users.

    \b
    viewer       reads incidents and reports
    call_centre  also finds people, and sees who is not suspended
    engineer     declares, updates, resolves, drafts and starts campaigns
    approver     agrees to campaigns and promises of others, writes none
    manager      both, yet never approves his own; the review, the audit
    legal        agrees to words about security; finds, erases and exports people; the audit
    admin        people and settings, all else but approving
    """


@user.command()
@click.argument("email")
@click.option("--role", required=True, help="One of those that `statuspage user --help` explains.")
@click.option("--name", default="", help="As colleagues know the person.")
@click.option("--locale", default=None, help="Language of the console.")
@click.pass_obj
def add(parts: Composition, email: str, role: str, name: str, locale: str | None) -> None:
    """Make a person and print the first password, once."""
    with writing(parts) as session:
        _, password = users.add_user(
            session,
            CLI,
            email=email,
            role=role,
            name=name,
            locale=locale or parts.settings.default_locale,
            now=parts.clock.now(),
        )
    _tell(password)


@user.command("list")
@as_json
@click.pass_obj
def list_(parts: Composition, json_wanted: bool) -> None:
    """Everybody, with role and state."""
    with reading(parts) as session:
        found = users.list_users(session)
    rows = [
        {
            "id": one.public_id,
            "email": one.email,
            "name": one.name,
            "role": one.role,
            "disabled_at": one.disabled_at,
            "first_password": one.must_change_password,
        }
        for one in found
    ]
    if json_wanted:
        print_json(rows)
        return
    zone = parts.settings.zone
    print_table(
        ("id", "e-mail", "name", "role", "disabled"),
        [(one.public_id, one.email, one.name, one.role, local(one.disabled_at, zone)) for one in found],
    )


@user.command()
@click.argument("email")
@click.pass_obj
def reset(parts: Composition, email: str) -> None:
    """Give a new first password; every log-in of the person ends."""
    with writing(parts) as session:
        password = users.reset_password(session, CLI, users.find_user(session, email), now=parts.clock.now())
    _tell(password)


@user.command("role")
@click.argument("email")
@click.argument("role")
@click.pass_obj
def set_role(parts: Composition, email: str, role: str) -> None:
    """Change a person's role."""
    with writing(parts) as session:
        users.set_role(session, CLI, users.find_user(session, email), role, now=parts.clock.now())
    click.echo("Done.")


@user.command()
@click.argument("email")
@click.pass_obj
def disable(parts: Composition, email: str) -> None:
    """Shut a person out at once."""
    with writing(parts) as session:
        users.disable_user(session, CLI, users.find_user(session, email), now=parts.clock.now())
    click.echo("Done.")


@user.command()
@click.argument("email")
@click.pass_obj
def enable(parts: Composition, email: str) -> None:
    """Let a person in again."""
    with writing(parts) as session:
        users.enable_user(session, CLI, users.find_user(session, email), now=parts.clock.now())
    click.echo("Done.")


def _tell(password: str) -> None:
    click.echo(f"First password, shown this once: {password}")
    click.echo("It works on this machine only, until it is changed at the first log-in.")
