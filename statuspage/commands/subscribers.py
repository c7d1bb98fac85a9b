"""`statuspage subscribers`: who is told, in and out as files."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from statuspage.commands.desk import reading, writing
from statuspage.commands.options import as_json
from statuspage.commands.printing import local, print_facts, print_json, print_table
from statuspage.composition import Composition
from statuspage.domain.errors import RuleError
from statuspage.services import erasure, people, reference
from statuspage.services.actor import CLI
from statuspage.services.people_import import ImportResult, Source, import_people
from statuspage.services.people_import_book import standing
from statuspage.services.people_import_columns import TABLE
from statuspage.services.people_import_sample import sample_file
from statuspage.services.people_import_sink import Counts

PARTLY = 3
"""The exit code of an import that left lines out: whoever runs it by night is to notice."""


@click.group()
def subscribers() -> None:
    """Accounts, their lines, and whom to tell about them."""


@subscribers.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Check every line and change nothing.")
@as_json
@click.pass_obj
def import_(parts: Composition, file: Path, dry_run: bool, json_wanted: bool) -> None:
    """Load a subscriber file. Lines that it does not name stay; nothing is seen until the last row is in.

    FILE is CSV whose first line names the columns; `statuspage subscribers columns` lists them, `statuspage
    subscribers sample` prints a file to begin with. It may be in UTF-8, UTF-16, Windows-1251 or GB18030, with a comma,
    semicolon, tab or | between cells. Lines with a mistake are left out; the file of refused lines names every mistake.

    Exit codes: 0 every line was taken, 3 some were and others not, 1 the file was refused and nothing has changed. A
    dry run answers as the import would.
    """
    with file.open("rb") as stream, _progress_bar(json_wanted, file.stat().st_size) as watch:
        source = Source(stream, file.name, file.stat().st_size)
        result = import_people(parts.sessions, CLI, source, parts.settings, parts.clock, dry_run=dry_run, watch=watch)
    facts = _facts(result)
    if json_wanted:
        print_json(facts)
    else:
        print_facts({name: value for name, value in facts.items() if value is not None})
    if result.refused_path is not None:
        click.echo(_left_out(result), err=True)
    if not result.counts.accepted:
        raise RuleError("people_import.nothing_to_take", "file: not one line would be taken.", "file")
    if result.refused_path is not None:
        sys.exit(PARTLY)


@subscribers.command()
@as_json
@click.pass_obj
def columns(parts: Composition, json_wanted: bool) -> None:
    """What a subscriber file holds: its columns, their other names, and this operator's segments and regions."""
    with reading(parts) as session:
        segments = [one.key for one in reference.segments(session)]
        regions = [one.key for one in reference.regions(session)]
    if json_wanted:
        print_json({"columns": [asdict(one) for one in TABLE], "segments": segments, "regions": regions})
        return
    print_table(
        ("column", "needed", "accepted", "also called"),
        [(one.name, one.need.value, one.accepted, ", ".join(one.other_names)) for one in TABLE],
    )
    click.echo()
    print_facts({"segments": ", ".join(segments), "regions": ", ".join(regions)})


@subscribers.command()
@click.pass_obj
def sample(parts: Composition) -> None:
    """Print a small subscriber file in this operator's segments and region, to begin with."""
    with reading(parts) as session:
        sys.stdout.write(sample_file(session, parts.settings))


@subscribers.command()
@click.option("--signups", is_flag=True, help="Those who signed up on the page, instead of the operator's lines.")
@click.pass_obj
def export(parts: Composition, signups: bool) -> None:
    """Print everybody as CSV, in the form that can be imported again."""
    with writing(parts) as session:
        people.allow_export(session, CLI, now=parts.clock.now())
    with reading(parts) as session:
        for page in people.signups_csv(session) if signups else people.lines_csv(session):
            sys.stdout.write(page)


@subscribers.command()
@click.argument("address")
@as_json
@click.pass_obj
def erase(parts: Composition, address: str, json_wanted: bool) -> None:
    """Forget whoever is told at ADDRESS, and never use it again."""
    with writing(parts) as session:
        erased = erasure.erase(session, CLI, address, parts.settings, now=parts.clock.now())
    (print_json if json_wanted else print_facts)(asdict(erased))


@subscribers.command()
@as_json
@click.pass_obj
def status(parts: Composition, json_wanted: bool) -> None:
    """How many there are, and how the last import went."""
    with reading(parts) as session:
        found = people.counts(session, CLI)
    last = found.last_import
    facts: dict[str, object] = {
        "lines": found.lines,
        "segments": found.segments,
        "languages": found.languages,
        "signups": found.signups,
        "suppressed": found.suppressed,
        "last_import": None
        if last is None
        else {
            "id": last.public_id,
            "state": standing(last, parts.clock.now()),
            "started_at": last.started_at if json_wanted else local(last.started_at, parts.settings.zone),
            "accepted": last.rows_accepted,
            "refused": last.rows_refused,
            "duplicate": last.rows_duplicate,
            "bytes_read": last.bytes_read,
            "bytes_total": last.bytes_total,
        },
    }
    if json_wanted:
        print_json(facts)
    else:
        print_facts({name: _flat(value) for name, value in facts.items()})


def _left_out(result: ImportResult) -> str:
    lines = result.counts.refused + result.counts.duplicate
    read = f"{lines:,} of {lines + result.counts.accepted:,} lines"
    said = f"{read} would be left out" if result.dry_run else f"{read} were left out, the others are in"
    return f"{said}. What is wrong with each: {result.refused_path}"


def _facts(result: ImportResult) -> dict[str, object]:
    return {
        "import": result.public_id,
        "dry_run": result.dry_run,
        "accepted": result.counts.accepted,
        "refused": result.counts.refused,
        "duplicate": result.counts.duplicate,
        "refused_lines": result.refused_path,
        "ignored_columns": list(result.unknown_columns) or None,
        "encoding": result.encoding,
        "separator": {"\t": "tab"}.get(result.separator, result.separator),
    }


def _flat(value: object) -> object:
    if not isinstance(value, dict):
        return value
    return ", ".join(f"{name} {number}" for name, number in value.items())


def _progress_bar(quiet: bool, size: int) -> AbstractContextManager[Callable[[Counts], None]]:
    if quiet or not sys.stderr.isatty():
        return nullcontext(lambda _counts: None)
    return _Bar(size)


class _Bar(AbstractContextManager[Callable[[Counts], None]]):
    """Bytes, rows taken and rows refused, on standard error."""

    def __init__(self, size: int) -> None:
        self._bar = Progress(
            TextColumn("{task.fields[rows]} rows, {task.fields[refused]} refused"),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task("", total=size, rows=0, refused=0)

    def __enter__(self) -> Callable[[Counts], None]:
        self._bar.start()
        return self._watch

    def __exit__(self, *_error: object) -> None:
        self._bar.stop()

    def _watch(self, counts: Counts) -> None:
        refused = counts.refused + counts.duplicate
        self._bar.update(self._task, completed=counts.bytes_read, rows=counts.accepted, refused=refused)
