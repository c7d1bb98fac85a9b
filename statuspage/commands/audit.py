"""`statuspage audit`: check the chain, hand it out."""

from __future__ import annotations

import json

import click

from statuspage.commands.desk import reading
from statuspage.commands.options import as_json
from statuspage.commands.printing import print_json
from statuspage.composition import Composition
from statuspage.domain.errors import RuleError
from statuspage.services import audit as trail


@click.group()
def audit() -> None:
    """What people and tokens did."""


@audit.command()
@click.option("--head", help="A hash kept with an earlier report: its entry must still stand.")
@as_json
@click.pass_obj
def verify(parts: Composition, head: str | None, json_wanted: bool) -> None:
    """Follow the chain from the first entry to the last, and hold the grace ledger against it."""
    with reading(parts) as session:
        count, broken = trail.verify(session)
        cut = head is not None and not trail.contains(session, head)
    if json_wanted:
        ledger = None if broken is None else broken.ledger
        print_json({"entries": count, "broken_at": None if broken is None else broken.entry_id, "ledger": ledger})
    if broken is not None and broken.ledger is not None:
        policy, revision = broken.ledger
        wrote = "no entry wrote it" if broken.entry_id is None else f"entry {broken.entry_id} wrote another one"
        raise RuleError(
            "audit.ledger",
            f"The chain holds for {count} entries, but the grace ledger was changed: of policy {policy}, revision "
            f"{revision}, {wrote}.",
        )
    if broken is not None:
        raise RuleError(
            "audit.broken",
            f"The chain holds for {count} entries and breaks at entry {broken.entry_id}: it was changed.",
        )
    if cut:
        raise RuleError("audit.cut", "The entry with that hash is gone: entries were removed.", "head")
    if not json_wanted:
        click.echo(f"{count} entries, the chain holds, and the grace ledger is what they wrote.")


@audit.command()
@click.option("--entity", default=None, help="Only entries about this kind of thing, such as incident.")
@click.option("--id", "entity_id", default=None, help="Only entries about the thing with this id.")
@click.pass_obj
def export(parts: Composition, entity: str | None, entity_id: str | None) -> None:
    """Every entry as a line of JSON, with the hashes that chain it."""
    with reading(parts) as session:
        for entry in trail.entries(session, entity, entity_id):
            click.echo(
                json.dumps(
                    {
                        "id": entry.id,
                        "at": entry.at.isoformat(timespec="microseconds"),
                        "actor_kind": entry.actor_kind,
                        "actor": entry.actor_id,
                        "action": entry.action,
                        "entity": entry.entity,
                        "entity_id": entry.entity_id,
                        "detail": entry.detail,
                        "previous_hash": entry.previous_hash,
                        "hash": entry.hash,
                    },
                    ensure_ascii=False,
                )
            )
