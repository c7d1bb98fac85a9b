"""A real browser before the running product. Screenshots go to var/screenshots, which is not kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.e2e.house import ROOT, House, running

SCREENSHOTS = ROOT / "var" / "screenshots"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

CALLED_OFF = ("htmx:afterRequest,", "htmx:sendAbort,")
"""What htmx tells the console of a question that a newer one has replaced; one that failed says htmx:sendError too."""


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with running(tmp_path_factory.mktemp("house")) as made:
        yield made


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("Debian's chromium is not installed")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser, house: House) -> Iterator[Callable[..., Page]]:
    """Opens a window of a new visitor; at the end no window may have seen an error, a blocked thing or another host."""
    contexts: list[BrowserContext] = []
    troubles: list[str] = []

    def opened(**options: object) -> Page:
        context = chromium.new_context(base_url=house.address, **options)  # type: ignore[arg-type]  # playwright's own
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(f"script: {error}"))
        page.on("console", lambda said: troubles.append(said.text) if said.type == "error" else None)
        page.on("response", lambda got: troubles.append(f"{got.status} {got.url}") if got.status >= 500 else None)
        page.on("request", lambda asked: _own(asked.url, house.address, troubles))
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [one for one in troubles if not one.startswith(CALLED_OFF) and "status of 4" not in one] == []


@pytest.fixture
def shoot() -> Callable[[Page, str], None]:
    """Keeps a picture of a page on a desk and on a phone; on neither may it run off sideways."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)

    def shot(page: Page, name: str) -> None:
        for kind, width, height in (("desk", 1440, 900), ("phone", 360, 640)):
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} is wider than a {kind}"
            page.screenshot(path=str(Path(SCREENSHOTS, f"{name}-{kind}.png")), full_page=True)
        page.set_viewport_size({"width": 1440, "height": 900})

    return shot


def _own(url: str, address: str, troubles: list[str]) -> None:
    if not url.startswith((address, "data:", "blob:")):
        troubles.append(f"another host: {url}")
