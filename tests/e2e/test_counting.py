"""The live count in a real browser: type an audience, see the number change, and nothing is saved."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.e2e.house import House, running
from tests.e2e.test_story import OWN, TITLES, WAIT_MS, _load_people, _logged_in

Visit = Callable[..., Page]
Shoot = Callable[[Page, str], None]
ENGINEER = "engineer@demo.example"
PEOPLE = 12
COUNT = re.compile(r"/count\?")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house of its own: the story's people have changed their first passwords."""
    with running(tmp_path_factory.mktemp("counting")) as made:
        yield made


@pytest.fixture(scope="module")
def addresses() -> dict[str, str]:
    """What one test makes for the next."""
    return {}


def _type(page: Page, words: str) -> None:
    page.locator("#f-audience").fill("")
    page.locator("#f-audience").press_sequentially(words, delay=20)


def _says(page: Page, words: str) -> None:
    expect(page.locator("#audience-count")).to_contain_text(words, timeout=WAIT_MS)


def test_the_number_follows_what_is_typed(visit: Visit, house: House, shoot: Shoot, addresses: dict[str, str]) -> None:
    """People and addresses after a pause in typing; a mistake with its place; nothing is saved, and no address of the
    browser's holds anything but the expression."""
    engineer = _logged_in(visit(locale="en-GB"), ENGINEER, house, "en")
    _load_people(engineer, PEOPLE)
    engineer.goto("/console/incidents")
    engineer.click(f"text={TITLES['en']}")
    engineer.click("button[value=published] >> nth=0")
    engineer.click("text=Tell people directly")
    _says(engineer, f"not segment = pos_m2m – {PEOPLE} people")
    engineer.select_option("[name=template]", "merchants")
    _says(engineer, "segment = pos_m2m – 0 people")
    engineer.select_option("[name=template]", "outage")
    engineer.click("main button.first")
    addresses["campaign"] = engineer.url
    asked: list[str] = []
    engineer.on("request", lambda request: asked.append(request.url) if COUNT.search(request.url) else None)
    engineer.locator("#f-audience").scroll_into_view_if_needed()
    _says(engineer, f"not segment = pos_m2m – {PEOPLE} people, {PEOPLE} with a number for SMS")
    before = len(asked)
    _type(engineer, "language = ru")
    _says(engineer, f"language = ru – {PEOPLE // 3} people")
    assert len(asked) - before < len("language = ru")
    shoot(engineer, "count")
    _type(engineer, "segment = prepayd")
    _says(engineer, "Character 1: segment has no value “prepayd”. Did you mean prepaid?")
    engineer.uncheck("#f-channels [value=email]")
    _type(engineer, "region = moscow")
    _says(engineer, f"{PEOPLE} with a number for SMS.")
    assert not [url for url in asked if "csrf" in url or "once" in url or "sms." in url]
    engineer.reload()
    expect(engineer.locator("#f-audience")).to_have_value("not segment = pos_m2m")


def test_the_newest_question_is_answered(visit: Visit, addresses: dict[str, str]) -> None:
    """A question still under way is called off by the next one: its answer never comes after the newer one's."""
    engineer = _again(visit(locale="en-GB"))
    engineer.goto(addresses["campaign"])
    engineer.locator("#f-audience").scroll_into_view_if_needed()
    _says(engineer, f"{PEOPLE} people")
    held: list[Route] = []
    called_off: list[Request] = []
    engineer.on("requestfailed", lambda request: called_off.append(request))

    def hold(route: Route) -> None:
        if "language" in route.request.url:
            held.append(route)
        else:
            route.continue_()

    engineer.route(COUNT, hold)
    with engineer.expect_request(COUNT):
        _type(engineer, "language = ru")
    _type(engineer, "region = urals")
    _says(engineer, "region = urals – 0 people")
    assert len(held) == 1
    assert [request.url for request in called_off] == [held[0].request.url]


def test_the_button_counts_without_a_script(visit: Visit, addresses: dict[str, str]) -> None:
    """The same number on a page that runs no script; what was typed stays, unsaved."""
    engineer = _again(visit(locale="ru-RU", java_script_enabled=False))
    engineer.goto(addresses["campaign"])
    engineer.fill("#f-audience", "language in (ru, zh)")
    engineer.click("text=Count the people")
    _says(engineer, f"{PEOPLE * 2 // 3} people")
    expect(engineer.locator("#f-audience")).to_have_value("language in (ru, zh)")
    engineer.goto(addresses["campaign"])
    expect(engineer.locator("#f-audience")).to_have_value("not segment = pos_m2m")


def _again(page: Page) -> Page:
    page.goto("/console/")
    page.fill("[name=email]", ENGINEER)
    page.fill("[name=password]", OWN)
    page.click("main button")
    page.click("button[name=locale][value=en]")
    return page
