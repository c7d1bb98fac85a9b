"""`statuspage playbook`: what is to be done in an incident, and what proves that it was."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from statuspage.commands.desk import operator, reading, writing
from statuspage.commands.options import as_json
from statuspage.commands.printing import local, print_json, print_table
from statuspage.composition import Composition
from statuspage.domain.playbook import Row
from statuspage.i18n import Moments
from statuspage.publish import proof
from statuspage.services import incidents
from statuspage.services import playbook as measures
from statuspage.services.actor import CLI
from statuspage.services.texts import Texts


@click.group()
def playbook() -> None:
    """The measures of an incident: done, open, overdue or not needed."""


@playbook.command()
@click.argument("incident")
@as_json
@click.pass_obj
def show(parts: Composition, incident: str, json_wanted: bool) -> None:
    """Row by row, as the evidence stands now."""
    with reading(parts) as session:
        found = incidents.get_incident(session, incident)
        rows = measures.rows(session, found, operator(parts), parts.clock.now())
        words = measures.measure_texts(session, found)
        names = measures.people_of(session, rows)
    locale, zone = parts.settings.default_locale, parts.settings.zone
    if json_wanted:
        print_json([_document(row, words[row.key].bodies) for row in rows])
        return
    moments = Moments(locale, zone, parts.clock.now())
    print_table(
        ("row", "state", "due", "measure", "known"),
        [
            (
                row.key,
                row.state,
                local(row.due_at, zone),
                words[row.key].pick(locale)[0],
                " ".join(proof.said(fact, moments, names) for fact in row.facts),
            )
            for row in rows
        ],
    )


def _document(row: Row, measure: Texts) -> dict[str, Any]:
    names = ("state", "due_at", "done_at", "proved", "late", "by", "reason")
    facts = [asdict(fact) for fact in row.facts]
    head = {"row": row.key, "number": row.number}
    return {**head, **{name: getattr(row, name) for name in names}, "facts": facts, "measure": measure}


@playbook.command()
@click.argument("incident")
@click.argument("row")
@click.option("--note", required=True, help="How you know that it is done.")
@click.pass_obj
def tick(parts: Composition, incident: str, row: str, note: str) -> None:
    """Answer for a measure that the system cannot see."""
    with writing(parts) as session:
        measures.tick(session, CLI, incidents.get_incident(session, incident), row, note, now=parts.clock.now())
    click.echo("Done.")


@playbook.command()
@click.argument("incident")
@click.argument("row")
@click.option("--reason", required=True, help="Why it does not apply.")
@click.pass_obj
def waive(parts: Composition, incident: str, row: str, reason: str) -> None:
    """Say that a measure is not needed."""
    with writing(parts) as session:
        measures.waive(session, CLI, incidents.get_incident(session, incident), row, reason, now=parts.clock.now())
    click.echo("Done.")
