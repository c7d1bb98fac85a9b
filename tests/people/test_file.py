"""How a subscriber file is recognised and read."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator

import pytest

from statuspage.domain.errors import RuleError
from statuspage.services.people_import_file import LINE_LIMIT, PeopleFile

ENGLISH = "account_id,msisdn,segment,region\nA1,+79161234567,prepaid,moscow\n"
RUSSIAN = "Лицевой счёт;Телефон;Сегмент;Регион\r\nA1;+79161234567;prepaid;Москва\r\n"
CHINESE = "账户\t手机号\t客群\t地区\nA1\t+79161234567\tprepaid\tmoscow\n"


def read(body: bytes) -> tuple[PeopleFile, list[list[str]], list[tuple[int, str]]]:
    refused: list[tuple[int, str]] = []
    file = PeopleFile(io.BytesIO(body))
    return file, list(file.rows(lambda line, reason: refused.append((line, reason)))), refused


@pytest.mark.parametrize(
    ("body", "encoding", "separator"),
    [
        (ENGLISH.encode(), "utf-8", ","),
        (ENGLISH.encode("utf-8-sig"), "utf-8-sig", ","),
        (ENGLISH.encode("utf-16"), "utf-16", ","),
        (b"\xfe\xff" + ENGLISH.encode("utf-16-be"), "utf-16", ","),
        (RUSSIAN.encode(), "utf-8", ";"),
        (RUSSIAN.encode("windows-1251"), "windows-1251", ";"),
        (CHINESE.encode("utf-8-sig"), "utf-8-sig", "\t"),
        (CHINESE.encode("gb18030"), "gb18030", "\t"),
    ],
)
def test_encodings_and_separators(body: bytes, encoding: str, separator: str) -> None:
    """BOM, UTF-16, Windows-1251 and GB18030, comma, semicolon and tab are recognised; the cells come out the same."""
    file, rows, refused = read(body)
    assert (file.layout.encoding, file.layout.separator) == (encoding, separator)
    assert set(file.layout.columns) == {"account_id", "msisdn", "segment", "region"}
    assert [one[:3] for one in rows] == [["A1", "+79161234567", "prepaid"]]
    assert refused == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "people_file.empty"),
        (ENGLISH.encode("utf-16-le"), "people_file.utf16_unmarked"),
        (RUSSIAN.encode("koi8-r"), "people_file.unknown_header"),
        (b"PK\x03\x04rest of a workbook", "people_file.not_csv"),
        (b"A1,+79161234567,prepaid,moscow\n", "people_file.unknown_header"),
        (b"account_id,msisdn,segment\nA1,+79161234567,prepaid\n", "people_file.columns_missing"),
        (b"account_id,account,msisdn,segment,region\n", "people_file.column_twice"),
        (ENGLISH.replace("\n", "\r").encode(), "people_file.no_line_ends"),
        (b"account_id\0,msisdn,segment,region\n", "people_file.nul_byte"),
    ],
)
def test_refused_by_name(body: bytes, code: str) -> None:
    """What is no such file is refused with a word for what it is, and nobody's number is repeated."""
    with pytest.raises(RuleError) as caught:
        PeopleFile(io.BytesIO(body))
    assert caught.value.code == code
    assert "79161234567" not in str(caught.value)


def test_unknown_columns_are_named() -> None:
    """Columns nobody knows are ignored and named."""
    file, rows, _ = read(b"account_id,msisdn,tariff,segment,region\nA1,+79161234567,Max,prepaid,moscow\n")
    assert file.layout.unknown == ("tariff",)
    assert rows == [["A1", "+79161234567", "Max", "prepaid", "moscow"]]


def test_nul_bytes_cost_their_line() -> None:
    """A NUL byte refuses its own line, by number; the neighbours are read."""
    _, rows, refused = read(f"{ENGLISH}A2,+7916\x00,prepaid,moscow\nA3,,prepaid,moscow\n".encode())
    assert [one[0] for one in rows] == ["A1", "A3"]
    assert refused == [(3, "nul_byte")]


def test_a_field_has_64_kb() -> None:
    """A field of 64 kB is read, a longer one refuses its row."""
    fits, exceeds = "x" * 65_536, "y" * 65_537
    _, rows, refused = read(f"{ENGLISH}{fits},1,2,3\n{exceeds},1,2,3\nA4,1,2,3\n".encode())
    assert [len(one[0]) for one in rows] == [2, 65_536, 2]
    assert refused == [(4, "field_too_long")]


@pytest.mark.parametrize("following", [3, 5_000])
@pytest.mark.parametrize("open_line", ['"A2,+79161234567,prepaid,moscow', 'A2,+79161234567,"prepaid,moscow'])
def test_a_quote_left_open_costs_its_own_line(open_line: str, following: int) -> None:
    """Every other line is read, however far the quote would reach, and the refusal names the line and the quote."""
    lines = "".join(f"A{n},+79161234567,prepaid,moscow\n" for n in range(following))
    _, rows, refused = read(f"{ENGLISH}{open_line}\n{lines}".encode())
    assert refused == [(3, "open_quote")]
    assert [row[0] for row in rows[1:]] == [f"A{n}" for n in range(following)]


def test_two_open_quotes_do_not_close_each_other() -> None:
    """What stands between two stray quotes is no cell: both lines are refused, the one between is read."""
    lines = 'A2,"1,p,m\nA3,1,p,m\nA4,1",p,m\nA5,1,p,m\n'
    _, rows, refused = read(f"{ENGLISH}{lines}".encode())
    assert refused == [(3, "open_quote")]
    assert [row[0] for row in rows[1:]] == ["A3", "A4", "A5"]


def test_a_cell_may_hold_line_ends() -> None:
    """A quoted cell with a line break is one row, numbered by its first line."""
    file = PeopleFile(io.BytesIO(b'account_id,msisdn,note,segment,region\nA1,1,"two\nlines",p,m\nA2,2,x,p,m\n'))
    seen = [(file.row_line, cells[0]) for cells in file.rows(lambda *_: None)]
    assert seen == [(2, "A1"), (4, "A2")]


class Endless(io.RawIOBase):
    """A header, then a line of `size` bytes without an end, then one more row; made while it is read."""

    def __init__(self, size: int) -> None:
        self._parts = self._made(size)
        self._rest = b""

    def _made(self, size: int) -> Iterator[bytes]:
        yield ENGLISH.encode()
        for _ in range(size // 65_536):
            yield b"z" * 65_536
        yield b"\nA9,+79161234567,prepaid,moscow\n"

    def read(self, size: int = -1) -> bytes:
        while len(self._rest) < size and (part := next(self._parts, b"")):
            self._rest += part
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken


def test_an_80_mb_line_costs_no_memory() -> None:
    """A line of 80 MB streams by in bounded memory, is refused by number, and the next one is read."""
    refused: list[tuple[int, str]] = []
    tracemalloc.start()
    file = PeopleFile(Endless(80_000_000))  # type: ignore[arg-type]
    rows = list(file.rows(lambda line, reason: refused.append((line, reason))))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [one[0] for one in rows] == ["A1", "A9"]
    assert refused == [(3, "line_too_long")]
    assert peak < 12 * LINE_LIMIT
