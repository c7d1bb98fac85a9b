"""One pass over a file: rows are checked, stored chunk by chunk, counted; the others are written down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from statuspage.services.people_import_file import PeopleFile
from statuspage.services.people_import_refused import RefusedLines
from statuspage.services.people_import_rows import PersonRow, Refused, RowChecker
from statuspage.services.people_import_sink import Counts, Sink, added

LINES_WITHOUT_SIGN = 20_000
"""So many lines without one to store, and the sink is called all the same: it shows that the run is alive."""

Watch = Callable[[Counts], None]


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
        rows: list[PersonRow] = []
        lines: list[int] = []
        silent = 0
        for cells in self.file.rows(self._refuse_line):
            try:
                rows.append(self.checker.check(cells))
                lines.append(self.file.row_line)
            except Refused as refused:
                self.refused.add(
                    self.file.row_line, refused.field, refused.reason, self.checker.value(cells, refused.field)
                )
                silent += 1
            if len(rows) >= self.sink.wanted or silent >= LINES_WITHOUT_SIGN:
                self._store(rows, lines)
                rows, lines, silent = [], [], 0
        self._store(rows, lines)
        return self.counts

    def _refuse_line(self, line: int, reason: str) -> None:
        self.refused.add(line, "", reason)

    def _store(self, rows: list[PersonRow], lines: list[int]) -> None:
        refused = self.refused.count - self.counts.duplicate
        before = replace(self.counts, bytes_read=self.file.bytes_read, refused=refused)
        repeated = self.sink.store(rows, before)
        for place in repeated:
            self.refused.add(lines[place], "", "repeats_an_earlier_line")
        self.counts = added(before, len(rows), len(repeated))
        self.watch(self.counts)
