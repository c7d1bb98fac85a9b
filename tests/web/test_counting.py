"""How many people an audience means, told by the console while somebody types it."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from statuspage.clock import FrozenClock
from statuspage.db import Sessions, transaction
from statuspage.models import AuditEntry, Campaign
from statuspage.services import audience_count
from statuspage.services.audience_count import AudienceCount
from statuspage.web.console import counting
from statuspage.web.throttle import Throttle
from tests.web.site import MANY, Browser, declare

pytestmark = pytest.mark.usefixtures("operator", "told_people")
LogIn = Callable[[str], Browser]
TAGS = re.compile(r"<[^>]+>")


@pytest.fixture(autouse=True)
def fresh_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """The questions of one test are not those of the next."""
    monkeypatch.setattr(counting, "asked", Throttle(counting.asked.limit))


def _draft(browser: Browser) -> str:
    incident = declare(browser)
    browser.get(f"/console/campaigns/new?incident={incident}")
    answer = browser.post("/console/campaigns/new", browser.filled("/console/campaigns/new"))
    assert answer.status_code == 303, answer.text
    return answer.location


def _live(browser: Browser, address: str, audience: str, *channels: str) -> TestResponse:
    return browser.client.get(f"{address}/count", query_string={"audience": audience, "channels": channels})


def _said(answer: TestResponse) -> str:
    return " ".join(unescape(TAGS.sub("", answer.text)).split())


def test_typing_shows_how_many_it_means_and_saves_nothing(engineer: Browser, sessions: Sessions) -> None:
    """People, and how many of them have an address for the ticked channels; the campaign is what it was."""
    address = _draft(engineer)
    before = _footprint(sessions)
    said = _said(_live(engineer, address, "segment = prepaid", "sms", "email"))
    numbers = f"{MANY} people, {MANY} with a number for SMS, {MANY} with an e-mail address."
    assert said == f"segment = prepaid – {numbers} Who of them may not be told, the preview says."
    assert "SMS" not in _said(_live(engineer, address, "segment = prepaid", "email"))
    assert "0 people" in _said(_live(engineer, address, "region = urals", "sms"))
    assert _footprint(sessions) == before


def _footprint(sessions: Sessions) -> tuple[object, ...]:
    with transaction(sessions, read_only=True) as session:
        return (
            *session.execute(select(Campaign.audience, Campaign.version, Campaign.state)).one(),
            session.scalar(select(func.count()).select_from(AuditEntry)),
        )


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("ru", "Знак 1: у поля segment нет значения «prepayd». Может быть, prepaid?"),
        ("zh", "第1个字符：segment 没有值“prepayd”。是否指 prepaid？"),
        ("en", "Character 1: segment has no value “prepayd”. Did you mean prepaid?"),
    ],
)
def test_a_mistake_is_an_answer_in_the_readers_language(engineer: Browser, locale: str, said: str) -> None:
    """While it is not an expression yet, the place says where and why, and a browser puts it into the page."""
    address = _draft(engineer)
    engineer.get("/console/incidents")
    engineer.post("/console/language", {"locale": locale})
    answer = _live(engineer, address, "segment = prepayd", "sms")
    assert (answer.status_code, _said(answer)) == (200, said)


def test_the_button_counts_without_a_script(engineer: Browser, sessions: Sessions) -> None:
    """The same form, sent to count, comes back with what was typed, the number, and nothing saved."""
    address = _draft(engineer)
    page = engineer.get(address).text
    assert f'formaction="{address}/count#f-audience"' in page
    before = _footprint(sessions)
    typed = {**engineer.filled(f"{address}/edit"), "audience": "region = moscow", "sms.ru": "Не сохранено."}
    counted = engineer.post(f"{address}/count", typed)
    assert counted.status_code == 200
    assert f"<strong>{MANY} people</strong>" in counted.text
    assert 'value="region = moscow"' in counted.text
    assert "Не сохранено." in counted.text
    wrong = engineer.post(f"{address}/count", {**typed, "audience": "region = "})
    assert wrong.status_code == 422
    assert 'id="audience-mistake"' in wrong.text
    assert _footprint(sessions) == before


def test_a_question_too_long_or_too_often_costs_nothing(
    engineer: Browser, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are refused before the database is asked; after a while one may ask again."""
    address = _draft(engineer)
    asked: list[str] = []
    count_for = audience_count.count_for

    def noted(*given: Any) -> AudienceCount:
        asked.append(given[3])
        return count_for(*given)

    monkeypatch.setattr(audience_count, "count_for", noted)
    assert "longer than 500" in _said(_live(engineer, address, "all or " * 80, "sms"))
    assert asked == []
    for _ in range(counting.asked.limit.tries):
        _live(engineer, address, "all", "sms")
    assert "Too many counts" in _said(_live(engineer, address, "all", "sms"))
    assert len(asked) == counting.asked.limit.tries
    engineer.get(address)
    assert engineer.post(f"{address}/count", engineer.filled(f"{address}/edit")).status_code == 429
    clock.advance(counting.asked.limit.per)
    assert "people" in _said(_live(engineer, address, "all", "sms"))


def test_only_who_drafts_may_count(log_in: LogIn, browser: Browser) -> None:
    """Others get no number, and whoever is logged out gets nothing that belongs into the page."""
    address = _draft(log_in("engineer"))
    assert _live(log_in("viewer"), address, "all", "sms").status_code == 403
    answer = _live(browser, address, "all", "sms")
    assert answer.status_code == 302
    assert 'class="counted"' not in browser.client.get(answer.location).text


def test_the_draft_form_says_whom_a_template_is_for(engineer: Browser) -> None:
    """Choosing a template shows its audience and the number of people before anything is drafted."""
    incident = declare(engineer)
    engineer.get(f"/console/campaigns/new?incident={incident}")

    def said(template: str) -> str:
        chosen = {"incident": incident, "template": template, "channels": "sms"}
        return _said(engineer.client.get("/console/campaigns/new/count", query_string=chosen))

    assert said("outage").startswith(f"not segment = pos_m2m – {MANY} people")
    assert said("merchants").startswith("segment = pos_m2m – 0 people")
    assert said("end") == "those whom the earlier campaign told"
    assert "There is no template “gone”" in said("gone")
