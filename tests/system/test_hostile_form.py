from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from statuspage import create_app
from statuspage.clock import SystemClock
from statuspage.db import transaction
from statuspage.services import incidents
from tests.system.hostile import IN_TITLES_A_SPACE, INERT, REFUSED
from tests.system.page import Page, plain
from tests.system.place import ENGINEER, Place
from tests.web.site import Browser

FORM = "/console/incidents/new/billing_outage"
FACTS = {
    "source": "ru",
    "component.top_up": "major_outage",
    "cause": "database",
    "state": "investigating",
    "publication": "published",
}
HALF = "half"  # a form is UTF-8, which has no half characters


@pytest.fixture
def client(sqlite_place: Place) -> FlaskClient:
    app = create_app(sqlite_place.settings, sqlite_place.sessions, {}, SystemClock(), lambda: None)
    app.testing = True
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return app.test_client()


@pytest.fixture
def browser(client: FlaskClient) -> Browser:
    made = Browser(client)
    assert made.log_in(ENGINEER).status_code == 303
    return made


def words(text: str) -> dict[str, object]:
    return {f"{field}.{locale}": f"{locale} {text}" for field in ("title", "body") for locale in ("ru", "zh", "en")}


def count(place: Place) -> int:
    with transaction(place.sessions, read_only=True) as session:
        return len(incidents.list_incidents(session))


def test_the_form_keeps_hostile_words_and_runs_none(browser: Browser, sqlite_place: Place) -> None:
    """Room, list and the form that mends words show what was typed; no header and no script comes of it."""
    browser.get("/console/incidents")
    ours = Page(browser.page).tags.count("script")
    for number, text in enumerate(INERT.values(), start=1):
        browser.get(FORM)
        answer = browser.post(FORM, {**FACTS, **words(text)})
        assert answer.status_code == 303, Page(browser.page).shown
        assert all(cookie.startswith("console=") for cookie in answer.headers.getlist("Set-Cookie"))
        assert count(sqlite_place) == number
        for address in (answer.headers["Location"], "/console/incidents", f"{answer.headers['Location']}/words/title"):
            seen = browser.get(address)
            assert seen.status_code == 200, address
            page = Page(seen.text)
            assert page.dangers() == []
            assert page.tags.count("script") == ours
            assert plain(f"ru {text}") in plain(f"{page.shown} {' '.join(value for _, value in page.attributes)}")


@pytest.mark.parametrize("name", [name for name in REFUSED if name != HALF])
def test_the_form_refuses_what_no_reader_could_see(browser: Browser, sqlite_place: Place, name: str) -> None:
    """The form comes back with 422 naming the field; it declares nothing and runs nothing."""
    browser.get(FORM)
    fields = {**FACTS, **words("All is said."), "body.zh": REFUSED[name]}
    if name not in IN_TITLES_A_SPACE:
        fields["title.en"] = REFUSED[name]
    answer = browser.post(FORM, fields)
    assert answer.status_code == 422
    page = Page(answer.text)
    assert page.dangers() == []
    assert re.search(r"title\.en|body\.zh", answer.text)
    assert count(sqlite_place) == 0
