"""An incident's life through the console's forms."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from statuspage.clock import FrozenClock
from statuspage.config import Settings
from statuspage.db import Sessions, transaction
from statuspage.domain.component import ComponentState
from statuspage.domain.incident import IncidentState, Publication
from statuspage.i18n import gettext
from statuspage.models import Component, Incident, IncidentUpdate, PlaybookRow
from statuspage.publish.publisher import publish
from statuspage.services import grace_inquiries
from tests.web.site import Browser, Build, declare

pytestmark = pytest.mark.usefixtures("operator")
MINUTE = timedelta(minutes=1)
NEW = "/console/incidents/new/billing_outage"
LogIn = Callable[[str], Browser]


def test_two_clicks_declare_from_a_template(engineer: Browser, sessions: Sessions) -> None:
    """The list offers the template; the filled form, sent untouched, publishes; the room says that it is public."""
    assert NEW in engineer.get("/console/incidents").text
    public_id = declare(engineer)
    with transaction(sessions, read_only=True) as session:
        incident = session.scalars(select(Incident)).one()
    assert (incident.public_id, incident.publication) == (public_id, Publication.PUBLISHED)
    room = engineer.get(f"/console/incidents/{public_id}")
    assert room.status_code == 200
    assert "Payments and balance are down" in room.text


@pytest.mark.parametrize("template", ["billing_outage", "top_up_outage", "blank"])
def test_the_form_ticks_nothing_by_itself(engineer: Browser, sessions: Sessions, template: str) -> None:
    """What works is offered unticked, emergency calls most of all; what a person ticks is said, and stays ticked."""
    page = engineer.get(f"/console/incidents/new/{template}").text
    boxes = re.findall(r'<input type="checkbox" name="not_affected" value="(\w+)"( checked)?>', page)
    assert {"calls", "sms", "emergency_calls"} <= {key for key, _ in boxes}
    assert [key for key, checked in boxes if checked] == []
    public_id = declare(engineer, not_affected=["calls"])
    with transaction(sessions, read_only=True) as session:
        assert session.scalars(select(Incident.not_affected)).one() == ["calls"]
    facts = engineer.get(f"/console/incidents/{public_id}/facts").text
    assert re.findall(r'name="not_affected" value="(\w+)" checked', facts) == ["calls"]


def test_correcting_facts_loses_nothing_that_was_said(engineer: Browser, sessions: Sessions) -> None:
    """A service of billing that a template offers, and a person ticked, is still there when the facts are corrected."""
    room = f"/console/incidents/{declare(engineer, 'top_up_outage', not_affected=['balance'])}"
    engineer.get(f"{room}/facts")
    fields = engineer.filled()
    assert engineer.post(f"{room}/facts", fields).status_code == 303
    with transaction(sessions, read_only=True) as session:
        assert session.scalars(select(Incident.not_affected)).one() == ["balance"]


def test_a_doubled_click_declares_once(engineer: Browser, sessions: Sessions) -> None:
    """The same form sent twice leads to the same incident."""
    engineer.get(NEW)
    fields = {**engineer.filled(NEW), "publication": "published"}
    first, second = engineer.post(NEW, fields), engineer.post(NEW, fields)
    assert first.location == second.location
    with transaction(sessions, read_only=True) as session:
        assert session.scalar(select(func.count()).select_from(Incident)) == 1


def test_publishing_is_tried_before_the_answer(build: Build, person: Callable[..., str]) -> None:
    """The process that committed publishes itself; a page that cannot be rendered loses no declaration."""
    calls: list[int] = []

    def broken() -> None:
        calls.append(1)
        raise OSError("disk full")

    browser = Browser(build(publish=broken).test_client())
    browser.log_in(person())
    calls.clear()
    public_id = declare(browser)
    assert calls == [1]
    assert "Not on the page yet" in browser.get(f"/console/incidents/{public_id}").text


def test_a_refused_form_keeps_what_was_typed(engineer: Browser, sessions: Sessions) -> None:
    """Every mistake is named at its field, and nothing has to be typed again."""
    engineer.get(NEW)
    fields = {**engineer.filled(NEW), "title.ru": "", "title.en": "Typed <b>by hand</b>", "next_update_at": "soon"}
    answer = engineer.post(NEW, {**fields, "publication": "published"})
    assert answer.status_code == 422
    assert 'id="title.ru-mistake"' in answer.text
    assert 'id="next_update_at-mistake"' in answer.text
    assert 'value="Typed &lt;b&gt;by hand&lt;/b&gt;"' in answer.text
    with transaction(sessions, read_only=True) as session:
        assert session.scalar(select(func.count()).select_from(Incident)) == 0


def test_what_people_write_is_never_markup(engineer: Browser) -> None:
    """HTML and template syntax in a title or an update are shown as they were typed."""
    hostile = "<script>alert(1)</script> {{7*7}} {0.__class__}"
    public_id = declare(engineer, **{"title.ru": hostile, "title.en": hostile, "body.en": hostile})
    for address in (
        "/console/incidents",
        f"/console/incidents/{public_id}",
        f"/console/incidents/{public_id}/words/title",
    ):
        page = engineer.get(address).text
        assert "<script>alert" not in page
        assert "{{7*7}}" in page


def test_a_viewer_reads_and_cannot_declare(log_in: LogIn) -> None:
    """What a role may not do is not offered, and refused when it is tried all the same."""
    engineer, viewer = log_in("engineer"), log_in("viewer")
    public_id = declare(engineer)
    assert NEW not in viewer.get("/console/incidents").text
    assert viewer.get(f"/console/incidents/{public_id}").status_code == 200
    assert viewer.get(NEW).status_code == 403
    viewer.get(f"/console/incidents/{public_id}")
    assert viewer.post(f"/console/incidents/{public_id}/withdraw").status_code == 403


def test_only_who_may_act_is_offered_as_owner(log_in: LogIn) -> None:
    """At the declaration and in the room: whoever only reads, answers the telephone or checks words owns no repair."""
    for role in ("viewer", "call_centre", "legal"):
        log_in(role)
    engineer = log_in("engineer")
    engineer.get("/console/incidents/new/billing_outage")
    room = f"/console/incidents/{declare(engineer)}"
    for address in ("/console/incidents/new/billing_outage", room):
        form = engineer.get(address).text.partition('name="owner"')[2].partition("</select>")[0]
        assert re.findall(r">([^<]+)</option>", form)[1:] == ["Demo Engineer", "engineer"]


def test_a_draft_is_published_from_the_room(engineer: Browser, sessions: Sessions) -> None:
    """A draft says that nobody sees it, and one button changes that."""
    public_id = declare(engineer, publication="draft")
    assert "nobody outside sees it" in engineer.get(f"/console/incidents/{public_id}").text
    engineer.post(f"/console/incidents/{public_id}/publish")
    with transaction(sessions, read_only=True) as session:
        assert session.scalars(select(Incident.publication)).one() is Publication.PUBLISHED


def test_the_whole_course_of_an_outage(
    build: Build, person: Callable[..., str], sessions: Sessions, settings: Settings, clock: FrozenClock
) -> None:
    """Update, restored, crediting verified, resolved, reopened: each by its own form, published as it happens."""
    engineer = Browser(build(publish=lambda: publish(sessions, settings, clock)).test_client())
    engineer.log_in(person())
    room = f"/console/incidents/{declare(engineer)}"
    clock.advance(MINUTE)
    _tell(engineer, room, "update", **{"body.ru": "Починили, наблюдаем.", "state": "monitoring"})
    clock.advance(MINUTE)
    _tell(engineer, room, "restore")
    engineer.get(room)
    wrong = engineer.post(f"{room}/crediting", {"queued": "10", "credited": "11"})
    assert wrong.status_code == 422
    assert gettext("en", "console.refusal.incident_more_credited_than_queued") in wrong.text
    engineer.get(room)
    assert engineer.post(f"{room}/crediting", {"queued": "10", "credited": "9"}).status_code == 303
    assert gettext("en", "console.room.done_crediting_unfinished") in engineer.get(room).text
    assert engineer.post(f"{room}/crediting", {"queued": "10", "credited": "10"}).status_code == 303
    clock.advance(MINUTE)
    _tell(engineer, room, "resolve")
    with transaction(sessions, read_only=True) as session:
        incident = session.scalars(select(Incident)).one()
        assert session.scalars(select(Component.state).distinct()).all() == [ComponentState.OPERATIONAL]
    assert incident.state is IncidentState.RESOLVED
    assert incident.payments_credited == 10
    clock.advance(MINUTE)
    _tell(engineer, room, "reopen", **{"body.ru": "Снова не работает.", "state": "investigating"})
    with transaction(sessions, read_only=True) as session:
        assert session.scalars(select(Incident.state)).one() is IncidentState.INVESTIGATING


def test_when_payments_are_credited_can_be_said_after_restoring(
    engineer: Browser, sessions: Sessions, clock: FrozenClock
) -> None:
    """Whoever left the time empty when restoring gives it among the facts, so that the end notice can go out."""
    room = f"/console/incidents/{declare(engineer)}"
    clock.advance(MINUTE)
    _tell(engineer, room, "restore")
    due = clock.now() + timedelta(hours=3)
    engineer.get(f"{room}/facts")
    local = due.astimezone(ZoneInfo("Europe/Moscow"))
    said: dict[str, object] = {"cause": "unknown", "credited_by_at": f"{local:%Y-%m-%dT%H:%M}"}
    assert engineer.post(f"{room}/facts", said).status_code == 303
    with transaction(sessions, read_only=True) as session:
        assert session.scalars(select(Incident.credited_by_at)).one() == due.replace(second=0, microsecond=0)


def test_resolving_past_the_gate_takes_a_reason(engineer: Browser, sessions: Sessions) -> None:
    """Without verified crediting the form names the rows that lack, keeps the words, and asks why to go on."""
    room = f"/console/incidents/{declare(engineer)}"
    _tell(engineer, room, "restore")
    address = f"{room}/tell/resolve"
    engineer.get(address)
    refused = engineer.post(address, engineer.filled(address))
    assert refused.status_code == 422
    assert 'name="override"' in refused.text
    passed = engineer.post(address, {**engineer.filled(address), "override": "Figures come by letter tomorrow."})
    assert passed.status_code == 303
    with transaction(sessions, read_only=True) as session:
        assert session.scalars(select(Incident.state)).one() is IncidentState.RESOLVED


def test_an_update_sent_twice_is_told_once(engineer: Browser, sessions: Sessions) -> None:
    """The one-time key of a form holds for every act, not only for declaring."""
    address = f"/console/incidents/{declare(engineer)}/tell/update"
    engineer.get(address)
    fields = {**engineer.filled(address), "body.ru": "Ищем причину."}
    assert [engineer.post(address, fields).status_code for _ in range(2)] == [303, 303]
    with transaction(sessions, read_only=True) as session:
        assert session.scalar(select(func.count()).select_from(IncidentUpdate)) == 2


def test_a_translation_is_mended_from_the_room(engineer: Browser) -> None:
    """Words can be mended locale by locale; an untouched translation of a changed original is named as outdated."""
    room = f"/console/incidents/{declare(engineer)}"
    address = f"{room}/words/title"
    engineer.get(address)
    assert engineer.post(address, {"body.ru": "Другой заголовок", "source": "ru"}).status_code == 303
    assert "Другой заголовок" in engineer.get(room).text


def test_a_row_of_the_playbook_is_answered_for_by_name(engineer: Browser) -> None:
    """A tick needs a note, shows who answered, and stands in the room."""
    room = f"/console/incidents/{declare(engineer)}"
    engineer.get(room)
    row = f"{room}/playbook/dunning_muted"
    assert engineer.post(row, {"note": " ", "answer": "done"}).status_code == 422
    engineer.get(room)
    assert (
        engineer.post(
            f"{room}/playbook/dunning_muted", {"note": "Rang the billing team.", "answer": "done"}
        ).status_code
        == 303
    )
    assert "Rang the billing team." in engineer.get(room).text


def test_a_check_of_the_routes_is_on_the_board(engineer: Browser) -> None:
    """What a person saw is kept for the routes he looked at, and only for these."""
    engineer.get("/console/routes")
    assert engineer.post("/console/routes", {"state.bank_app": "works"}).status_code == 303
    page = engineer.get("/console/routes").text
    assert page.count("a person") == 1
    assert engineer.post("/console/routes", {"state.bank_app": "splendid"}).status_code == 422


def test_a_promise_moves_later_and_never_earlier(engineer: Browser, clock: FrozenClock) -> None:
    """The page says how many lines it touches; an earlier day is refused in the reader's own words."""
    room = engineer.get(f"/console/incidents/{declare(engineer)}").text
    policy = room.partition('href="/console/grace/')[2].partition('"')[0]
    address = f"/console/grace/{policy}"
    assert "Extend for 0 lines" in engineer.get(address).text
    assert engineer.post(f"{address}/extend", {"day": "2026-12-01"}).status_code == 303
    engineer.get(address)
    refused = engineer.post(f"{address}/extend", {"day": "2026-11-24"})
    assert refused.status_code == 422
    assert "never moves earlier" in refused.text
    assert clock.now().year == 2026


def test_the_room_says_what_dunning_does(engineer: Browser, sessions: Sessions, clock: FrozenClock) -> None:
    """Nobody asked or applied it yet; then somebody asked; then a system applies it, and falls behind the next day."""
    room = f"/console/incidents/{declare(engineer)}"
    page = engineer.get(room).text
    assert "No dunning system has said that it applies revision 1." in page
    assert "Dunning has not asked about any line since the declaration." in page
    with transaction(sessions) as session:
        grace_inquiries.note(session, "dunning-1", now=clock.now())
    assert "Dunning last asked 22.11 10:20 MSK (dunning-1)." in engineer.get(room).text
    policy = page.partition('href="/console/grace/')[2].partition('"')[0]
    address = f"/console/grace/{policy}"
    engineer.get(address)
    said: dict[str, object] = {"system": "dunning-1", "held": "812345", "suspended_in_error": "2"}
    assert engineer.post(f"{address}/acknowledge", said).status_code == 303
    page = engineer.get(room).text
    assert "dunning-1 applies revision 1, 22.11 10:20 MSK." in page
    assert "Lines held: 812\u202f345." in page
    assert "Suspended in error: 2." in page
    engineer.get(address)
    assert engineer.post(f"{address}/extend", {"day": "2026-12-01"}).status_code == 303
    assert "dunning-1 still applied revision 1 22.11 10:20 MSK; in force is 2." in engineer.get(room).text


def _tell(browser: Browser, room: str, kind: str, **said: object) -> None:
    address = f"{room}/tell/{kind}"
    browser.get(address)
    answer = browser.post(address, {**browser.filled(address), **said})
    assert answer.status_code == 303, answer.text


def test_a_row_that_was_proved_says_that_its_facts_are_of_now(
    engineer: Browser, sessions: Sessions, clock: FrozenClock
) -> None:
    """Where a proof counts although it is gone, nobody reads "done" beside a fact against it without being told so."""
    room = f"/console/incidents/{declare(engineer)}"
    said = gettext("en", "console.playbook.proved_then")
    assert said not in engineer.get(room).text
    with transaction(sessions) as session:
        row = session.scalars(select(PlaybookRow).where(PlaybookRow.key == "merchants")).one()
        row.proved_at = clock.now()
    assert engineer.get(room).text.count(said) == 1
