"""Accessibility as axe-core measures it in a real browser, on light and on dark."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from tests.proof import people
from tests.proof.peers import MODULES, missing
from tests.proof.product import LOCALES, Product

RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    "resultTypes": ["violations"],  # of the rest only how many, which is faster
}
ASK = """async (rules) => {
  const found = await axe.run(document, rules);
  const places = (one) => one.nodes.map((node) => `${node.target.join(" ")}: ${node.failureSummary}`);
  return {violations: found.violations.map((one) => [one.id, ...places(one)]), passes: found.passes.length};
}"""
NARROW, WIDE = {"width": 360, "height": 740}, {"width": 1280, "height": 800}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Debian's Chromium."""
    if (found := shutil.which("chromium")) is None:
        missing("Chromium")
    if not MODULES.exists():
        missing("tests/proof/node_modules")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


def faults(chromium: Any, scheme: str, addresses: list[str], instead: dict[str, str] | None = None) -> dict[str, Any]:
    """What axe holds against each address, by address; `instead` answers for addresses as they once were."""
    engine = (MODULES / "axe-core" / "axe.min.js").read_text()
    context = chromium.new_context(color_scheme=scheme, viewport=NARROW if scheme == "light" else WIDE)
    page = context.new_page()
    if instead is not None:
        served = instead
        page.route(
            lambda url: url in served,
            lambda route: route.fulfill(body=served[route.request.url], content_type="text/html; charset=utf-8"),
        )
    found = {}
    for address in addresses:
        page.goto(address, wait_until="load")
        page.evaluate(engine)
        measured = page.evaluate(ASK, RULES)
        assert measured["passes"] > 5, "axe has looked at the page"
        if measured["violations"]:
            found[address] = measured["violations"]
    context.close()
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", LOCALES)
def test_no_public_page_shuts_anybody_out(running: Product, chromium: Any, locale: str, scheme: str) -> None:
    """In an outage, on a phone in light and on a desk in dark, no page of this language violates WCAG 2.2 AA."""
    paths = [path for path in running.pages["outage"] if path.startswith(f"/{locale}/")]
    assert len(paths) >= 7
    assert faults(chromium, scheme, [running.base_url + path for path in paths]) == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("moment", ["calm", "repaired"])
def test_the_status_page_shuts_nobody_out_on_other_days(
    running: Product, chromium: Any, moment: str, scheme: str
) -> None:
    """Calm, and repaired while payments are still credited: no language's page violates WCAG 2.2 AA."""
    then = {f"{running.base_url}/{locale}/": running.pages[moment][f"/{locale}/"] for locale in LOCALES}
    assert faults(chromium, scheme, list(then), then) == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_of_a_sign_up_shuts_anybody_out(running: Product, chromium: Any, scheme: str) -> None:
    """Form, confirmation and settings: nothing violates WCAG 2.2 AA."""
    seen = people.sign_up(running, "ru")
    pages = {f"{running.base_url}/ru/subscribe?{number}": page for number, page in enumerate(seen.values())}
    assert faults(chromium, scheme, list(pages), pages) == {}


@pytest.mark.parametrize(("scheme", "locale"), [("light", "ru"), ("dark", "zh")])
def test_no_screen_of_the_console_shuts_anybody_out(running: Product, chromium: Any, scheme: str, locale: str) -> None:
    """Whatever a manager can reach, on a phone in light and on a desk in dark, violates nothing of WCAG 2.2 AA."""
    seen = people.screens(people.staff(running, "manager"), locale)
    screens = {running.base_url + path: page for path, page in seen.items() if "<html" in page}
    assert len(screens) > 15
    assert faults(chromium, scheme, list(screens), screens) == {}
