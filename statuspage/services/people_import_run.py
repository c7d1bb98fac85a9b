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

MOST_REFUSED = 4 * ROUND
"""Faults that are held back, so that they are written in the order of their lines. Past that only a file is out of
order in which a quote stays open over as many broken lines."""

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
    _waiting: list[Waiting] = field(default_factory=list)

    def load(self) -> Counts:
        """Read to the end."""
        check, waiting, file = self.checker.check, self._waiting, self.file
        for cells in file.rows(self._refuse_line):
            try:
                waiting.append((file.row_line, check(cells)))
            except Refused:
                self.refused.add_row(file.row_line, self.checker.faults(cells))
                if len(self.refused.waiting) >= MOST_REFUSED:
                    self._store()
            if len(waiting) == ROUND:
                self._store()
        self._store()
        return self.counts

    def _refuse_line(self, line: int, reason: str) -> None:
        self.refused.add(line, reason)
        if len(self.refused.waiting) >= MOST_REFUSED:
            self._store()

    def _store(self) -> None:
        """In chunks as large as the sink takes; also without rows: it shows that the run is alive."""
        self.sink.let_others_in()
        waiting = self._waiting
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
        waiting.clear()
        self.refused.write(self.file.row_line)
        if len(self.refused.waiting) >= MOST_REFUSED:
            self.refused.write()
