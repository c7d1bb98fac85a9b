"""The lines an import did not take: a file for the operator's eyes only, which does not live long."""

from __future__ import annotations

import csv
import os
import sys
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable
from datetime import timedelta
from operator import itemgetter
from pathlib import Path
from typing import TextIO

from statuspage.config import Settings
from statuspage.services.people_import_columns import ACCEPTED
from statuspage.services.people_import_rows import Fault

KEPT = timedelta(days=7)
FOLDER = "refused"
_SHOWN = frozenset(
    {"segment", "region", "time_zone", "language", "currency", "paid_until", "consent_sms", "consent_email"}
)
_LONGEST_VALUE = 40


_line = itemgetter(0)
Told = tuple[int, str, str, str, str]
"""Line, field, reason, value and what the field accepts."""


class RefusedLines:
    """Writes one row a fault, in the order of the lines, in a file of mode 0600.

    The value of a personal field is only its shape. `count` is how many lines were refused.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self.waiting: list[Told] = []
        """What is not written yet, because it is not known what becomes of earlier lines."""
        self._file: TextIO | None = None

    @classmethod
    def of(cls, settings: Settings, public_id: str) -> RefusedLines:
        return cls(settings.data_dir / FOLDER / f"{public_id}.csv")

    def add(self, line: int, reason: str) -> None:
        """A line that is refused as a whole. `line` is the number in the file, the header being 1."""
        self.add_row(line, [Fault("", reason, "")])

    def add_row(self, line: int, faults: Iterable[Fault]) -> None:
        """A line whose row was read, with everything that is wrong with it."""
        self.count += 1
        self.waiting += [
            (line, fault.field, fault.reason, _told(fault), ACCEPTED.get(fault.field, "")) for fault in faults
        ]

    def write(self, through: int = sys.maxsize) -> None:
        """What waits, as far as the line `through`: of those before it everything is known."""
        self.waiting.sort(key=_line)
        known = bisect_right(self.waiting, through, key=_line)
        if not known:
            return
        if self._file is None:
            self._file = self._open()
        csv.writer(self._file, lineterminator="\n").writerows(self.waiting[:known])
        del self.waiting[:known]

    @property
    def written(self) -> str | None:
        """Where they are; None when every line was taken."""
        return str(self.path) if self.count else None

    def close(self) -> None:
        self.write()
        if self._file is not None:
            self._file.close()

    def _open(self) -> TextIO:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        file = os.fdopen(handle, "w", encoding="utf-8", newline="")
        file.write("line,field,reason,value,accepted\n")
        return file


def _told(fault: Fault) -> str:
    shown = fault.field in _SHOWN and not _personal(fault.value)
    return _plain(fault.value) if shown else shape(fault.value)


def shape(value: str) -> str:
    """What kind of characters stand where, so that a mistake can be seen and a person cannot: +7 (9… → +9 (9…."""
    return _plain("".join(map(_kind, value[:_LONGEST_VALUE])))


def _personal(value: str) -> bool:
    # A row out of step shows a number or an address where a region should be.
    return "@" in value or sum(map(str.isdecimal, value)) > len("2026-11-22") - 2


def _kind(letter: str) -> str:
    if letter.isdecimal():
        return "9"
    if letter.isalpha():
        return "a"
    return letter


def _plain(value: str) -> str:
    cut = value[:_LONGEST_VALUE] + ("…" if len(value) > _LONGEST_VALUE else "")
    visible = "".join(letter if unicodedata.category(letter)[0] != "C" else "�" for letter in cut)
    return f"'{visible}" if visible.startswith(("=", "+", "-", "@")) else visible
