"""The subscriber file as lines of text: its encoding, its separator, its columns; never more than a block in memory."""

from __future__ import annotations

import codecs
import csv
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from statuspage.domain.errors import RuleError
from statuspage.services.people_import_columns import COLUMNS, column

BLOCK_BYTES = 128 * 1024
FIELD_LIMIT = 64 * 1024
LINE_LIMIT = 4 * FIELD_LIMIT
"""Characters. A longer line is dropped as it streams by and reported with its number."""

SEPARATORS = (",", ";", "\t", "|")
_UNMARKED = ("windows-1251", "gb18030")
_FOREIGN = {
    b"PK\x03\x04": "an Excel workbook or a ZIP archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"\x1f\x8b": "a gzip archive",
}
_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}

Numbered = tuple[int, str]
"""Number of a line, its text."""

Refuse = Callable[[int, str], None]
"""Told the number of a line that is dropped and why."""


@dataclass(frozen=True)
class Layout:
    """How the file is written. `columns` maps a column's name to its place; `unknown` are ignored."""

    encoding: str
    separator: str
    columns: Mapping[str, int]
    unknown: tuple[str, ...]
    width: int


class PeopleFile:
    """One pass over a subscriber file. RuleError when it is no such file; `bytes_read` is how far it was read."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._head = source.read(BLOCK_BYTES)
        self.layout = _recognise(self._head)
        self.bytes_read = 0
        self.line = 0
        """Number of the last physical line that was handed out; the header's is 1."""
        self.row_line = 0
        """Number of the line on which the last row began."""
        self._taken: list[Numbered] = []
        self._again: deque[Numbered] = deque()

    def rows(self, refuse: Refuse) -> Iterator[list[str]]:
        """The cells of each row after the header, empty lines left out. `refuse` hears of lines that are no rows.

        A quoted cell of a column that is ignored may hold line ends. A quote that nobody closes costs its own line:
        what it swallowed is read again.
        """
        csv.field_size_limit(FIELD_LIMIT)
        lines = self._lines(refuse)
        reader = self._reader(lines)
        header = True
        while True:
            self._taken.clear()
            row, fault = _next(reader)
            if not self._taken:
                return
            self.row_line = self._taken[0][0]
            if len(self._taken) > 1 and (row is None or not self._may_hold_line_ends(row)):
                self._again.extendleft(reversed(self._taken[1:]))
                refuse(self.row_line, "open_quote")
                reader = self._reader(lines)
            elif row is None:
                refuse(self.row_line, fault)
            elif row and not header:
                yield row
            header = header and not row

    def _reader(self, lines: Iterator[str]) -> Iterator[list[str]]:
        return csv.reader(self._fed(lines), delimiter=self.layout.separator)

    def _fed(self, lines: Iterator[str]) -> Iterator[str]:
        """Lines that are to be read again, then new ones; each is noted with its number."""
        while True:
            if self._again:
                number, line = self._again.popleft()
            elif (following := next(lines, None)) is not None:
                number, line = self.line, following
            else:
                return
            self._taken.append((number, line))
            yield line

    def _may_hold_line_ends(self, row: list[str]) -> bool:
        """Whether only a column that is ignored goes over the end of a line."""
        if len(row) != self.layout.width:
            return False
        known = [row[place] for place in self.layout.columns.values()]
        return all(any(cell in line for _, line in self._taken) for cell in known)

    def _lines(self, refuse: Refuse) -> Iterator[str]:
        rest, dropping = "", False
        for text in self._texts():
            joined = rest + text
            pieces = joined.split("\n")
            rest = pieces.pop()
            suspicious = dropping or len(joined) > LINE_LIMIT or "\0" in joined
            for piece in pieces:
                self.line += 1
                if suspicious and (reason := "line_too_long" if dropping else _fault(piece)):
                    refuse(self.line, reason)
                    dropping = False
                else:
                    yield piece
            if dropping or len(rest) > LINE_LIMIT:
                rest, dropping = "", True
        if rest or dropping:
            self.line += 1
            if reason := "line_too_long" if dropping else _fault(rest):
                refuse(self.line, reason)
            else:
                yield rest

    def _texts(self) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder(self.layout.encoding)("replace")
        block = self._head
        while block:
            self.bytes_read += len(block)
            yield decoder.decode(block)
            block = self._source.read(BLOCK_BYTES)
        yield decoder.decode(b"", final=True)


def _next(reader: Iterator[list[str]]) -> tuple[list[str] | None, str]:
    """The next row, or None and why it is none."""
    try:
        return next(reader, []), ""
    except csv.Error as error:
        return None, "field_too_long" if "limit" in str(error) else "broken_quoting"


def _fault(line: str) -> str | None:
    if "\0" in line:
        return "nul_byte"
    return "line_too_long" if len(line) > LINE_LIMIT else None


def _recognise(head: bytes) -> Layout:
    if not head:
        raise _refusal("empty", "the file is empty.")
    for magic, name in _FOREIGN.items():
        if head.startswith(magic):
            raise _refusal("not_csv", f"this is {name}. Save the sheet as “CSV UTF-8” and import that.")
    encoding = next((name for mark, name in _BOMS.items() if head.startswith(mark)), None)
    if encoding is None and head.count(0) > len(head) // 4:
        raise _refusal("utf16_unmarked", "this looks like UTF-16 without a byte order mark. Save the file as UTF-8.")
    for candidate in [encoding] if encoding else ["utf-8", *_UNMARKED]:
        line = _header(head, candidate)
        if line is not None and (layout := _layout(line, candidate)):
            return _complete(layout)
    raise _refusal(
        "unknown_header",
        "no column of the first line is known, in UTF-8, UTF-16, Windows-1251 or GB18030. "
        f"The first line must name the columns: {', '.join(COLUMNS)}.",
    )


def _header(head: bytes, encoding: str) -> str | None:
    if encoding == "utf-16":
        text = codecs.getincrementaldecoder("utf-16")("replace").decode(head)
        return _first_line(text)
    try:
        return _first_line(head.lstrip(b"\r\n").split(b"\n", 1)[0].decode(encoding))
    except UnicodeDecodeError:
        return None  # not in this encoding; the caller tries the next


def _first_line(text: str) -> str:
    line = text.lstrip("\r\n").split("\n", 1)[0]
    if "\0" in line:
        raise _refusal("nul_byte", "the first line holds a NUL byte. Export the file anew.")
    if len(line) > FIELD_LIMIT or "\r" in line.rstrip("\r"):
        raise _refusal("no_line_ends", "the lines do not end in LF or CR LF. Save the file as “CSV UTF-8”.")
    return line


def _layout(line: str, encoding: str) -> Layout | None:
    best: Layout | None = None
    for separator in SEPARATORS:
        names = next(csv.reader([line], delimiter=separator), [])
        columns: dict[str, int] = {}
        unknown: list[str] = []
        for place, name in enumerate(names):
            known = column(name)
            if known is None:
                unknown.append(name.strip()[:40] or f"(column {place + 1})")
            elif known in columns:
                raise _refusal(
                    "column_twice", f"column {known} stands there twice. Leave one of the two out.", {"column": known}
                )
            else:
                columns[known] = place
        if columns and (best is None or len(columns) > len(best.columns)):
            best = Layout(encoding, separator, columns, tuple(unknown), len(names))
    return best


def _complete(layout: Layout) -> Layout:
    missing = [name for name in ("account_id", "segment", "region") if name not in layout.columns]
    if not {"msisdn", "iccid"} & set(layout.columns):
        missing.append("msisdn or iccid")
    if missing:
        said = ", ".join(missing)
        message = f"columns are missing: {said}. Add them and import again."
        raise _refusal("columns_missing", message, {"columns": said.replace(" or ", " / ")})
    return layout


def _refusal(code: str, message: str, values: Mapping[str, object] | None = None) -> RuleError:
    return RuleError(f"people_file.{code}", f"file: {message}", "file", values)
