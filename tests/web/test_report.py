"""The report and the review in the console: found in the room, read in three languages, handed in, published."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from statuspage.clock import FrozenClock
from statuspage.db import Sessions, transaction
from statuspage.domain.component import ComponentState
from statuspage.domain.incident import IncidentState
from statuspage.models import AuditEntry, Component, Incident
from tests.web.site import Browser, declare

pytestmark = pytest.mark.usefixtures("operator")
LogIn = Callable[[str], Browser]
MINUTE = timedelta(minutes=1)


def _tell(browser: Browser, room: str, kind: str, **said: object) -> None:
    address = f"{room}/tell/{kind}"
    browser.get(address)
    answer = browser.post(address, {**browser.filled(address), **said})
    assert answer.status_code == 303, answer.text


def _resolved(browser: Browser, clock: FrozenClock) -> str:
    """The address of a room whose incident is over."""
    room = f"/console/incidents/{declare(browser)}"
    for kind in ("restore", "resolve"):
        clock.advance(MINUTE)
        _tell(browser, room, kind, **({"override": "Figures come by letter tomorrow."} if kind == "resolve" else {}))
    return room


def test_the_room_leads_to_the_report_in_every_form(engineer: Browser, clock: FrozenClock) -> None:
    """Each link in the room of a resolved incident answers: three languages, JSON, CSV."""
    room = _resolved(engineer, clock)
    links = re.findall(rf'href="({re.escape(room)}/report[^"]*)"', engineer.get(room).text)
    assert len(set(links)) == 5
    for locale, tag in (("ru", "ru"), ("zh", "zh-Hans"), ("en", "en")):
        answer = engineer.get(f"{room}/report?locale={locale}")
        assert answer.status_code == 200
        assert f'<html lang="{tag}">' in answer.text
        assert answer.headers["Content-Language"] == tag
    figures = json.loads(engineer.get(f"{room}/report.json").data)
    rows = dict(csv.reader(io.StringIO(engineer.get(f"{room}/report.csv").text)))
    assert rows["incident"] == figures["incident"] == room.rpartition("/")[2]
    assert engineer.get(f"{room}/report.pdf").status_code == 404


def test_the_report_brings_its_own_style_and_nothing_else(engineer: Browser, clock: FrozenClock) -> None:
    """The policy of the page allows its one style by hash, no script and no other source."""
    answer = engineer.get(f"{_resolved(engineer, clock)}/report")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "script-src" not in policy
    assert "<script" not in answer.text


def test_a_report_is_handed_in_once(engineer: Browser, clock: FrozenClock, sessions: Sessions) -> None:
    """Whoever hands it in says so in the room; the clock stops, and the audit keeps which head the chain had."""
    room = _resolved(engineer, clock)
    assert "Report: internal" in engineer.get(room).text
    assert engineer.post(f"{room}/report/filed", {"report": "internal"}).status_code == 303
    page = engineer.get(room).text
    assert "Has been handed in" not in page
    assert engineer.post(f"{room}/report/filed", {"report": "horoscope"}).status_code == 422
    with transaction(sessions, read_only=True) as session:
        (entry,) = session.scalars(select(AuditEntry).where(AuditEntry.action == "report.filed")).all()
        assert entry.detail["report"] == "internal"
        assert entry.detail["head"] == entry.previous_hash


def test_the_review_comes_after_resolving(log_in: LogIn, clock: FrozenClock, sessions: Sessions) -> None:
    """The next act of a resolved incident is the review; a manager publishes it, an engineer is told who does."""
    engineer, manager = log_in("engineer"), log_in("manager")
    room = _resolved(engineer, clock)
    assert "A manager writes and publishes it." in engineer.get(room).text
    assert f'class="button first" href="{room}/tell/postmortem"' in manager.get(room).text
    clock.advance(MINUTE)
    said = {"body.ru": "Диск переполнился.", "body.zh": "磁盘已满。", "body.en": "A disk was full."}
    _tell(manager, room, "postmortem", **said)
    with transaction(sessions, read_only=True) as session:
        assert session.scalars(select(Incident.state)).one() is IncidentState.POSTMORTEM
    page = manager.get(room).text
    assert "A disk was full." in page
    assert "tell/postmortem" not in page
    assert "磁盘已满。" in manager.get(f"{room}/report?locale=zh").text


def test_a_reopening_says_what_becomes_of_the_services(
    engineer: Browser, clock: FrozenClock, sessions: Sessions
) -> None:
    """The form names each as bad as it was instead of "normal"; what a person changes there stays changed."""
    room = _resolved(engineer, clock)
    address = f"{room}/tell/reopen"
    assert "as it is" not in engineer.get(address).text
    form = engineer.filled(address)
    assert form["component.top_up"] == ["major_outage"]
    clock.advance(MINUTE)
    said = {**form, "body.ru": "Снова не видно баланса.", "component.top_up": "operational"}
    assert engineer.post(address, said).status_code == 303
    with transaction(sessions, read_only=True) as session:
        states = dict(session.execute(select(Component.key, Component.state)).all())
    assert (states["top_up"], states["balance"]) == (ComponentState.OPERATIONAL, ComponentState.MAJOR_OUTAGE)


def test_a_reopening_dated_before_the_end_is_refused(engineer: Browser, clock: FrozenClock) -> None:
    """It would reopen nothing; the form comes back and says so at the time."""
    room = _resolved(engineer, clock)
    address = f"{room}/tell/reopen"
    engineer.get(address)
    clock.advance(MINUTE)
    local = (clock.now() - 2 * MINUTE).astimezone(ZoneInfo("Europe/Moscow"))
    said = {**engineer.filled(address), "body.ru": "Снова не работает.", "at": f"{local:%Y-%m-%dT%H:%M}"}
    answer = engineer.post(address, said)
    assert (answer.status_code, "before the last update" in answer.text) == (422, True)


def test_reading_a_report_is_not_handing_it_in(log_in: LogIn, clock: FrozenClock) -> None:
    """Every role reads the report; only who may work on incidents is offered to hand it in, and may."""
    room = _resolved(log_in("engineer"), clock)
    for role in ("viewer", "legal", "call_centre"):
        browser = log_in(role)
        assert browser.get(f"{room}/report").status_code == 200
        assert "Has been handed in" not in browser.get(room).text
        assert browser.post(f"{room}/report/filed", {"report": "internal"}).status_code == 403
