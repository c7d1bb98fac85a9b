"""`statuspage route`: ways to pay and to manage services."""

from __future__ import annotations

import click

from statuspage.commands.desk import reading, writing
from statuspage.commands.options import MOMENT, as_json, choices, moment
from statuspage.commands.printing import local, print_json, print_table
from statuspage.composition import Composition
from statuspage.domain.route import RouteKind, RouteSource, RouteState
from statuspage.services import routes, texts
from statuspage.services.actor import CLI


@click.group()
def route() -> None:
    """Ways to pay and to manage services, and what each can do now."""


@route.command("list")
@click.option(
    "--kind", type=click.Choice(choices(RouteKind)), help="Only ways to pay, or only ways to manage services."
)
@as_json
@click.pass_obj
def list_(parts: Composition, kind: str | None, json_wanted: bool) -> None:
    """What works first; what nobody has looked at lately is unknown."""
    with reading(parts) as session:
        found = [one for one in routes.list_routes(session, parts.clock.now()) if kind in (None, one.route.kind)]
        named = texts.read(session, "route", [one.route.id for one in found])
    rows = [
        {
            "key": one.route.key,
            "kind": one.route.kind,
            "state": one.state,
            "said": one.route.set_state,
            "source": one.route.source,
            "checked_at": one.route.checked_at,
            "depends_on": one.route.depends_on,
            "behaviour": one.route.behaviour,
            "segments": one.route.segments,
            "regions": one.route.regions,
            "name": named[one.route.id, "name"].bodies,
        }
        for one in found
    ]
    if json_wanted:
        print_json(rows)
        return
    locale, zone = parts.settings.default_locale, parts.settings.zone
    print_table(
        ("key", "kind", "state", "checked", "name"),
        [
            (
                one.route.key,
                one.route.kind,
                one.state,
                local(one.route.checked_at, zone),
                named[one.route.id, "name"].pick(locale)[0],
            )
            for one in found
        ],
    )


@route.command("set")
@click.argument("key")
@click.argument("state", type=click.Choice([*choices(RouteState), "derived"]))
@click.option("--checked-at", help=f"When it was seen, if not now. {MOMENT}")
@click.option("--source", type=click.Choice(choices(RouteSource)), default="manual", show_default=True)
@click.pass_obj
def set_(parts: Composition, key: str, state: str, checked_at: str | None, source: str) -> None:
    """Say what somebody or a probe saw; `derived` takes a check back."""
    at = moment(parts, checked_at, "--checked-at")
    with writing(parts) as session:
        found, now = routes.get_route(session, key), parts.clock.now()
        if state == "derived":
            routes.forget_state(session, CLI, found, now=now)
        else:
            seen = RouteSource(source)
            routes.set_state(session, CLI, found, RouteState(state), source=seen, checked_at=at, now=now)
    click.echo("Done.")
