"""`statuspage demo`: the whole story by itself, and whether all of it held."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from statuspage.composition import Composition
from statuspage.db import transaction
from statuspage.demo.browser import StoryError
from statuspage.demo.checks import Check, Ledger, audit
from statuspage.demo.people import people
from statuspage.demo.story import Story
from statuspage.environment import load
from statuspage.services.addresses import AddressKey


@click.command()
@click.option("--subscribers", default=10_000, show_default=True, type=click.IntRange(100, 1_000_000))
@click.option("--keep", is_flag=True, help="Keep the directory with the database, ledgers, logs and reports.")
@click.pass_obj
def demo(_parts: Composition, subscribers: int, keep: bool) -> None:
    """Tell the whole story against generated people, with stand-ins that fail, and audit the result.

    Runs beside anything else, on free ports and in a directory of its own. Exit 0 only if all of it held.
    """
    console = Console()
    began = time.monotonic()

    def say(line: str) -> None:
        console.print(f"[dim]{time.monotonic() - began:6.1f} s[/dim]  {line}", highlight=False)

    directory = Path(tempfile.mkdtemp(prefix="statuspage-demo-"))
    story = Story(directory, subscribers, say)
    try:
        story.run()
        checks = _audit(story)
    except StoryError as broken:
        console.print(f"[bold red]The story stopped:[/bold red] {broken}", highlight=False)
        _show_logs(console, directory)
        sys.exit(1)
    finally:
        story.processes.stop()
        if not keep:
            shutil.rmtree(directory)
    _tables(console, story, checks)
    if keep:
        console.print(f"Kept in {directory}", highlight=False)
    sys.exit(0 if all(check.holds for check in checks) else 1)


def _audit(story: Story) -> list[Check]:
    chain = story.processes.run("audit", "verify").strip()
    for form in ("html", "json", "csv"):
        body = story.processes.run("report", story.incident, "--format", form)
        (story.directory / f"report.{form}").write_text(body, encoding="utf-8")
    fields = {"sms": "to", "email": "recipient"}
    ledgers = {channel: Ledger.read(story.ledgers[channel], field) for channel, field in fields.items()}
    with transaction(story.sessions, read_only=True) as session:
        key = AddressKey.derive(load(story.processes.environment).secret_key.get_secret_value())
        checks = audit(session, ledgers, people(story.subscribers), story.stopped, key)
    return [*checks, Check("the audit chain verifies", chain)]


def _tables(console: Console, story: Story, checks: list[Check]) -> None:
    figures = Table(title="Measured", title_justify="left")
    figures.add_column("what")
    figures.add_column("figure", justify="right")
    for what, figure in story.measured.items():
        figures.add_row(what, figure)
    console.print(figures)
    table = Table(title="Did it hold?", title_justify="left")
    for name in ("", "what must hold", "what was found"):
        table.add_column(name)
    for check in checks:
        mark = "[green]yes[/green]" if check.holds else "[bold red]NO[/bold red]"
        examples = "" if check.holds else f" (e.g. {', '.join(str(one) for one in check.wrong)})"
        table.add_row(mark, check.name, check.found + examples)
    console.print(table)


def _show_logs(console: Console, directory: Path) -> None:
    for log in sorted(directory.glob("*.log")):
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
        console.print(log.name, *lines, sep="\n", style="dim", highlight=False, markup=False)
