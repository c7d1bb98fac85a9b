"""The report of an incident."""

from __future__ import annotations

import click

from statuspage import i18n
from statuspage.commands.desk import writing
from statuspage.composition import Composition
from statuspage.db import transaction
from statuspage.publish import report as words
from statuspage.services import incidents
from statuspage.services import report as figures
from statuspage.services.actor import CLI
from statuspage.services.operator_facts import OperatorFacts


@click.command()
@click.argument("incident")
@click.option("--format", "form", type=click.Choice(["html", "json", "csv"]), default="html", show_default=True)
@click.option("--locale", type=click.Choice(i18n.KNOWN_LOCALES), help="Language of the HTML form.")
@click.option("--filed", help="Say instead that this report was handed in, and stop its clock: internal, final, ….")
@click.pass_obj
def report(parts: Composition, incident: str, form: str, locale: str | None, filed: str | None) -> None:
    """Print the report of INCIDENT (its public id): figures, grace, playbook row by row, proof."""
    now = parts.clock.now()
    if filed is not None:
        with writing(parts) as session:
            figures.file_report(session, CLI, incidents.get_incident(session, incident), filed, now=now)
        click.echo("Kept: it was handed in.")
        return
    with transaction(parts.sessions, read_only=True) as session:
        found = incidents.get_incident(session, incident)
        built = words.build(session, CLI, found, OperatorFacts.of(parts.settings), now)
        if form == "json":
            body = words.to_json(built)
        elif form == "csv":
            body = words.to_csv(built)
        else:
            moments = i18n.Moments(locale or parts.settings.default_locale, parts.settings.zone, now)
            body = words.html(built, moments, parts.settings.brand_name or parts.settings.operator_name)
    click.echo(body.decode())
