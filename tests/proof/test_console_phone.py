"""The console on a small phone, in a real browser: its menu takes one line until it is asked for."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from tests.proof import people
from tests.proof.peers import missing
from tests.proof.product import LOCALES, Product

PHONE: Any = {"width": 360, "height": 640}
DESK: Any = {"width": 1280, "height": 800}
ONE_LINE = 56
TARGET = 24  # WCAG 2.2, 2.5.8
SIZES = """() => [...document.querySelectorAll(".top a, .top button")]
  .map((one) => one.getBoundingClientRect()).map((box) => Math.min(box.width, box.height))"""
FOLDED = "() => !document.querySelector('.top nav').checkVisibility()"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium."""
    if (found := shutil.which("chromium")) is None:
        missing("Chromium")
    with sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield chromium
        chromium.close()


@pytest.mark.parametrize("locale", LOCALES)
def test_the_menu_is_one_line_and_opens_by_the_keyboard(running: Product, browser: Any, locale: str) -> None:
    """Folded on a phone, all of it large enough to hit; Enter opens it, Escape closes it; a desk needs no folding."""
    person = people.staff(running, "manager")
    person.open("/console/incidents")
    person.submit("/language$", button=("locale", locale))
    served = person.open("/console/incidents")
    page = browser.new_page(viewport=PHONE)
    address = f"{running.base_url}/console/incidents"
    page.route(address, lambda route: route.fulfill(body=served, content_type="text/html; charset=utf-8"))
    page.goto(address, wait_until="load")
    assert page.locator(".top").bounding_box()["height"] <= ONE_LINE
    assert page.evaluate(FOLDED)
    page.locator(".menu").focus()
    page.keyboard.press("Enter")
    assert not page.evaluate(FOLDED)
    assert min(page.evaluate(SIZES)) >= TARGET
    page.keyboard.press("Escape")
    assert page.evaluate(FOLDED)
    page.set_viewport_size(DESK)
    assert not page.evaluate(FOLDED)
    assert not page.locator(".menu").is_visible()
    assert page.locator(".top").bounding_box()["height"] <= ONE_LINE
    page.close()
