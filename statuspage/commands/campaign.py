"""`statuspage campaign`: tell people, with a second person's agreement."""

from __future__ import annotations

import sys
from decimal import Decimal, InvalidOperation
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifiers.base import Channel
from statuspage.commands import still_broken
from statuspage.commands.campaign_forms import (
    document,
    preview_document,
    print_preview,
    print_status,
    put_off,
    second_person,
)
from statuspage.commands.desk import reading, writing
from statuspage.commands.options import MOMENT, as_json, choices, moment
from statuspage.commands.printing import local, print_facts, print_json, print_table
from statuspage.composition import Composition
from statuspage.domain.delivery import DeliveryState
from statuspage.domain.errors import NotAllowed
from statuspage.models import Delivery
from statuspage.services import (
    approval,
    audience_count,
    campaign_course,
    campaign_templates,
    campaign_texts,
    campaigns,
    guesses,
    incidents,
    logins,
    quiet_hours,
)
from statuspage.services import preview as previews
from statuspage.services.actor import CLI, Actor, of_user
from statuspage.services.campaigns import Edit

_ID = click.argument("public_id", metavar="ID")


@click.group()
def campaign() -> None:
    """Campaigns: one message to the people an incident concerns."""


@campaign.command()
@click.argument("incident")
@click.option("--template", "key", help="Message template to begin with. Default: the one that suits the incident.")
@click.option("--channel", "channels", multiple=True, type=click.Choice(choices(Channel)), help="Default: all.")
@click.option("--told-by", help="For an end notice: the campaign whose recipients are told. Default: the newest.")
@as_json
@click.pass_obj
def draft(
    parts: Composition,
    incident: str,
    key: str | None,
    channels: tuple[str, ...],
    told_by: str | None,
    json_wanted: bool,
) -> None:
    """Begin a campaign about INCIDENT. Nothing goes out by it."""
    with writing(parts) as session:
        found = incidents.get_incident(session, incident)
        earlier = None if told_by is None else campaigns.get_campaign(session, told_by)
        template = None if key is None else campaigns.get_message_template(session, key)
        suiting, earlier = campaign_templates.suiting(session, found, template, earlier)
        made = campaigns.draft_campaign(
            session,
            CLI,
            found,
            suiting,
            channels=[Channel(one) for one in channels] or list(Channel),
            told_by=earlier,
            now=parts.clock.now(),
        )
        shown = document(session, made)
    _answer(parts, shown, json_wanted)


@campaign.command()
@_ID
@click.option("--text", "given", multiple=True, help="FIELD.LOCALE=…, as in sms.ru=…; fields are sms, subject, mail.")
@click.option("--audience", help='As in: segment in (prepaid, business) and not region = urals. "all" is everybody.')
@click.option("--channel", "channels", multiple=True, type=click.Choice(choices(Channel)))
@click.option("--ceiling", help="The most it may cost.")
@click.option("--validity", type=int, help="Minutes after which a message is left unsent.")
@as_json
@click.pass_obj
def edit(parts: Composition, /, public_id: str, json_wanted: bool, **options: Any) -> None:
    """Change a campaign that has not started. Its approval is void by that."""
    with writing(parts) as session:
        found = campaigns.get_campaign(session, public_id)
        change = Edit(
            texts=_texts(session, found.public_id, options["given"]) or None,
            audience=options["audience"],
            channels=[Channel(one) for one in options["channels"]] or None,
            cost_ceiling=_money(options["ceiling"]),
            validity_seconds=None if options["validity"] is None else options["validity"] * 60,
        )
        now = parts.clock.now()
        campaigns.edit_campaign(session, CLI, found, change, version=found.version, now=now)
        shown = document(session, found)
    _answer(parts, shown, json_wanted)


@campaign.command("count")
@click.argument("audience")
@click.option("--incident", help="Whose components are meant where AUDIENCE names any.")
@as_json
@click.pass_obj
def count_(parts: Composition, audience: str, incident: str | None, json_wanted: bool) -> None:
    """How many people AUDIENCE means now, and how many of them have an address. Nothing is saved."""
    with reading(parts) as session:
        about = None if incident is None else incidents.get_incident(session, incident)
        found = audience_count.count(session, CLI, audience, about, list(Channel))
    reachable = {one.value: n for one, n in found.reachable.items()}
    shown = {"audience": found.audience, "people": found.people, "with_address": reachable, "about": found.about}
    if json_wanted:
        print_json(shown)
        return
    print_facts(
        {
            "audience": found.audience,
            "people": f"about {found.people}" if found.about else found.people,
            "with address": ", ".join(f"{name} {n}" for name, n in reachable.items()),
        }
    )


@campaign.command()
@_ID
@as_json
@click.pass_obj
def preview(parts: Composition, public_id: str, json_wanted: bool) -> None:
    """Who would be told if it were asked for now, who not and why, in how many segments, at what cost, how worded."""
    with reading(parts) as session:
        found = campaigns.get_campaign(session, public_id)
        shown = previews.preview(session, found, parts.settings, now=parts.clock.now(), anew=True)
        counted = None if found.counted_at is None else int(found.estimated["recipients"])
        still_broken.warn_of_notice(parts, session, found)
    if json_wanted:
        print_json({**preview_document(shown), "counted_for_approval": counted})
        return
    print_preview(shown, parts.settings.zone)
    if counted is not None:
        click.echo(f"\nCounted for the approval: {counted} messages, and it tells those. Request again to count anew.")


@campaign.command()
@_ID
@as_json
@click.pass_obj
def request(parts: Composition, public_id: str, json_wanted: bool) -> None:
    """Freeze the campaign and ask for approval; where nobody else is needed, it is approved at once."""
    with writing(parts) as session:
        found = campaigns.get_campaign(session, public_id)
        asked = approval.request_approval(session, CLI, found, settings=parts.settings, now=parts.clock.now())
        shown = document(session, found)
        still_broken.warn_of_notice(parts, session, found)
    _answer(parts, shown, json_wanted)
    if not json_wanted:
        click.echo(f"\nA second person: {second_person(asked.release)}.")


@campaign.command()
@_ID
@click.pass_obj
def approve(parts: Composition, public_id: str) -> None:
    """Approve as another person, who types e-mail and password here. No token and no pipe approves."""
    _check_terminal()
    with reading(parts) as session:
        found = campaigns.get_campaign(session, public_id)
        shown, seen = previews.preview(session, found, parts.settings, now=parts.clock.now()), found.content_hash
        frozen = campaign_texts.going_out(session, found)
        still_broken.warn_of_notice(parts, session, found)
    print_preview(shown, parts.settings.zone)
    for name, body in sorted(frozen.items()):
        click.echo(f"\n[{name}]\n{body}")
    person = _person(parts)
    click.confirm(f"Tell {shown.recipients} recipients?", abort=True)
    with writing(parts) as session:
        found = campaigns.get_campaign(session, public_id)
        approval.approve(session, person, found, seen_hash=str(seen), now=parts.clock.now())
    click.echo("Approved.")


@campaign.command("override-quiet")
@_ID
@click.pass_obj
def override_quiet(parts: Composition, public_id: str) -> None:
    """Let its SMS out in quiet hours too, as another person who answers for it. It is approved anew after that."""
    _check_terminal()
    person = _person(parts)
    click.confirm("Wake people up with this message?", abort=True)
    with writing(parts) as session:
        found = campaigns.get_campaign(session, public_id)
        quiet_hours.override(session, person, found, now=parts.clock.now())
    click.echo("Quiet hours are overridden. It waits for approval.")


@campaign.command("break-glass")
@_ID
@click.option("--reason", required=True, help="Why no second person could approve.")
@click.pass_obj
def break_glass(parts: Composition, public_id: str, reason: str) -> None:
    """Release a small campaign alone. It is capped, audited and raises an alarm."""
    with writing(parts) as session:
        found = campaigns.get_campaign(session, public_id)
        approval.break_glass(session, CLI, found, reason=reason, settings=parts.settings, now=parts.clock.now())
    click.echo("Released. An alarm was raised.")


@campaign.command()
@_ID
@click.option("--at", "at", help=f"Later instead of now. {MOMENT}")
@as_json
@click.pass_obj
def start(parts: Composition, public_id: str, at: str | None, json_wanted: bool) -> None:
    """Start an approved campaign, or schedule it."""
    with writing(parts) as session:
        found, now = campaigns.get_campaign(session, public_id), parts.clock.now()
        due = moment(parts, at, "--at")
        if due is None:
            campaign_course.start_campaign(session, CLI, found, now=now)
        else:
            campaign_course.schedule_campaign(session, CLI, found, due, now=now)
        shown = document(session, found)
    _answer(parts, shown, json_wanted)


@campaign.command()
@_ID
@click.option("--reason", default="", help="Kept with the campaign.")
@click.pass_obj
def pause(parts: Composition, public_id: str, reason: str) -> None:
    """Hand nothing more over until it is resumed."""
    with writing(parts) as session:
        found = campaigns.get_campaign(session, public_id)
        campaign_course.pause_campaign(session, CLI, found, now=parts.clock.now(), reason=reason)
    click.echo("Paused.")


@campaign.command()
@_ID
@click.pass_obj
def resume(parts: Composition, public_id: str) -> None:
    """Go on with a paused campaign."""
    with writing(parts) as session:
        found = campaigns.get_campaign(session, public_id)
        campaign_course.resume_campaign(session, CLI, found, now=parts.clock.now())
    click.echo("Running.")


@campaign.command()
@_ID
@click.pass_obj
def cancel(parts: Composition, public_id: str) -> None:
    """End a campaign; whoever was not told yet is not told."""
    with writing(parts) as session:
        found = campaigns.get_campaign(session, public_id)
        campaign_course.cancel_campaign(session, CLI, found, now=parts.clock.now())
    click.echo("Cancelled.")


@campaign.command("list")
@as_json
@click.pass_obj
def list_(parts: Composition, json_wanted: bool) -> None:
    """Campaigns, newest first."""
    with reading(parts) as session:
        rows = [document(session, one) for one in campaigns.list_campaigns(session)]
    if json_wanted:
        print_json(rows)
        return
    for row in rows:
        row["drafted"], row["started"] = (local(row[at], parts.settings.zone) for at in ("created_at", "started_at"))
    names = ("id", "incident", "kind", "name", "channels", "audience", "state", "drafted", "started", "told", "open")
    print_table(names, [tuple(row[name] for name in names) for row in rows])


@campaign.command()
@_ID
@as_json
@click.pass_obj
def status(parts: Composition, public_id: str, json_wanted: bool) -> None:
    """What became of a campaign's messages so far."""
    with reading(parts) as session:
        found = campaigns.get_campaign(session, public_id)
        held = put_off(session, found, parts.settings, parts.clock.now())
        shown = {**document(session, found), "quiet_hours": held}
    _answer(parts, shown, json_wanted)


@campaign.command()
@_ID
@click.option("--state", type=click.Choice(choices(DeliveryState)), help="Only these.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@as_json
@click.pass_obj
def deliveries(parts: Composition, public_id: str, state: str | None, limit: int, json_wanted: bool) -> None:
    """Single deliveries by id, without addresses: state, reason, attempts, the provider's id."""
    with reading(parts) as session:
        found = campaigns.get_campaign(session, public_id)
        query = select(Delivery).where(Delivery.campaign_id == found.id).order_by(Delivery.id).limit(limit)
        if state is not None:
            query = query.where(Delivery.state == state)
        rows = [_delivery(one) for one in session.scalars(query)]
    if json_wanted:
        print_json(rows)
        return
    names = ("id", "channel", "locale", "state", "reason", "attempt", "provider_id", "error_code")
    print_table(names, [tuple(row[name] for name in names) for row in rows])


def _answer(parts: Composition, shown: dict[str, Any], json_wanted: bool) -> None:
    if json_wanted:
        print_json(shown)
    else:
        print_status(shown, parts.settings.zone)


def _delivery(one: Delivery) -> dict[str, Any]:
    names = ("id", "channel", "locale", "state", "reason", "attempt", "provider", "provider_id", "segments")
    later = ("error_code", "sending_at", "accepted_at", "final_at")
    return {name: getattr(one, name) for name in (*names, *later)}


def _check_terminal() -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError("A person approves: run this in a terminal, or approve in the console.")


def _person(parts: Composition) -> Actor:
    email = click.prompt("Approver's e-mail")
    password = click.prompt("Password", hide_input=True)
    with writing(parts) as session:
        attempt = logins.begin(session, email, network=guesses.HERE, loopback=True, now=parts.clock.now())
    matched = attempt.matches(password)
    with writing(parts) as session:
        user = logins.finish(session, attempt, matched=matched, now=parts.clock.now())
        person = None if user is None else (of_user(user), user.must_change_password)
    if person is None:
        raise NotAllowed("campaign.bad_login", "approver: e-mail or password is wrong, or the person is locked out.")
    actor, first_password = person
    if first_password:
        # Whoever made the user has seen it: that would be one pair of eyes.
        raise NotAllowed(
            "campaign.first_password", "approver: change the first password in the console before you approve."
        )
    return actor


def _texts(session: Session, public_id: str, given: tuple[str, ...]) -> dict[str, dict[str, str]]:
    kept = campaign_texts.draft(session, campaigns.get_campaign(session, public_id))
    changed: dict[str, dict[str, str]] = {}
    for one in given:
        name, sign, body = one.partition("=")
        field, _, locale = name.partition(".")
        if not sign or not locale:
            raise click.BadParameter(f"{name!r} is not FIELD.LOCALE=text, as in sms.ru=…", param_hint="--text")
        changed.setdefault(field, dict(kept.get(field, {})))[locale] = body
    return changed


def _money(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        raise click.BadParameter(f"{text!r} is no amount.", param_hint="--ceiling") from None
