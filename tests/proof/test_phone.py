"""The public pages on small phones, in a real browser: what matters is on the first screen, nothing is cut off."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from statuspage.domain.component import ComponentState
from statuspage.i18n import KNOWN_LOCALES
from statuspage.publish.html import page
from statuspage.publish.reader import Reader
from statuspage.publish.view import PageView, Words
from tests.proof.peers import missing
from tests.publish import views

SCREEN: Any = {"width": 360, "height": 640}
NARROW = 320
LONG = "Абонентскийпереводспривязаннойбанковскойкартыинеоднойпаузой"
OVER = """() => [...document.querySelectorAll("body *")]
  .filter((one) => !one.closest(".hidden, .skip, .sprite") && one.getBoundingClientRect().right > innerWidth + 0.5)
  .map((one) => `${one.tagName}.${one.className} ${one.textContent.trim().slice(0, 40)}`)"""
BOTTOM = "(selector) => document.querySelector(selector).getBoundingClientRect().bottom"


def eleven(view: PageView) -> PageView:
    """The same day with eleven services in the incident, as a real billing outage has them."""
    names = [
        ("Пополнение счёта", "充值", "Top-up"),
        ("Оплата картой", "银行卡缴费", "Card payments"),
        ("Проверка баланса", "余额查询", "Balance"),
        *((f"Роуминг: расчёты {n}", f"漫游结算{n}", f"Roaming: charges {n}") for n in range(8)),
    ]
    components = tuple(
        views.component(n, views.words(*name), ComponentState.DEGRADED_PERFORMANCE, "g1x0000000aa", 5)
        for n, name in enumerate(names)
    )
    touched = tuple(one.id for one in components)
    worst = replace(view.incidents[0], component_ids=touched, next_update_at=view.as_of + (views.NOON - views.BEGAN))
    return replace(view, components=components, incidents=(worst, *view.incidents[1:]))


def endless(view: PageView) -> PageView:
    """Names and an address without a single place to break them at."""
    word = Words({locale: replace(text, body=LONG) for locale, text in views.PREPAID.by_locale.items()})
    said = {"name": word, "credit": word, "how_to": word, "code": "*135*1234567890*1#"}
    routes = tuple(replace(one, url=f"https://pay.example/{'a' * 90}", **said) for one in view.routes)  # type: ignore[arg-type]
    incident = replace(view.incidents[0], title=word, not_affected=(word,), regions=(word,))
    components = tuple(replace(one, name=word) for one in view.components)
    return replace(view, routes=routes, components=components, incidents=(incident, *view.incidents[1:]))


@pytest.fixture(scope="module")
def phone() -> Iterator[Any]:
    """A page of Debian's Chromium with a small phone's screen."""
    if (found := shutil.which("chromium")) is None:
        missing("Chromium")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser.new_page(viewport=SCREEN)
        browser.close()


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
@pytest.mark.parametrize("view", [views.OUTAGE, views.REPAIRED], ids=["outage", "repaired"])
def test_the_first_screen_says_what_matters(phone: Any, view: PageView, locale: str) -> None:
    """Sentence, next update, promise and what becomes of paid money need no scrolling, however many services it is."""
    phone.set_viewport_size(SCREEN)
    phone.set_content(page(Reader(eleven(view), locale), "status", "/").decode())
    for what in ("h1", ".since", ".promise .line", ".promise"):
        assert phone.evaluate(BOTTOM, what) <= SCREEN["height"], what


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
@pytest.mark.parametrize("name", ["status", "pay", "incident", "history", "terminal"])
def test_nothing_is_cut_off_sideways(phone: Any, name: str, locale: str) -> None:
    """At 320 pixels no page is wider than the screen, even with names and addresses that have no place to break."""
    phone.set_viewport_size({"width": NARROW, "height": 640})
    for view in (eleven(views.OUTAGE), endless(views.OUTAGE)):
        phone.set_content(page(Reader(view, locale), name, "/", view.incidents[0]).decode())
        assert phone.evaluate("document.documentElement.scrollWidth") <= NARROW
        assert phone.evaluate(OVER) == []
