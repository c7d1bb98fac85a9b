"""What a refused form says: every mistake at once, in the reader's language, each at its field and in one summary."""

from __future__ import annotations

import re
from html import unescape

import pytest
from sqlalchemy import func, select

from statuspage.clock import FrozenClock
from statuspage.db import Sessions, transaction
from statuspage.models import Incident
from tests.web.site import Browser, declare

pytestmark = pytest.mark.usefixtures("operator")
NEW = "/console/incidents/new/billing_outage"
LINK = re.compile(r'<li><a href="#([^"]+)">([^<]*)</a></li>')
Fields = dict[str, object]


def _refused(browser: Browser, **said: object) -> str:
    browser.get(NEW)
    answer = browser.post(NEW, {**browser.filled(NEW), "publication": "published", **said})
    assert answer.status_code == 422
    return answer.text


def _summary(page: str) -> dict[str, str]:
    """anchor → what is said there, in the order of the page."""
    return {anchor: unescape(text) for anchor, text in LINK.findall(page)}


def _wrong(browser: Browser) -> Fields:
    """Nothing that is said of an outage here can be kept."""
    browser.get(NEW)
    untouched = {name: "" for name in browser.filled(NEW) if name.startswith("component.")}
    times = {"started_at": "2030-01-01T00:00", "next_update_at": "soon", "expected_end_at": "2020-01-01T00:00"}
    return {**untouched, **times, "title.ru": "", "body.en": "x" * 10_001, "regions": "mars", "cause": "magic"}


def test_every_mistake_is_named_at_once(engineer: Browser, sessions: Sessions) -> None:
    """What cannot be read and what a rule refuses stand in one summary, in the order of the form, and at the fields."""
    page = _refused(engineer, **_wrong(engineer))
    assert list(_summary(page)) == [
        "f-title.ru",
        "f-body.en",
        "f-cause",
        "f-started_at",
        "f-next_update_at",
        "f-expected_end_at",
        "f-regions",
        "f-components",
    ]
    assert all(f'id="{anchor}"' in page and f'id="{anchor[2:]}-mistake"' in page for anchor in _summary(page))
    assert page.count('aria-invalid="true"') == 8
    assert "<title>Mistake:" in page
    with transaction(sessions, read_only=True) as session:
        assert session.scalar(select(func.count()).select_from(Incident)) == 0


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("ru", {"f-title.ru": "Заголовок (Русский): Заполните поле.", "f-components": "Что не работает: Назовите"}),
        ("zh", {"f-title.ru": "标题 (Русский): 请填写。", "f-components": "哪些不可用: 请至少指出"}),
        ("en", {"f-title.ru": "Title (Русский): Fill this in.", "f-components": "What does not work: Name at least"}),
    ],
)
def test_mistakes_are_said_in_the_operators_language(engineer: Browser, locale: str, said: dict[str, str]) -> None:
    """No raw name of a field and no English sentence of a rule reaches a Russian or Chinese engineer."""
    engineer.get("/console/incidents")
    engineer.post("/console/language", {"locale": locale})
    wrong = _wrong(engineer)
    page = _refused(engineer, **wrong)
    found = _summary(page)
    for anchor, beginning in said.items():
        assert found[anchor].startswith(beginning)
    alert = page.partition('role="alert"')[2].partition("</div>")[0]
    visible = re.sub(r"<[^>]*>", " ", alert)
    assert not [name for name in (*wrong, "started_at", "incident.") if re.search(rf"\b{re.escape(name)}\b", visible)]


def test_what_was_typed_stays_typed(engineer: Browser) -> None:
    """Texts, times, ticks and choices come back as they were sent."""
    typed = {"title.en": "Typed by hand", "component.balance": "partial_outage", "segments": "prepaid"}
    page = _refused(engineer, **{**_wrong(engineer), **typed, "not_affected": ["sms", "calls"]})
    assert 'value="Typed by hand"' in page
    assert 'value="soon"' in page
    assert re.search(r'id="f-component.balance".*?<option value="partial_outage" selected>', page, re.DOTALL)
    for name, value in (("segments", "prepaid"), ("not_affected", "sms"), ("not_affected", "calls")):
        assert re.search(rf'name="{name}" value="{value}" checked', page)


def test_an_update_names_both_of_its_wrong_times(engineer: Browser) -> None:
    """Other forms say all their mistakes at once too."""
    address = f"/console/incidents/{declare(engineer)}/tell/update"
    engineer.get(address)
    past = {"next_update_at": "2020-01-01T00:00", "expected_end_at": "2020-01-01T00:00", "body.ru": "Чиним."}
    answer = engineer.post(address, {**engineer.filled(address), **past})
    assert answer.status_code == 422
    assert list(_summary(answer.text)) == ["f-next_update_at", "f-expected_end_at"]


def test_an_unknown_template_is_no_fault_of_the_program(engineer: Browser) -> None:
    """A form sent to a template that is gone meanwhile is refused, not broken."""
    engineer.get(NEW)
    fields = {**engineer.filled(NEW), "publication": "published"}
    assert engineer.post("/console/incidents/new/gone", fields).status_code == 404


def test_a_refusal_without_a_field_is_a_sentence(engineer: Browser, clock: FrozenClock) -> None:
    """What concerns no field of the form is told without a link to nowhere."""
    room = f"/console/incidents/{declare(engineer)}"
    engineer.get(room)
    answer = engineer.post(f"{room}/crediting", {"queued": "1", "credited": "1"})
    assert answer.status_code == 422
    assert "Say first that it works again." in answer.text
    assert _summary(answer.text) == {}
    assert clock.now().year == 2026


