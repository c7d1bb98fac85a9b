"""People through the console: a file in, a file out, one person found and forgotten."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from statuspage.clock import FrozenClock
from statuspage.config import Settings
from statuspage.db import Sessions, transaction
from statuspage.i18n import gettext
from statuspage.models import AuditEntry, PeopleImport, Suppression
from statuspage.services import leases
from statuspage.services.actor import CLI
from statuspage.services.people_import_book import ImportBook
from statuspage.services.people_import_columns import COLUMNS, NO, YES
from statuspage.services.people_import_database import LEASE, LEASE_LENGTH
from statuspage.services.people_import_leftovers import UPLOADS
from statuspage.web.console import importing
from statuspage.web.console.importing import Task
from tests.web.site import MANY, Browser, people_file

pytestmark = pytest.mark.usefixtures("operator")
LogIn = Callable[[str], Browser]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch, sessions: Sessions, settings: Settings, clock: FrozenClock) -> None:
    """An upload is read before the answer, in this process."""
    monkeypatch.setattr(importing, "launch", lambda task: importing.run(task, sessions, settings, clock))


def _upload(browser: Browser, body: bytes, dry_run: str = "0") -> int:
    browser.get("/console/people")
    file = (io.BytesIO(body), "people.csv")
    return browser.post("/console/people/imports", {"file": file, "dry_run": dry_run}).status_code


@pytest.mark.usefixtures("at_once")
def test_a_file_is_checked_and_then_loaded(engineer: Browser, sessions: Sessions, tmp_path: Path) -> None:
    """The dry run changes nothing; the load counts; refused lines can be fetched; the upload is gone afterwards."""
    body = people_file(MANY) + b"A9,12,,,prepaid,moscow\n"
    assert _upload(engineer, body, dry_run="1") == 303
    assert "<b>0</b>lines" in engineer.get("/console/people").text
    assert _upload(engineer, body) == 303
    page = engineer.get("/console/people").text
    assert f"<b>{MANY}</b>lines" in page
    with transaction(sessions, read_only=True) as session:
        run = session.scalars(select(PeopleImport).order_by(PeopleImport.id.desc())).first()
        assert run is not None
    assert (run.rows_accepted, run.rows_refused, run.file_name) == (MANY, 1, "people.csv")
    with engineer.get(f"/console/people/imports/{run.public_id}/refused") as refused:
        lines = refused.get_data(as_text=True).splitlines()
    assert refused.headers["Content-Disposition"].startswith("attachment")
    assert lines[1].startswith(f"{MANY + 2},msisdn,")
    assert list((tmp_path / UPLOADS).iterdir()) == []


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("locale", ["ru", "zh", "en"])
def test_the_page_says_what_the_file_holds(engineer: Browser, locale: str) -> None:
    """Columns, the words for yes and no, this operator's segments and regions, and a sample that is taken as it is."""
    engineer.get("/console/people")
    engineer.post("/console/language", {"locale": locale, "next": "/console/people"})
    page = engineer.get("/console/people").text
    assert all(f"<code>{name}</code>" in page for name in (*COLUMNS, "prepaid", "pos_m2m", "moscow"))
    assert all(word in page for word in (*YES, *NO))
    sample = engineer.get("/console/people/sample.csv")
    assert sample.headers["Content-Disposition"].startswith("attachment")
    assert sample.data.count(b"\r\n") == 4
    assert _upload(engineer, sample.data, dry_run="1") == 303
    assert "<details>" in engineer.get("/console/people").text


WATCHED = 'hx-trigger="every 2s"'
REFRESHED = '<noscript><meta http-equiv="refresh" content="5;url=/console/people?since='


def test_an_import_is_watched_from_the_first_moment(
    engineer: Browser, monkeypatch: pytest.MonkeyPatch, sessions: Sessions, settings: Settings, clock: FrozenClock
) -> None:
    """The page that answers an upload looks again by itself, with a script or without, before the process has begun,
    while it reads, and no longer when it is done."""
    tasks: list[Task] = []
    monkeypatch.setattr(importing, "launch", tasks.append)
    calm = engineer.get("/console/people").text
    assert WATCHED not in calm
    assert REFRESHED not in calm
    engineer.post("/console/people/imports", {"file": (io.BytesIO(people_file(1)), "people.csv"), "dry_run": "0"})
    address = f"/console/people?since={int(clock.now().timestamp())}"
    waiting = engineer.get(address).text
    assert WATCHED in waiting
    assert REFRESHED in waiting
    assert "about to be read" in waiting
    part = engineer.get(address.replace("people?", "people/imports?"))
    assert WATCHED in part.text
    assert "HX-Refresh" not in part.headers
    importing.run(tasks[0], sessions, settings, clock)
    assert engineer.get(address.replace("people?", "people/imports?")).headers["HX-Refresh"] == "true"
    done = engineer.get(address).text
    assert WATCHED not in done
    assert "in force" in done


def test_a_file_that_nobody_began_to_read_is_said_so(
    engineer: Browser, monkeypatch: pytest.MonkeyPatch, clock: FrozenClock
) -> None:
    """When the process was refused or died before its first word, the page says so instead of waiting for ever."""
    monkeypatch.setattr(importing, "launch", lambda _task: None)
    assert _upload(engineer, people_file(1)) == 303
    address = f"/console/people?since={int(clock.now().timestamp())}"
    clock.advance(importing.BEGINS_WITHIN)
    page = engineer.get(address).text
    assert "Nobody began to read the file" in page
    assert WATCHED not in page


@pytest.mark.parametrize("locale", ["ru", "zh", "en"])
@pytest.mark.parametrize("dry_run", ["0", "1"])
def test_a_reader_that_was_killed_is_watched_no_longer(
    engineer: Browser,
    monkeypatch: pytest.MonkeyPatch,
    sessions: Sessions,
    clock: FrozenClock,
    dry_run: str,
    locale: str,
) -> None:
    """After a `kill -9` the page says that nobody reads the file and what to do, and stops looking again."""

    def killed(task: Task) -> None:
        held = None
        if not task.dry_run:
            with transaction(sessions) as session:
                held = leases.take(session, LEASE, "killed", LEASE_LENGTH, now=clock.now())
        ImportBook(sessions, CLI, held, clock).enter(task.name, 100)

    monkeypatch.setattr(importing, "launch", killed)
    address = f"/console/people?since={int(clock.now().timestamp())}"
    assert _upload(engineer, people_file(1), dry_run) == 303
    engineer.post("/console/language", {"locale": locale, "next": "/console/people"})
    assert WATCHED in engineer.get(address).text
    clock.advance(LEASE_LENGTH)
    page = engineer.get(address).text
    assert WATCHED not in page
    assert REFRESHED not in page
    assert gettext(locale, "console.people.state_abandoned") in page
    part = engineer.get(address.replace("people?", "people/imports?"))
    assert part.headers["HX-Refresh"] == "true"
    assert _upload(engineer, people_file(1), dry_run) == 303


@pytest.mark.usefixtures("at_once")
def test_a_file_of_which_nothing_was_taken_is_not_shown_as_in_force(engineer: Browser) -> None:
    """Its line says that all stays as it was, and offers the refused lines."""
    assert _upload(engineer, people_file(1).replace(b"prepaid", b"gold")) == 303
    page = engineer.get("/console/people").text
    assert "nothing taken, all stays as it was" in page
    assert "in force" not in page
    assert "Refused lines" in page


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("body", [b"", b"\x00\x01\x02", b"colour,size\nred,1\n"])
def test_a_file_that_is_none_is_refused_at_once(engineer: Browser, tmp_path: Path, body: bytes) -> None:
    """What is no subscriber file is refused in the form, and nothing of it stays."""
    assert _upload(engineer, body) == 422
    assert list((tmp_path / UPLOADS).iterdir()) == []


def test_the_import_runs_in_a_process_of_its_own(
    engineer: Browser, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The answer does not wait for the rows: the kept file is handed on, readable by us alone."""
    tasks: list[Task] = []
    monkeypatch.setattr(importing, "launch", tasks.append)
    assert _upload(engineer, people_file(1)) == 303
    (task,) = tasks
    assert Path(task.path).parent == tmp_path / UPLOADS
    assert Path(task.path).stat().st_mode & 0o777 == 0o600
    assert (task.name, task.dry_run) == ("people.csv", False)


@pytest.mark.usefixtures("told_people")
def test_a_person_is_found_and_forgotten(log_in: LogIn, sessions: Sessions) -> None:
    """Found by number; erasing says how much it touches; afterwards nobody is there and the address is blocked."""
    manager = log_in("manager")
    manager.get("/console/people")
    found = manager.post("/console/people/find", {"address": "8 916 100-00-01"})
    assert "p1@people.example" in found.text
    assert "Forget 1 contact, lines: 1" in found.text
    assert "Forgotten: contacts 1, lines 1" in manager.post("/console/people/erase", {"address": "+79161000001"}).text
    manager.get("/console/people")
    assert "Nobody is known by this" in manager.post("/console/people/find", {"address": "+79161000001"}).text
    with transaction(sessions, read_only=True) as session:
        assert {row.reason for row in session.scalars(select(Suppression))} == {"erased"}


@pytest.mark.usefixtures("told_people")
def test_a_copy_of_everybody_is_taken_on_record(log_in: LogIn, sessions: Sessions) -> None:
    """The export is a subscriber file again, and the audit knows who took it."""
    manager, engineer = log_in("manager"), log_in("engineer")
    manager.get("/console/people")
    copy = manager.post("/console/people/export", {"what": "lines"})
    assert copy.mimetype == "text/csv"
    assert len(copy.text.splitlines()) == MANY + 1
    with transaction(sessions, read_only=True) as session:
        assert "people.exported" in session.scalars(select(AuditEntry.action)).all()
    engineer.get("/console/people")
    assert engineer.post("/console/people/export", {"what": "lines"}).status_code == 403


def test_what_is_no_address_is_said_so(engineer: Browser) -> None:
    """A mistyped number is refused with its reason, and not echoed into a log or an address."""
    engineer.get("/console/people")
    answer = engineer.post("/console/people/find", {"address": "+7 12"})
    assert answer.status_code == 422
    assert "not a number of any plan" in answer.text
    assert answer.request.path == "/console/people/find"


def test_an_orphaned_upload_goes_with_the_next_one(
    engineer: Browser, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What a crash left behind does not stay: it holds people's numbers."""
    monkeypatch.setattr(importing, "launch", lambda _task: None)
    folder = tmp_path / UPLOADS
    folder.mkdir()
    orphan = folder / "left.csv"
    orphan.write_text("left")
    os.utime(orphan, (0, 0))
    _upload(engineer, people_file(1))
    assert not orphan.exists()


@pytest.mark.parametrize(
    ("locale", "said"), [("ru", "Не хватает столбцов"), ("zh", "缺少列"), ("en", "Columns are missing")]
)
def test_a_file_that_is_none_is_refused_in_the_readers_language(engineer: Browser, locale: str, said: str) -> None:
    """What is wrong with the file as a whole is said in words of the catalogue, with the columns by their names."""
    engineer.get("/console/people")
    engineer.post("/console/language", {"locale": locale})
    assert _upload(engineer, b"account_id,region\n1,moscow\n") == 422
    assert said in engineer.page
    assert "segment, msisdn / iccid" in engineer.page


@pytest.mark.usefixtures("at_once")
def test_what_changed_nothing_says_what_to_do(engineer: Browser, sessions: Sessions) -> None:
    """A file of which not one line is taken, checked or loaded, and one whose reading broke off, whose count of lines
    that were read is no figure of anything."""
    body = people_file(2).replace(b"prepaid", b"gold")
    for dry_run, said in (
        ("1", "checked only: nothing of it would be taken"),
        ("0", "mend the file and load it again"),
    ):
        _upload(engineer, body, dry_run)
        assert said in engineer.get("/console/people").text
    with transaction(sessions) as session:
        run = session.scalars(select(PeopleImport).order_by(PeopleImport.id.desc())).first()
        assert run is not None
        run.state, run.rows_accepted = "abandoned", 4711
    page = engineer.get("/console/people").text
    assert "4711" not in page
    assert "4\u202f711" not in page


def test_an_address_of_nobody_is_blocked_not_forgotten(log_in: LogIn) -> None:
    """Where there is nobody to forget, the page says what the button really does."""
    manager = log_in("manager")
    manager.get("/console/people")
    page = manager.post("/console/people/find", {"address": "nobody@example.org"}).text
    assert "Block this address" in page
    assert "Forget this person" not in page
    assert "Nobody was told there" in manager.post("/console/people/erase", {"address": "nobody@example.org"}).text
