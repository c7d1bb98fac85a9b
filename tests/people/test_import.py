"""What an import makes of the rows of a file."""

from __future__ import annotations

import csv
import os
import stat
import sys
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import func, select

from statuspage.db import transaction
from statuspage.domain.errors import NotAllowed, RuleError
from statuspage.models import Account, AuditEntry, Contact, Installation, Line, PeopleImport, Subscription
from statuspage.services import people_import_run
from statuspage.services.actor import CLI, PUBLIC
from statuspage.services.people_import import Source, import_people
from statuspage.services.people_import_book import ImportBook
from statuspage.services.people_import_columns import ACCEPTED
from statuspage.services.people_import_leftovers import UPLOADS, sweep
from statuspage.services.people_import_purge import tend_imports
from statuspage.services.people_import_refused import RefusedLines
from tests.people.crowd import ICCID, Crowd, Seen, file, row, subscriptions


def test_a_line_and_its_contact(crowd: Crowd) -> None:
    """A row is one line of an account and the contact who is told; every column arrives."""
    result = crowd.load(
        file(row(email="Anna@Example.org", language="zh-CN", balance="-12.50", currency="RUB", paid_until="2026-12-01"))
    )
    assert result.counts.accepted == 1
    assert crowd.seen() == [Seen("A1", "+79161234567", "prepaid", "zh", "+79161234567", "anna@example.org")]
    with transaction(crowd.sessions, read_only=True) as session:
        line = session.scalars(select(Line)).one()
        assert (line.balance, line.currency, line.paid_until) == (Decimal("-12.50"), "RUB", date(2026, 12, 1))
        assert line.time_zone is None


def test_a_terminal_is_never_told(crowd: Crowd) -> None:
    """The number of a machine line is nobody's to text; its contact is, and without one nobody is."""
    crowd.load(
        file(
            row("P1", "+79161111111", segment="pos_m2m", contact_msisdn="89162222222"),
            row("P2", "", iccid=ICCID, segment="pos_m2m"),
        )
    )
    assert crowd.seen() == [
        Seen("P1", "+79161111111", "pos_m2m", "ru", "+79162222222", None),
        Seen("P2", ICCID, "pos_m2m", "ru", None, None),
    ]


def test_consents(crowd: Crowd) -> None:
    """Nothing said is a contract's notice, 1 is consent, 0 is a refusal; a channel without an address has no row."""
    crowd.load(
        file(
            row("A1", "+79161111111", email="a@example.org", consent_sms="1", consent_email="0"),
            row("A2", "+79162222222"),
        )
    )
    with transaction(crowd.sessions, read_only=True) as session:
        assert subscriptions(session, "+79161111111") == {"sms": ("active", "consent"), "email": ("refused", "consent")}
        assert subscriptions(session, "+79162222222") == {"sms": ("active", "contract")}


@pytest.mark.parametrize(
    ("word", "stored"),
    [
        *((word, ("active", "consent")) for word in ("1", "yes", "Yes", "TRUE", "да", "Да", "ДА", "дА", " да ", "是")),
        *((word, ("refused", "consent")) for word in ("0", "no", "No", "FALSE", "нет", "Нет", "НЕТ", "нЕт", "否")),
    ],
)
def test_consents_as_people_write_them(crowd: Crowd, word: str, stored: tuple[str, str]) -> None:
    """Yes and no are read in three languages and in any case."""
    result = crowd.load(file(row(email="a@example.org", consent_sms=word, consent_email=word)))
    assert result.counts.refused == 0
    with transaction(crowd.sessions, read_only=True) as session:
        assert subscriptions(session, "+79161234567") == {"sms": stored, "email": stored}


def test_a_refusal_says_what_is_accepted(crowd: Crowd) -> None:
    """Whoever wrote "согласен" reads in the same line which words are read."""
    result = crowd.load(file(row(), row("A2", consent_sms="согласен")))
    (told,) = csv.reader(crowd.refused(result))
    assert {"да", "нет", "yes", "no", "是", "否", "1", "0"} <= set(told[4].replace(",", "").split())


def test_every_fault_of_a_line_is_listed(crowd: Crowd) -> None:
    """A line with many faults is one refused line, and each of its faults has a row, so that all is mended at once."""
    wrong = row(
        "", "12", email="anna", iccid="1", contact_msisdn="x", language="по-русски", segment="gold", region="",
        time_zone="Mars/Base", balance="much", paid_until="soon", consent_sms="maybe", consent_email="?",
    )  # fmt: skip
    result = crowd.load(file(row("B1"), wrong, row("B2", "+79165555555", segment="gold", balance="1")))
    assert (result.counts.accepted, result.counts.refused) == (1, 2)
    told = [(line, field, reason) for line, field, reason, *_ in csv.reader(crowd.refused(result))]
    assert [field for line, field, _ in told if line == "3"] == [
        "account_id", "segment", "region", "time_zone", "language", "msisdn", "iccid", "contact_msisdn", "email",
        "balance", "currency", "paid_until", "consent_sms", "consent_email",
    ]  # fmt: skip
    assert ("3", "region", "missing") in told
    assert [(field, reason) for line, field, reason in told if line == "4"] == [
        ("segment", "unknown"),
        ("currency", "missing"),
    ]


def test_upsert(crowd: Crowd) -> None:
    """A second file replaces the lines it names, by account and number, and leaves the others as they are."""
    crowd.load(file(row("A1", "+79161111111"), row("A2", "+79162222222"), row("A1", "+79163333333")))
    crowd.load(file(row("A1", "89161111111", language="en", segment="business"), row("A3", "+79164444444")))
    assert crowd.seen() == [
        Seen("A1", "+79161111111", "business", "en", "+79161111111", None),
        Seen("A1", "+79163333333", "prepaid", "ru", "+79163333333", None),
        Seen("A2", "+79162222222", "prepaid", "ru", "+79162222222", None),
        Seen("A3", "+79164444444", "prepaid", "ru", "+79164444444", None),
    ]


def test_replaced_rows_are_purged(crowd: Crowd) -> None:
    """What a later generation replaced is deleted afterwards, lines, contacts and subscriptions alike."""
    crowd.load(file(row("A1", "+79161111111"), row("A2", "+79162222222")))
    crowd.load(file(row("A1", "+79161111111", language="en")))
    before = crowd.seen()
    tend_imports(crowd.sessions, crowd.clock)
    assert crowd.seen() == before
    with transaction(crowd.sessions, read_only=True) as session:
        for table in (Line, Contact, Subscription):
            assert session.scalar(select(func.count()).select_from(table)) == 2
        assert set(session.scalars(select(PeopleImport.purged))) == {True}


def test_repeated_lines(crowd: Crowd) -> None:
    """Of a line that the file names twice the first counts; the others are counted and named by number."""
    result = crowd.load(file(row("A1"), row("A1", "8 (916) 123-45-67", language="en"), row("A2")))
    assert (result.counts.accepted, result.counts.duplicate, result.counts.refused) == (2, 1, 0)
    assert crowd.refused(result) == ["3,,repeats_an_earlier_line,,"]
    assert {one.language for one in crowd.seen()} == {"ru"}


@pytest.mark.parametrize(
    ("cells", "refusal"),
    [
        ({"msisdn": "=cmd|' /C calc'!A0"}, "2,msisdn,formula,'=aaa|' /a aaaa'!a9"),
        ({"account": "=1+1"}, "2,account_id,formula,'=9+9"),
        ({"account": "@SUM(A1)"}, "2,account_id,formula,'@aaa(a9)"),
        ({"msisdn": "7.91612E+10"}, "2,msisdn,scientific_notation,9.99999a+99"),
        ({"msisdn": "12"}, "2,msisdn,not_a_number,99"),
        ({"msisdn": ""}, "2,msisdn,missing,"),
        ({"msisdn": "", "iccid": ICCID[:-1] + "2"}, "2,iccid,bad_check_digit,99999999999999999999"),
        ({"email": "anna(at)example.org"}, "2,email,not_an_email,aaaa(aa)aaaaaaa.aaa"),
        ({"segment": "gold"}, "2,segment,unknown,gold"),
        ({"region": "79161234567"}, "2,region,unknown,99999999999"),
        ({"time_zone": "Mars/Base"}, "2,time_zone,unknown,Mars/Base"),
        ({"balance": "12"}, "2,currency,missing,"),
        ({"balance": "1e5", "currency": "RUB"}, "2,balance,scientific_notation,9a9"),
        ({"paid_until": "01/02/2026"}, "2,paid_until,not_a_date,01/02/2026"),
        ({"paid_until": "2026-02-30"}, "2,paid_until,not_a_date,2026-02-30"),
        ({"consent_sms": "maybe"}, "2,consent_sms,not_yes_or_no,maybe"),
        ({"consent_email": "2"}, "2,consent_email,not_yes_or_no,2"),
        ({"language": "по-русски"}, "2,language,not_a_language_code,по-русски"),
        ({"account": ""}, "2,account_id,missing,"),
        ({"account": "A\ufffd1"}, "2,account_id,broken_encoding,a�9"),
    ],
)
def test_refused_lines(crowd: Crowd, cells: dict[str, str], refusal: str) -> None:
    """A wrong cell refuses its line with number, field and reason; a personal value is shown by its shape only."""
    result = crowd.load(file(row(**cells), row("B1", "+79165555555")))
    (told,) = csv.reader(crowd.refused(result))
    assert told[:4] == refusal.split(",")
    assert told[4] == ACCEPTED[told[1]]
    assert (result.counts.accepted, result.counts.refused) == (1, 1)
    assert [one.account for one in crowd.seen()] == ["B1"]


def test_numbers_and_decimals_as_people_write_them(crowd: Crowd) -> None:
    """A number without a country is of the default region; a decimal comma is read, "1,234" is not guessed at."""
    header = "Лицевой счёт;Номер;Сегмент;Регион;Баланс;Валюта;Оплачено до\r\n"
    body = "A1;9161234567;prepaid;Москва;1 234,50;RUB;01.12.2026\r\nA2;+79162222222;PREPAID;урал;1,234;RUB;\r\n"
    result = crowd.load((header + body).encode("windows-1251"))
    assert crowd.refused(result) == ['3,balance,not_a_decimal,"9,999","1234.50, 1 234,50 or -12.5"']
    with transaction(crowd.sessions, read_only=True) as session:
        line = session.scalars(select(Line)).one()
        assert (line.key, line.balance, line.paid_until) == ("+79161234567", Decimal("1234.50"), date(2026, 12, 1))


def test_rows_of_another_width(crowd: Crowd) -> None:
    """A row with a cell too many or too few is refused, not shifted."""
    result = crowd.load(file(row(), row("A2") + ",more", "A3,+79161234567"))
    assert crowd.refused(result) == ["3,,too_many_cells,,", "4,,too_few_cells,,"]


def test_the_refused_file_is_private_and_expires(crowd: Crowd) -> None:
    """Refused lines are readable by the owner only and deleted after seven days."""
    result = crowd.load(file(row(), row(msisdn="12")))
    path = Path(str(result.refused_path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    crowd.clock.advance(timedelta(days=6))
    sweep(crowd.sessions, crowd.settings, crowd.clock)
    assert path.exists()
    crowd.clock.advance(timedelta(days=1))
    sweep(crowd.sessions, crowd.settings, crowd.clock)
    assert not path.exists()
    with transaction(crowd.sessions, read_only=True) as session:
        assert session.scalars(select(PeopleImport.refused_path)).one() is None


def test_a_killed_import_leaves_no_file_for_ever(crowd: Crowd) -> None:
    """Its refused lines go seven days after its last sign of life, what the console was sent after a day, and a file
    that belongs to no import at once; those of an import that runs stay."""
    left = ImportBook(crowd.sessions, CLI, None, crowd.clock).enter("people.csv", 0)
    lines = RefusedLines.of(crowd.settings, left.public_id)
    lines.add(2, "nul_byte")
    lines.close()
    stray = lines.path.with_stem("nobodys")
    stray.touch()
    uploads = crowd.settings.data_dir / UPLOADS
    uploads.mkdir()
    for name, age in (("old", timedelta(days=1, minutes=1)), ("new", timedelta(hours=1))):
        (uploads / f"{name}.csv").touch()
        at = (crowd.clock.now() - age).timestamp()
        os.utime(uploads / f"{name}.csv", (at, at))
    sweep(crowd.sessions, crowd.settings, crowd.clock)
    assert [path.name for path in uploads.iterdir()] == ["new.csv"]
    assert (lines.path.exists(), stray.exists()) == (True, False)
    crowd.clock.advance(timedelta(days=7))
    crowd.load(file(row()))
    assert not lines.path.exists()


def test_refused_lines_are_in_the_order_of_the_file(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is wrong with them and whenever that is found out: a repeated line when it is stored, a broken one
    before it is a row. No more than a few rounds of them are held in memory."""
    most, write = [0], RefusedLines.write

    def watched(lines: RefusedLines, through: int = sys.maxsize) -> None:
        most.append(len(lines.waiting))
        write(lines, through)

    monkeypatch.setattr(people_import_run, "ROUND", 20)
    monkeypatch.setattr(people_import_run, "MOST_REFUSED", 50)
    monkeypatch.setattr(RefusedLines, "write", watched)
    wrong = (row(), row(segment="gold"), f"{row()}\0", row("A2", region=""), f'"{row()}')
    taken = [row(f"B{number}") for number in range(100)]
    result = crowd.load(file(row(), *taken, *[f"{row()}\0"] * 200, *wrong * 20))
    told = [int(line.partition(",")[0]) for line in crowd.refused(result)]
    assert told == list(range(103, 103 + 100 + 200))
    assert (result.counts.accepted, result.counts.refused, result.counts.duplicate) == (101, 280, 20)
    assert max(most) <= 80


def test_a_file_of_which_nothing_was_taken_is_not_in_force(crowd: Crowd) -> None:
    """When every line is refused, or there is none, the import fails, says why, and changes nothing."""
    crowd.load(file(row()))
    before = crowd.seen()
    with pytest.raises(RuleError, match=r"every line is refused \(2\), and .+\.csv says why") as caught:
        crowd.load(file(row("A1", segment="gold"), row("A2", segment="gold")))
    assert caught.value.code == "people_import.nothing_taken"
    with pytest.raises(RuleError, match="no lines but the header"):
        crowd.load(file())
    assert crowd.load(file(row(segment="gold")), dry_run=True).counts.refused == 1
    assert crowd.seen() == before
    with transaction(crowd.sessions, read_only=True) as session:
        runs = list(session.scalars(select(PeopleImport).order_by(PeopleImport.id)))
        assert [run.state for run in runs] == ["visible", "failed", "failed", "dry_run"]
        assert [run.rows_refused for run in runs] == [0, 2, 0, 1]
        assert runs[1].refused_path is not None
        assert len(Path(runs[1].refused_path).read_text(encoding="utf-8").splitlines()) == 3
        assert session.scalars(select(Installation.generation)).one() == runs[0].generation


def test_dry_run(crowd: Crowd) -> None:
    """A dry run counts and writes the refused lines down, and stores nobody."""
    result = crowd.load(file(row(), row(), row(msisdn="12")), dry_run=True)
    assert (result.counts.accepted, result.counts.duplicate, result.counts.refused) == (1, 1, 1)
    assert len(crowd.refused(result)) == 2
    with transaction(crowd.sessions, read_only=True) as session:
        for table in (Account, Line, Contact, Subscription):
            assert session.scalar(select(func.count()).select_from(table)) == 0
        assert session.scalars(select(Installation.generation)).one() == 0
        assert session.scalars(select(PeopleImport.state)).one() == "dry_run"


def test_permission_and_audit(crowd: Crowd) -> None:
    """Who may not import is refused before anything is read; who did stands in the audit, without an address."""
    with pytest.raises(NotAllowed), Path(__file__).open("rb") as stream:
        import_people(crowd.sessions, PUBLIC, Source(stream, "x", 0), crowd.settings, crowd.clock)
    crowd.load(file(row()))
    with transaction(crowd.sessions, read_only=True) as session:
        entries = list(session.scalars(select(AuditEntry).order_by(AuditEntry.id)))
        assert [entry.action for entry in entries] == ["people_import.started", "people_import.visible"]
        assert entries[1].detail == {"accepted": 1, "refused": 0, "duplicate": 0}


def test_a_file_that_is_none_leaves_no_trace(crowd: Crowd) -> None:
    """A file refused as a whole makes no run, no rows and no lease."""
    with pytest.raises(RuleError, match="columns are missing"):
        crowd.load("account_id,msisdn\nA1,+79161234567\n")
    with transaction(crowd.sessions, read_only=True) as session:
        assert session.scalar(select(func.count()).select_from(PeopleImport)) == 0
    assert crowd.load(file(row())).counts.accepted == 1
