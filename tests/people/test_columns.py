"""What we say about the subscriber file is what the importer reads."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from statuspage.db import transaction
from statuspage.i18n import KNOWN_LOCALES, catalogue, gettext
from statuspage.services.people_import_columns import COLUMNS, NO, TABLE, YES, Need, column
from statuspage.services.people_import_file import FIELD_LIMIT, LINE_LIMIT, SEPARATORS
from statuspage.services.people_import_refused import KEPT
from statuspage.services.people_import_sample import sample_file
from tests.people.crowd import ICCID, Crowd, file, row

GUIDE = (Path(__file__).parents[2] / "docs" / "subscribers.md").read_text(encoding="utf-8")


def test_the_guide_lists_the_columns_as_they_are() -> None:
    """docs/subscribers.md has the table of columns, word for word, and no column besides."""
    rows = [line for line in GUIDE.splitlines() if line.startswith("| `")]
    told = [f"| `{one.name}` | {one.need.value} | {one.accepted} | {', '.join(one.other_names)} |" for one in TABLE]
    assert rows == told


def test_the_guide_says_how_the_file_is_written() -> None:
    """Separators, encodings, and how long refused lines are kept."""
    names = {",": "comma", ";": "semicolon", "\t": "tab", "|": "`|`"}
    assert all(names[separator] in GUIDE for separator in SEPARATORS)
    assert all(name in GUIDE for name in ("UTF-8", "UTF-16", "Windows-1251", "GB18030"))
    assert KEPT.days == 7
    assert "seven days" in GUIDE


def test_the_guides_example_is_read(crowd: Crowd) -> None:
    """Only the segment that this operator lacks is refused."""
    found = re.search(r"```csv\n(.*?)```", GUIDE, re.DOTALL)
    assert found is not None
    result = crowd.load(found[1])
    assert [line.split(",")[:3] for line in crowd.refused(result)] == [["3", "segment", "unknown"]]
    assert result.counts.accepted == 1


def test_the_guides_refused_lines_are_what_the_importer_writes(crowd: Crowd) -> None:
    """The example of refused lines comes of such a file, letter for letter."""
    found = re.search(r"```text\n(line,field,reason.*?)```", GUIDE, re.DOTALL)
    assert found is not None
    wrong = row("1002", "+12015550102", email="anna.example.com", segment="gold")
    card = row("M-7", "", iccid=f"{ICCID[:-1]}6", segment="pos_m2m")
    good = row("1001", "+12015550101")
    result = crowd.load(file(good, wrong, card, good))
    assert crowd.refused(result) == found[1].splitlines()[1:]


WRONG = (
    row("", "+12015550111"),
    row("W1", "+12015550112", segment="gold"),
    row("W2", "+12015550113", email=f"{'a' * 260}@example.com"),
    row("W3", "12"),
    row("W4", "+999123456789"),
    row("W5", "+12015550114", email="anna.example.com"),
    row("W6", "+12015550115", email="анна@example.com"),
    row("W7", "", iccid="8970101"),
    row("W8", "", iccid=f"{ICCID[:-1]}6"),
    row("W 9", "+12015550116"),
    row("W10", "+12015550117", balance="1", currency="roubles"),
    row("W11", "+12015550118", language="Russian!"),
    row("W12", "+12015550119", balance='"1,234"', currency="RUB"),
    row("W13", "+12015550120", paid_until="soon"),
    row("W14", "+12015550121", consent_sms="maybe"),
    row("W15", "7.9E+10"),
    row("W16", "=A1+B2"),
    row("W17", "+12015550122", email="\ufffd@example.com"),
    "W18,+12015550123",
    row("W19", "+12015550124") + ",,",
    row("W20", "+12015550125", email='"anna@example.com'),
    row("W21", f'"{"9" * (FIELD_LIMIT + 1)}"'),
    row("W22", "9" * (LINE_LIMIT + 1)),
    row("W23", "+1201555\x000126"),
    row("W24", "+1201555\r0127"),
    row("W25", "+12015550128"),
    row("W25", "+12015550128"),
)


def test_the_guide_explains_every_reason(crowd: Crowd) -> None:
    """Whatever a refused line can say stands in the guide, and nothing besides."""
    said = {line.split(",")[2] for line in crowd.refused(crowd.load(file(*WRONG)))}
    rows = [line.split("|")[1] for line in GUIDE.splitlines() if line.startswith("| ") and line.count("|") == 3]
    told = {word for cell in rows for word in re.findall(r"\w+", cell)} - {"reason"}
    assert said == told


def test_the_sample_is_imported_as_it_is(crowd: Crowd) -> None:
    """Every line of the file we offer is taken: two people and a terminal, with every column."""
    with transaction(crowd.sessions, read_only=True) as session:
        sample = sample_file(session, crowd.settings)
    assert tuple(next(csv.reader(sample.splitlines()))) == COLUMNS
    result = crowd.load(sample)
    assert (result.counts.accepted, result.counts.refused) == (3, 0)
    assert [one.segment for one in crowd.seen()] == ["prepaid", "business", "pos_m2m"]
    assert [one.sms for one in crowd.seen()] == ["+12015550101", "+12015550102", "+12015550109"]


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
def test_the_page_describes_every_column(locale: str) -> None:
    """Each column has words in each language, and says so when it is needed."""
    words = catalogue(locale)
    assert {f"console.people.column_{name}" for name in COLUMNS} <= set(words)
    assert {f"console.people.need_{need.name.lower()}" for need in Need if need is not Need.NO} <= set(words)


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
def test_names_that_the_page_gives_as_examples_are_read(locale: str) -> None:
    """A header that the page says is understood, is."""
    lead = gettext(locale, "console.people.columns_lead")
    named = re.findall(r"[«“]([^»”]+)[»”]", lead)
    assert named
    assert [name for name in named if column(name) is None] == []


def test_a_column_has_one_meaning() -> None:
    """No header is read as two columns, and no word as both yes and no."""
    names = [name for one in TABLE for name in (one.name, *one.other_names)]
    assert len(names) == len(set(names))
    assert not set(YES) & set(NO)
