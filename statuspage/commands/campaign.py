"""`statuspage campaign`: from a draft to what became of every delivery."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifiers.base import Channel
from statuspage.commands.desk import reading, writing
from statuspage.commands.options import as_json, choices
from statuspage.commands.printing import local, print_facts, print_json, print_table
from statuspage.composition import Composition
from statuspage.domain.delivery import DeliveryState
from statuspage.models import Campaign, Delivery
from statuspage.services import approval, campaign_course, campaigns, counts, incidents, logins
from statuspage.services import preview as previews
from statuspage.services.actor import CLI, Actor, of_user


@click.group()
def campaign() -> None:
    """Messages to subscribers: drafted from an incident, released by a second person, sent safely."""


@campaign.command()
@click.option("--incident", "incident_id", required=True, help="Public id of the incident.")
@click.option("--template", required=True, help="Key of a message template: outage, merchants, …")
@click.option("--channel", "channels", multiple=True, type=click.Choice(choices(Channel)), help="Default: all.")
@click.option("--told-by", help="For an end notice: the campaign whose recipients it goes to.")
@as_json
@click.pass_obj
def draft(
    parts: Composition,
    incident_id: str,
    template: str,
    channels: tuple[str, ...],
    told_by: str | None,
    json_wanted: bool,
) -> None:
    """Draft a campaign from a message template, filled with the incident's facts."""
    with writing(parts) as session:
        made = campaigns.draft_campaign(
            session,
            CLI,
            incidents.get_incident(session, incident_id),
            campaigns.get_message_template(session, template),
            channels=tuple(Channel(one) for one in channels) or tuple(Channel),
            told_by=campaigns.get_campaign(session, told_by) if told_by else None,
            now=parts.clock.now(),
        )
        _tell([_row(session, made)], json_wanted)


@campaign.command()
@click.argument("public_id")
@as_json
@click.pass_obj
def preview(parts: Composition, public_id: str, json_wanted: bool) -> None:
    """Who would be told, who would not and why, how many segments at most, what it costs, and the texts."""
    with reading(parts) as session:
        found = previews.preview(
            session, campaigns.get_campaign(session, public_id), parts.settings, now=parts.clock.now()
        )
    summary = {**found.summary(), "currency": found.currency, "texts": dict(found.texts.bodies)}
    if json_wanted:
        print_json(summary)
        return
    rows: list[tuple[object, ...]] = []
    for one in found.channels:
        rows += [(one.channel, "told", locale, n) for locale, n in one.by_locale.items()]
        rows += [(one.channel, "left out", reason, n) for reason, n in one.left_out.items()]
        rows.append((one.channel, "segments, at most", "", one.segments))
    print_table(("channel", "", "", "people"), rows)
    click.echo(f"\n{found.recipients} messages, at most {found.cost} {found.currency}\n")
    for field, bodies in found.texts.bodies.items():
        for locale, body in bodies.items():
            click.echo(f"[{field} {locale}]\n{body}\n")


@campaign.command("request-approval")
@click.argument("public_id")
@click.pass_obj
def request_approval(parts: Composition, public_id: str) -> None:
    """Freeze texts, audience and cost ceiling, and ask for a second person."""
    with writing(parts) as session:
        found = campaigns.get_campaign(session, public_id)
        approval.request_approval(session, CLI, found, settings=parts.settings, now=parts.clock.now())
        _tell([_row(session, found)], json_wanted=False)


@campaign.command()
@click.argument("public_id")
@click.pass_obj
def approve(parts: Composition, public_id: str) -> None:
    """Release a campaign as a second person, who logs in here by e-mail and password."""
    if not sys.stdin.isatty():
        raise click.UsageError("approve asks a person at a terminal; nothing else can approve.")
    with reading(parts) as session:
        shown = campaigns.get_campaign(session, public_id)
        seen_hash = shown.content_hash or ""
        print_facts({"campaign": shown.name, "audience": shown.audience, **shown.estimated})
    email = click.prompt("E-mail of the approver")
    password = click.prompt("Password", hide_input=True)
    with writing(parts) as session:
        person = logins.verify_password(session, email, password, loopback=True, now=parts.clock.now())
    if person is None:
        click.echo("This did not work. Check the address and the password.", err=True)
        sys.exit(1)
    actor = of_user(person)
    _steer(parts, public_id, lambda db, one, now: approval.approve(db, actor, one, seen_hash=seen_hash, now=now))


Verb = Callable[[Session, Campaign, datetime], object]


def _steer(parts: Composition, public_id: str, verb: Verb) -> None:
    with writing(parts) as session:
        found = campaigns.get_campaign(session, public_id)
        verb(session, found, parts.clock.now())
        _tell([_row(session, found)], json_wanted=False)


def _steering(name: str, verb: Callable[..., Any], text: str) -> None:
    """One command of the campaign's course: the same words and the same answer for each."""

    @campaign.command(name, help=text)
    @click.argument("public_id")
    @click.pass_obj
    def command(parts: Composition, public_id: str) -> None:
        actor: Actor = CLI
        _steer(parts, public_id, lambda db, one, now: verb(db, actor, one, now=now))


_steering("start", campaign_course.start_campaign, "Set an approved campaign going.")
_steering("pause", campaign_course.pause_campaign, "Hand nothing more over; what is in flight comes to its end.")
_steering("resume", campaign_course.resume_campaign, "Go on with a paused campaign.")
_steering("cancel", campaign_course.cancel_campaign, "Send nothing more; the rest is marked cancelled.")


@campaign.command()
@click.argument("public_id", required=False)
@click.option("--incident", "incident_id", help="All campaigns of this incident.")
@as_json
@click.pass_obj
def status(parts: Composition, public_id: str | None, incident_id: str | None, json_wanted: bool) -> None:
    """How far campaigns are: one, those of an incident, or the newest."""
    with reading(parts) as session:
        if public_id is not None:
            found = [campaigns.get_campaign(session, public_id)]
        else:
            incident = incidents.get_incident(session, incident_id) if incident_id else None
            found = campaigns.list_campaigns(session, incident)
        rows = [_row(session, one) for one in found]
    if json_wanted:
        print_json(rows if public_id is None else rows[0])
        return
    _tell(rows, json_wanted=False)
    if public_id is not None:
        print_table(
            ("channel", "state", "reason", "people"),
            [(one["channel"], one["state"], one["reason"], one["n"]) for one in rows[0]["counts"]],
        )


@campaign.command()
@click.argument("public_id")
@click.option("--state", type=click.Choice(choices(DeliveryState)), help="Only those in this state.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 100_000))
@as_json
@click.pass_obj
def deliveries(parts: Composition, public_id: str, state: str | None, limit: int, json_wanted: bool) -> None:
    """What became of each: ids, states and reasons, never who it was."""
    columns = ("id", "channel", "locale", "state", "reason", "attempt", "error_code", "accepted_at", "final_at")
    with reading(parts) as session:
        found = campaigns.get_campaign(session, public_id)
        query = select(*(getattr(Delivery, name) for name in columns)).where(Delivery.campaign_id == found.id)
        if state is not None:
            query = query.where(Delivery.state == state)
        rows = [dict(row._mapping) for row in session.execute(query.order_by(Delivery.id).limit(limit))]
    if json_wanted:
        print_json(rows)
        return

    def cell(value: object) -> object:
        return local(value, parts.settings.zone) if isinstance(value, datetime) else value

    print_table(columns, [[cell(value) for value in row.values()] for row in rows])


def _row(session: Session, found: Campaign) -> dict[str, Any]:
    counted = counts.read(session, found.id)
    return {
        "id": found.public_id,
        "name": found.name,
        "kind": found.kind.value,
        "purpose": found.purpose,
        "state": found.state.value,
        "pause_reason": found.pause_reason,
        "started_at": found.started_at,
        "finished_at": found.finished_at,
        "expanded_at": found.expanded_at,
        "people": counts.total(counted),
        "counts": [
            {"channel": one.channel, "state": one.state.value, "reason": one.reason, "n": one.n} for one in counted
        ],
    }


def _tell(rows: list[dict[str, Any]], json_wanted: bool) -> None:
    if json_wanted:
        print_json(rows[0])
        return
    shown = ("id", "name", "kind", "state", "people")
    print_table(shown, [[row[name] for name in shown] for row in rows])
