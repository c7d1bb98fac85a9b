"""One pass over a file: rows are checked, stored chunk by chunk, counted; the others are written down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from statuspage.services.people_import_file import PeopleFile
from statuspage.services.people_import_refused import RefusedLines
from statuspage.services.people_import_rows import PersonRow, Refused, RowChecker
from statuspage.services.people_import_sink import Counts, Sink, added

ROUND = 8_000
"""Lines that are read before their rows are written, one chunk after the other. Reading as many takes longer than a
writer who waits for SQLite's lock sleeps between two looks (0.1 s), so that everybody gets in between two rounds."""

Watch = Callable[[Counts], None]
Waiting = tuple[int, PersonRow]
"""Number of the line, row."""


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
        waiting: list[Waiting] = []
        check, add = self.checker.check, waiting.append
        read = 0
        for cells in self.file.rows(self._refuse_line):
            try:
                add((self.file.row_line, check(cells)))
            except Refused:
                self.refused.add_row(self.file.row_line, self.checker.faults(cells))
            read += 1
            if read == ROUND:
                self._store(waiting)
                waiting.clear()
                read = 0
        self._store(waiting)
        return self.counts

    def _refuse_line(self, line: int, reason: str) -> None:
        self.refused.add(line, reason)

    def _store(self, waiting: list[Waiting]) -> None:
        """In chunks as large as the sink takes; also without rows: it shows that the run is alive."""
        self.sink.let_others_in()
        first = 0
        while first < len(waiting) or first == 0:
            chunk = waiting[first : first + self.sink.wanted]
            refused = self.refused.count - self.counts.duplicate
            before = replace(self.counts, bytes_read=self.file.bytes_read, refused=refused)
            repeated = self.sink.store([row for _, row in chunk], before)
            for place in repeated:
                self.refused.add(chunk[place][0], "repeats_an_earlier_line")
            self.counts = added(before, len(chunk), len(repeated))
            self.watch(self.counts)
            first += max(len(chunk), 1)
