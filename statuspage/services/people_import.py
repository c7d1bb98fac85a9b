"""Load a subscriber file: streamed, checked field by field, invisible until the last row is in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage.clock import Clock
from statuspage.config import Settings
from statuspage.db import Sessions, transaction
from statuspage.domain.errors import RuleError
from statuspage.domain.roles import Permission
from statuspage.models import PeopleImport, Region, Segment
from statuspage.services import leases, people_import_leftovers, texts
from statuspage.services.actor import Actor
from statuspage.services.addresses import AddressKey
from statuspage.services.leases import Held
from statuspage.services.people_import_book import ImportBook
from statuspage.services.people_import_database import LEASE, LEASE_LENGTH, bulk_sessions
from statuspage.services.people_import_file import PeopleFile
from statuspage.services.people_import_purge import clear_dead
from statuspage.services.people_import_refused import RefusedLines
from statuspage.services.people_import_rows import RowChecker, Vocabulary
from statuspage.services.people_import_run import ImportRun, Watch
from statuspage.services.people_import_sink import Counts, DrySink, Sink, TableSink

Meaning = TypeVar("Meaning")


@dataclass(frozen=True)
class Source:
    """A file to import. `size` is in bytes, 0 when unknown; only the last part of `name` is kept."""

    stream: BinaryIO
    name: str
    size: int


@dataclass(frozen=True)
class ImportResult:
    """What became of the file. `refused_path` is None when every line was taken."""

    public_id: str
    dry_run: bool
    encoding: str
    separator: str
    unknown_columns: tuple[str, ...]
    counts: Counts
    refused_path: str | None


def unwatched(_counts: Counts) -> None:
    """For callers that show no progress."""


def import_people(
    sessions: Sessions,
    actor: Actor,
    source: Source,
    settings: Settings,
    clock: Clock,
    *,
    dry_run: bool = False,
    watch: Watch = unwatched,
) -> ImportResult:
    """Upsert by (account, MSISDN or ICCID); lines that the file does not name stay as they are.

    Opens short transactions of its own, so that others can write between them. RuleError: no permission, no such file,
    another import is running, not one line was taken. A dry run stores nothing but the run's counts and the file of
    refused lines.
    """
    actor.require(Permission.SUBSCRIBER_IMPORT)
    file = PeopleFile(source.stream)
    people_import_leftovers.sweep(sessions, settings, clock)
    with bulk_sessions(sessions) as bulk:
        held = None if dry_run else _claim(sessions, clock)
        if held is not None:
            clear_dead(bulk, held, clock)
        book = ImportBook(sessions, actor, held, clock)
        entry = book.enter(source.name, source.size)
        refused = RefusedLines.of(settings, entry.public_id)
        sink = _sink(bulk, held, entry, clock)
        run = ImportRun(file, _checker(sessions, settings, file), refused, sink, watch)
        try:
            run.load()
            if held is not None and not run.counts.accepted:
                raise _nothing_taken(run.counts, refused)
            book.finish(entry, run.counts, refused)
        except BaseException:
            book.fail(entry, run.counts, refused)
            raise
    layout = file.layout
    return ImportResult(
        entry.public_id, dry_run, layout.encoding, layout.separator, layout.unknown, run.counts, refused.written
    )


def vocabulary(session: Session, settings: Settings) -> Vocabulary:
    """The operator's segments and regions, under their keys and under the names people gave them in any language."""
    segments = {row.id: (row.key, (row.id, row.machine)) for row in session.scalars(select(Segment))}
    regions = {row.id: (row.key, (row.id, row.time_zone)) for row in session.scalars(select(Region))}
    return Vocabulary(
        _named(session, "segment", segments),
        _named(session, "region", regions),
        settings.locales,
        settings.default_locale,
        settings.default_region,
    )


def _named(session: Session, entity: str, rows: dict[int, tuple[str, Meaning]]) -> dict[str, Meaning]:
    names: dict[str, Meaning] = {}
    for (row_id, field), wording in texts.read(session, entity, rows).items():
        if field == "name":
            names.update({body.casefold(): rows[row_id][1] for body in wording.bodies.values()})
    return names | {key.casefold(): meaning for key, meaning in rows.values()}


def _checker(sessions: Sessions, settings: Settings, file: PeopleFile) -> RowChecker:
    with transaction(sessions, read_only=True) as session:
        words = vocabulary(session, settings)
    key = AddressKey.derive(settings.secret_key.get_secret_value())
    return RowChecker(words, key, file.layout.columns, file.layout.width)


def _sink(bulk: Sessions, held: Held | None, entry: PeopleImport, clock: Clock) -> Sink:
    if held is None:
        return DrySink(bulk, entry.id, clock)
    return TableSink(bulk, held, entry.id, entry.generation, clock)


def _nothing_taken(counts: Counts, refused: RefusedLines) -> RuleError:
    why = "it holds no lines but the header"
    if counts.refused:
        why = f"every line is refused ({counts.refused:,}), and {refused.path} says why"
    return RuleError(
        "people_import.nothing_taken",
        f"file: not one line was taken, so everything stays as it was: {why}. Mend the file and import it again.",
        "file",
    )


def _claim(sessions: Sessions, clock: Clock) -> Held:
    now = clock.now()
    with transaction(sessions) as session:
        held = leases.take(session, LEASE, leases.new_owner(), LEASE_LENGTH, now=now)
        until = leases.held_until(session, LEASE, now=now) or now
    if held is None:
        raise RuleError(
            "people_import.running",
            "file: another import is running, and only one can. Wait until it is done; if its process died, "
            f"try again in {max(1, round((until - now).total_seconds()))} s.",
            "file",
        )
    return held
