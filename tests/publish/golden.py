"""Golden files: the words a customer reads, kept as text, so that a change of words is reviewed as words.

STATUSPAGE_TEST_UPDATE_GOLDEN=1 writes them anew.
"""

from __future__ import annotations

import os
import re
from html.parser import HTMLParser
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "golden"
_BLOCKS = {"p", "li", "h1", "h2", "h3", "dt", "dd", "header", "footer", "nav", "title", "section"}
_SILENT = {"style", "script", "svg"}


def matches(name: str, text: str) -> None:
    """`text` is what the file `public_<name>.txt` says."""
    path = FOLDER / f"public_{name}.txt"
    tidy = text.strip() + "\n"
    if os.environ.get("STATUSPAGE_TEST_UPDATE_GOLDEN") == "1":
        path.write_text(tidy, encoding="utf-8")
    assert tidy == path.read_text(encoding="utf-8")


def visible(html: bytes) -> str:
    """What a reader without styles and pictures reads, a line a block; a drawing is its text."""
    reader = _Reader()
    reader.feed(html.decode())
    lines = (re.sub(r"\s+", " ", line).strip() for line in "".join(reader.parts).split("\n"))
    return "\n".join(line for line in lines if line)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS or tag == "br":
            self.parts.append("\n")
        if tag in _SILENT:
            self.silent += 1
        label = dict(attrs).get("aria-label")
        if label and tag == "svg":
            self.parts.append(f"\n[{label}]\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _BLOCKS:
            self.parts.append("\n")
        if tag in _SILENT:
            self.silent -= 1

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.parts.append(data)
