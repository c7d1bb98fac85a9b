"""`statuspage playbook`: what is to be done in an incident, and what proves that it was."""

from __future__ import annotations

import click

from statuspage.commands.desk import operator, reading, writing
from statuspage.commands.options import as_json
from statuspage.commands.printing import local, print_json, print_table
from statuspage.composition import Composition
from statuspage.services import incidents
from statuspage.services import playbook as measures
from statuspage.services.actor import CLI


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
    locale, zone = parts.settings.default_locale, parts.settings.zone
    if json_wanted:
        print_json(
            [
                {
                    "row": row.key,
                    "number": row.number,
                    "state": row.state,
                    "due_at": row.due_at,
                    "done_at": row.done_at,
                    "proved": row.proved,
                    "late": row.late,
                    "by": row.by,
                    "reason": row.reason,
                    "measure": words[row.key].bodies,
                }
                for row in rows
            ]
        )
        return
    print_table(
        ("row", "state", "due", "measure"),
        [(row.key, row.state, local(row.due_at, zone), words[row.key].pick(locale)[0]) for row in rows],
    )


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
