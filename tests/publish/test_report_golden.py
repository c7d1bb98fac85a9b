"""What an auditor reads, and what a program reads, as reviewed: the report in three languages and its machine names."""

from __future__ import annotations

import csv
import io
import os
import re
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest

from statuspage.i18n import KNOWN_LOCALES, Moments
from statuspage.publish import report as words
from tests.publish.golden import FOLDER
from tests.publish.report_view import REPORT

MOSCOW = ZoneInfo("Europe/Moscow")
_LINES = {"h1", "h2", "h3", "p", "title", "tr", "br"}


class _Reader(HTMLParser):
    """A line for a row, its cells apart by a bar."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.silent = False

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        self.silent = self.silent or tag == "style"
        if tag in _LINES:
            self.parts.append("\n" + {"h2": "\n## ", "h3": "### "}.get(tag, ""))
        elif tag in {"td", "th"}:
            self.parts.append(" | ")

    def handle_endtag(self, tag: str) -> None:
        self.silent = self.silent and tag != "style"

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.parts.append(" ".join(data.split(" ")).replace("\n", " "))


def _page(locale: str) -> str:
    return words.html(REPORT, Moments(locale, MOSCOW, REPORT.as_of), "Demo Telecom").decode()


def _read(html: str) -> str:
    reader = _Reader()
    reader.feed(html)
    lines = (re.sub(r"[ \t]+", " ", line).strip().removeprefix("| ") for line in "".join(reader.parts).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _matches(name: str, text: str) -> None:
    path = FOLDER / f"report.{name}.txt"
    if os.environ.get("STATUSPAGE_TEST_UPDATE_GOLDEN") == "1":
        path.write_text(text + "\n", encoding="utf-8")
    assert text + "\n" == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
def test_the_report_reads_as_reviewed(locale: str) -> None:
    """Every word of the report is the reviewed one."""
    _matches(locale, _read(_page(locale)))


def test_machine_names_are_the_reviewed_ones() -> None:
    """Whoever reads the figures by name finds them under the same name: places in a list are written as *."""
    names = [row[0] for row in csv.reader(io.StringIO(words.to_csv(REPORT).decode()))][1:]
    _matches("figures", "\n".join(dict.fromkeys(re.sub(r"\.\d+\b", ".*", name) for name in names)))


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
def test_no_machine_word_is_read_by_a_person(locale: str) -> None:
    """Neither keys, nor ids of people, nor states as programs write them stand in the document."""
    text = _read(_page(locale))
    text = text.replace(REPORT.facts.audit_head, "").replace(REPORT.incident.public_id, "").replace("left00000001", "")
    assert re.findall(r"\b[a-z]+_[a-z_]+\b|\b(?:engineer|approver)0001\b|\btail\b|\breport:\w+", text) == []
    assert "Anna Orlova" in text
    assert "李伟" in text


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
def test_every_cell_says_its_column_on_a_phone(locale: str) -> None:
    """Where cells are stacked each carries its column's name, so that no table has to be cut or pushed sideways."""
    page = _page(locale)
    for table in re.findall(r"<table role=\"table\">.*?</table>", page, re.DOTALL):
        cells = re.findall(r"<td ([^>]*)>", table)
        assert [one for one in cells if "data-label=" not in one and one != 'role="cell"'] == []
    assert 'class="scroll"' not in page
