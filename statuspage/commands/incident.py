"""`statuspage incident`: declare, update, restore, resolve."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import click
from sqlalchemy.orm import Session

from statuspage.commands import still_broken
from statuspage.commands.channel_texts import SHORT, channel_texts
from statuspage.commands.desk import operator, reading, warn_of_other_settings, writing
from statuspage.commands.incident_forms import document, print_document, summary, warn, words
from statuspage.commands.options import MOMENT, as_json, choices, from_files, moment, source_of, states, texts
from statuspage.commands.printing import local, print_json, print_table
from statuspage.composition import Composition
from statuspage.domain.incident import BROKEN, CauseCategory, IncidentState, Publication
from statuspage.i18n import KNOWN_LOCALES
from statuspage.publish.publisher import current_site
from statuspage.services import incidents, lifecycle, publication, templates, users
from statuspage.services.actor import CLI
from statuspage.services.incidents import Declaration
from statuspage.services.lifecycle import Crediting
from statuspage.services.texts import Texts
from statuspage.services.updates import KEEP, NewUpdate

_TEXT = click.option("--text", "given", multiple=True, help="ru=…, zh=…, en=…; default: the template's words.")
_COMPONENT = click.option("--component", "components", multiple=True, help="KEY=STATE, as in top_up=major_outage.")


@click.group()
def incident() -> None:
    """Incidents: what is down, since when, and what is done about it."""


@incident.command()
@click.option("--template", "template", help="Begin with this template; every other option changes what it says.")
@click.option("--title", "title", multiple=True, help="ru=…, zh=…, en=….")
@click.option("--text", "given", multiple=True, help="The first update: ru=…, zh=…, en=….")
@_COMPONENT
@click.option("--cause", type=click.Choice(choices(CauseCategory)), help="unknown is allowed, and said in that word.")
@click.option("--segment", "segments", multiple=True, help="Who is affected; none: all.")
@click.option("--region", "regions", multiple=True, help="Where; none: everywhere.")
@click.option("--not-affected", "not_affected", multiple=True, help="Component seen to work. Not emergency calls.")
@click.option("--started-at", help=f"Default: now. {MOMENT}")
@click.option("--expected-end", help=f"Default: unknown. {MOMENT}")
@click.option("--next-update", help=f"Default: as the clock profile asks. {MOMENT}")
@click.option("--owner", help="E-mail of the person who owns the repair.")
@click.option("--grace", "grace_key", help="Default grace policy to open instead of the template's.")
@click.option("--draft", is_flag=True, help="Keep it from the public for now.")
@click.option("--key", "idempotency_key", help="The same key declares once, however often it is asked.")
@as_json
@click.pass_obj
def declare(parts: Composition, /, json_wanted: bool, idempotency_key: str | None, **options: Any) -> None:
    """Declare an incident and show it to the public at once, unless --draft."""
    with writing(parts) as session:
        declaration = _declaration(parts, session, options)
        # As typed: a template's times count from the moment of asking, so no two declarations from it are the same.
        asked = json.dumps(options, sort_keys=True)
        made = incidents.declare_incident(
            session, CLI, declaration, idempotency_key=idempotency_key, request=asked, now=parts.clock.now()
        )
        shown = document(session, made, operator(parts), parts.clock.now())
    warn(shown, parts.settings.zone)
    _answer(parts, shown, json_wanted)


@incident.command()
@click.argument("public_id", metavar="ID")
@click.option("--state", type=click.Choice(choices(IncidentState)), help="Default: the state it has.")
@_TEXT
@_COMPONENT
@click.option("--at", "at", help=f"When it happened, if not now. {MOMENT}")
@click.option("--next-update", help=f"Default: as promised; once that is past, as the clock profile asks. {MOMENT}")
@click.option("--expected-end", help=f"unknown, or: {MOMENT}")
@click.option("--cause", type=click.Choice(choices(CauseCategory)), help="What it is now known to be; said at the end.")
@click.option("--override", default="", help="Why to resolve although the playbook asks for more.")
@click.option("--keep", is_flag=True, help="Publish nothing: keep the words until the legal department has agreed.")
@as_json
@click.pass_obj
def update(
    parts: Composition,
    /,
    public_id: str,
    state: str | None,
    override: str,
    keep: bool,
    json_wanted: bool,
    **options: Any,
) -> None:
    """Post an update. A state after the present one moves the incident on.

    An open one after resolving reopens it: with --component only these fail again, without it all that had failed.
    Words kept for the state, or else the template's, are said when --text gives none.
    """
    with writing(parts) as session:
        found = incidents.get_incident(session, public_id)
        becomes = found.state if state is None else IncidentState(state)
        body, source = words(parts, session, found, becomes, options["given"])
        now = parts.clock.now()
        if keep:
            lifecycle.keep_words(session, CLI, found, becomes, body, source, now=now)
        else:
            new = _new(parts, becomes, body, source, options)
            lifecycle.add_update(session, CLI, found, new, operator(parts), override=override, now=now)
        if becomes not in BROKEN:
            still_broken.warn(parts, session, found)
        shown = document(session, found, operator(parts), now)
    warn(shown, parts.settings.zone)
    _answer(parts, shown, json_wanted)


@incident.command()
@click.argument("public_id", metavar="ID")
@_TEXT
@click.option("--credited-by", help=f"By when payments of the outage are credited. {MOMENT}")
@as_json
@click.pass_obj
def restored(
    parts: Composition, public_id: str, given: tuple[str, ...], credited_by: str | None, json_wanted: bool
) -> None:
    """Say that payments work again; what is left of the outage's messages is cancelled."""
    with writing(parts) as session:
        found, now = incidents.get_incident(session, public_id), parts.clock.now()
        body, source = words(parts, session, found, IncidentState.RESTORED_CATCHING_UP, given)
        due = moment(parts, credited_by, "--credited-by")
        lifecycle.restore_incident(session, CLI, found, body, source, operator(parts), credited_by_at=due, now=now)
        still_broken.warn(parts, session, found)
        shown = document(session, found, operator(parts), now)
    _answer(parts, shown, json_wanted)


@incident.command()
@click.argument("public_id", metavar="ID")
@click.option("--queued", type=int, required=True, help="Payments that were waiting.")
@click.option("--credited", type=int, required=True, help="Of these, credited.")
@click.option("--duplicated", type=int, default=0, show_default=True, help="Of these, paid twice and given back.")
@click.pass_obj
def crediting(parts: Composition, public_id: str, queued: int, credited: int, duplicated: int) -> None:
    """Confirm with figures that payments of the outage were credited; resolving asks for it.

    Fewer credited than queued are recorded too; then nothing is verified, nor what was verified before.
    """
    with writing(parts) as session:
        found = incidents.get_incident(session, public_id)
        figures = Crediting(queued, credited, duplicated)
        verified = lifecycle.verify_crediting(session, CLI, found, figures, now=parts.clock.now())
    unfinished = f"Recorded: {credited} of {queued} queued payments are credited. Crediting is not verified."
    click.echo("Crediting is verified." if verified else unfinished)


@incident.command()
@click.argument("public_id", metavar="ID")
@_TEXT
@click.option("--override", default="", help="Why to resolve although the playbook asks for more.")
@as_json
@click.pass_obj
def resolve(parts: Composition, public_id: str, given: tuple[str, ...], override: str, json_wanted: bool) -> None:
    """Say that it is over: components are back, the grace tail begins."""
    with writing(parts) as session:
        found, now = incidents.get_incident(session, public_id), parts.clock.now()
        body, source = words(parts, session, found, IncidentState.RESOLVED, given)
        lifecycle.resolve_incident(session, CLI, found, body, source, operator(parts), override=override, now=now)
        still_broken.warn(parts, session, found)
        shown = document(session, found, operator(parts), now)
    _answer(parts, shown, json_wanted)


@incident.command()
@click.argument("public_id", metavar="ID")
@click.option("--text", "given", multiple=True, help="The review: ru=…, zh=…, en=….")
@click.option("--file", "files", multiple=True, help="The review from a file in UTF-8: ru=review.ru.txt.")
@as_json
@click.pass_obj
def postmortem(
    parts: Composition, public_id: str, given: tuple[str, ...], files: tuple[str, ...], json_wanted: bool
) -> None:
    """Publish the review of a resolved incident on its page; the clock of the public report stops."""
    with writing(parts) as session:
        found, now = incidents.get_incident(session, public_id), parts.clock.now()
        body, source = words(parts, session, found, IncidentState.POSTMORTEM, [*given, *from_files(files)])
        lifecycle.add_update(
            session, CLI, found, NewUpdate(IncidentState.POSTMORTEM, body, source), operator(parts), now=now
        )
        shown = document(session, found, operator(parts), now)
    _answer(parts, shown, json_wanted)


@incident.command()
@click.argument("public_id", metavar="ID")
@click.pass_obj
def publish(parts: Composition, public_id: str) -> None:
    """Show a draft to the public, and name what its text leaves out."""
    with writing(parts) as session:
        found = incidents.get_incident(session, public_id)
        gaps = publication.publish_incident(session, CLI, found, operator(parts), now=parts.clock.now())
    click.echo("Published.")
    if gaps:
        click.echo(f"The text does not say: {', '.join(gap.field for gap in gaps)}.", err=True)


@incident.command()
@click.argument("public_id", metavar="ID")
@click.pass_obj
def withdraw(parts: Composition, public_id: str) -> None:
    """Take an incident off the page; what it promised still holds."""
    with writing(parts) as session:
        publication.withdraw(session, CLI, incidents.get_incident(session, public_id), now=parts.clock.now())
    click.echo("Withdrawn.")


@incident.command()
@click.argument("public_id", metavar="ID")
@click.option("--of", "original", required=True, help="The incident that is carried on.")
@click.pass_obj
def duplicate(parts: Composition, public_id: str, original: str) -> None:
    """Say that two incidents are one."""
    with writing(parts) as session:
        found, kept = incidents.get_incident(session, public_id), incidents.get_incident(session, original)
        publication.mark_duplicate(session, CLI, found, kept, now=parts.clock.now())
    click.echo("Marked.")


@incident.command()
@click.argument("public_id", metavar="ID")
@click.argument("email")
@click.pass_obj
def owner(parts: Composition, public_id: str, email: str) -> None:
    """Name the person who owns the repair."""
    with writing(parts) as session:
        found, person = incidents.get_incident(session, public_id), users.find_user(session, email)
        incidents.set_owner(session, CLI, found, person.public_id, now=parts.clock.now())
    click.echo("Done.")


@incident.command("list")
@click.option("--open", "open_only", is_flag=True, help="Leave out what is over, withdrawn or a duplicate.")
@as_json
@click.pass_obj
def list_(parts: Composition, open_only: bool, json_wanted: bool) -> None:
    """Incidents, newest first."""
    with reading(parts) as session:
        found = incidents.list_incidents(session, open_only=open_only)
        titles = incidents.titles(session, found)
        rows = [summary(one, titles[one.id].pick(parts.settings.default_locale)[0]) for one in found]
    if json_wanted:
        print_json(rows)
        return
    zone = parts.settings.zone
    print_table(
        ("id", "since", "state", "publication", "title"),
        [(row["id"], local(row["started_at"], zone), row["state"], row["publication"], row["title"]) for row in rows],
    )


@incident.command()
@click.argument("public_id", metavar="ID")
@as_json
@click.pass_obj
def show(parts: Composition, public_id: str, json_wanted: bool) -> None:
    """Everything about one incident: facts, updates, grace, clocks."""
    with reading(parts) as session:
        found = incidents.get_incident(session, public_id)
        shown = document(session, found, operator(parts), parts.clock.now())
    _answer(parts, shown, json_wanted)


@incident.command("texts")
@click.option("--channel", type=click.Choice(SHORT), help="Default: all.")
@click.option("--locale", type=click.Choice(KNOWN_LOCALES), help="Default: all.")
@as_json
@click.pass_obj
def texts_(parts: Composition, channel: str | None, locale: str | None, json_wanted: bool) -> None:
    """What the page says, in short: for SMS, USSD, a voice menu and the shop, as under /text/ on the page."""
    warn_of_other_settings(parts, "Written with the settings of this command.")
    rows = channel_texts(current_site(parts.sessions, parts.settings, parts.clock), channel, locale)
    if json_wanted:
        print_json(rows)
        return
    for row in rows:
        click.echo(f"{row['channel']} ({row['locale']})\n{row['text']}")


def _answer(parts: Composition, shown: dict[str, Any], json_wanted: bool) -> None:
    if json_wanted:
        print_json(shown)
    else:
        print_document(shown, parts.settings.zone)


def _declaration(parts: Composition, session: Session, options: dict[str, Any]) -> Declaration:
    now, settings = parts.clock.now(), parts.settings
    title, body = texts(parts, options["title"]), texts(parts, options["given"])
    if options["template"] is not None:
        profile, zone = settings.clock_profile, settings.zone
        base = templates.declaration(session, options["template"], profile=profile, zone=zone, now=now)
    else:
        base = Declaration(title, body, source_of(parts, title), {}, profile=settings.clock_profile)
    given: dict[str, Any] = {
        "title": title,
        "body": body,
        "components": states(options["components"]),
        "cause": options["cause"] and CauseCategory(options["cause"]),
        "segments": options["segments"],
        "regions": options["regions"],
        "not_affected": options["not_affected"],
        "started_at": moment(parts, options["started_at"], "--started-at"),
        "expected_end_at": moment(parts, options["expected_end"], "--expected-end"),
        "next_update_at": moment(parts, options["next_update"], "--next-update"),
        "owner": options["owner"] and users.find_user(session, options["owner"]).public_id,
        "grace_key": options["grace_key"],
    }
    changed = {name: value for name, value in given.items() if value}
    if title or body:
        changed["source_locale"] = source_of(parts, title or body)
    shown = Publication.DRAFT if options["draft"] else Publication.PUBLISHED
    return replace(base, **changed, publication=shown)


def _new(parts: Composition, state: IncidentState, body: Texts, source: str, options: dict[str, Any]) -> NewUpdate:
    return NewUpdate(
        state,
        body,
        source,
        at=moment(parts, options["at"], "--at"),
        components=states(options["components"]),
        next_update_at=moment(parts, options["next_update"], "--next-update") or KEEP,
        expected_end_at=_expected_end(parts, options["expected_end"]),
        cause=KEEP if options["cause"] is None else CauseCategory(options["cause"]),
    )


def _expected_end(parts: Composition, text: str | None) -> Any:
    if text is None:
        return KEEP
    return None if text == "unknown" else moment(parts, text, "--expected-end")
