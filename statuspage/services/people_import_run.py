"""One pass over a file: rows are checked, stored chunk by chunk, counted; the others are written down."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from statuspage.services.people_import_file import PeopleFile
from statuspage.services.people_import_refused import RefusedLines
from statuspage.services.people_import_rows import PersonRow, Refused, RowChecker
from statuspage.services.people_import_sink import Counts, Sink, added

LINES_WITHOUT_SIGN = 20_000
"""So many lines without one to store, and the sink is called all the same: it shows that the run is alive."""
KEPT_BACK = 40_000
ROUND = 10_000
"""Rows that are written one chunk after the other. Reading as many takes longer than a writer who waits for SQLite's
lock sleeps between two looks (0.1 s), so that everybody gets in between two rounds."""

Watch = Callable[[Counts], None]
Waiting = tuple[str, int, PersonRow]
"""Key, number of the line, row."""


class Elevator:
    """Keeps rows back and hands them on in the order of their keys, round and round.

    Neighbours by key share pages of the index: in the file's own order a chunk would write a page of it for each row.
    Of rows with the same key the one that stands first in the file comes first.
    """

    def __init__(self) -> None:
        self._waiting: list[Waiting] = []
        self._last = ""

    def add(self, row: PersonRow, line: int) -> bool:
        """Whether there is enough for a round."""
        self._waiting.append((row.key, line, row))
        return len(self._waiting) >= KEPT_BACK + ROUND

    def take(self) -> list[Waiting]:
        """The next `ROUND` rows, fewer at the end of a round; [] when there are none."""
        self._waiting.sort()
        first = bisect_left(self._waiting, (self._last,))
        if first == len(self._waiting):
            first = 0
        taken = self._waiting[first : first + ROUND]
        del self._waiting[first : first + ROUND]
        if taken:
            self._last = taken[-1][0]
        return taken


@dataclass
class ImportRun:
    """`counts` is how far it came, also when it failed on the way."""

    file: PeopleFile
    checker: RowChecker
    refused: RefusedLines
    sink: Sink
    watch: Watch
    counts: Counts = field(default_factory=Counts)

    def load(self) -> Counts:
        """Read to the end."""
        elevator = Elevator()
        check, add = self.checker.check, elevator.add
        silent = 0
        for cells in self.file.rows(self._refuse_line):
            try:
                full = add(check(cells), self.file.row_line)
            except Refused as refused:
                self.refused.add(
                    self.file.row_line, refused.field, refused.reason, self.checker.value(cells, refused.field)
                )
                full = False
            silent += 1
            if full or silent >= LINES_WITHOUT_SIGN:
                self._store(elevator.take() if full else [])
                silent = 0
        self._store([])
        while rows := elevator.take():
            self._store(rows)
        return self.counts

    def _refuse_line(self, line: int, reason: str) -> None:
        self.refused.add(line, "", reason)

    def _store(self, waiting: list[Waiting]) -> None:
        """In chunks as large as the sink takes; also without rows, for the counts."""
        self.sink.let_others_in()
        first = 0
        while first < len(waiting) or first == 0:
            chunk = waiting[first : first + self.sink.wanted]
            refused = self.refused.count - self.counts.duplicate
            before = replace(self.counts, bytes_read=self.file.bytes_read, refused=refused)
            repeated = self.sink.store([row for _, _, row in chunk], before)
            for place in repeated:
                self.refused.add(chunk[place][1], "", "repeats_an_earlier_line")
            self.counts = added(before, len(chunk), len(repeated))
            self.watch(self.counts)
            first += max(len(chunk), 1)
