"""People who use the running product: staff at the console, and somebody who signs up for news."""

from __future__ import annotations

import json
import re
import secrets
from pathlib import Path

from statuspage.demo.browser import Browser
from tests.proof.product import Product, crawl, until

CONSOLE = "/console/"


def staff(product: Product, role: str) -> Browser:
    """The person of this role, logged in with a password of the person's own; made when first asked for."""
    if role not in product.staff:
        email, own = f"{role}@demo.example", secrets.token_urlsafe(18)
        words = ("user", "add", email, "--role", role, "--name", "Proof", "--locale", "en")
        first = max(product.processes.run(*words).replace(email, "").split(), key=len)
        browser = product.staff[role] = Browser(product.base_url)
        browser.open("/console/login")
        browser.submit("", email=email, password=first)
        browser.open("/console/password")
        browser.submit("", current=first, new=own, again=own)
        if role == "manager":
            draft_campaign(browser, product.incident)
    return product.staff[role]


def draft_campaign(browser: Browser, incident: str) -> None:
    browser.open(f"/console/campaigns/new?incident={incident}")
    browser.submit("", template="outage")


def screens(browser: Browser, locale: str) -> dict[str, str]:
    """Every screen that this person can reach by links, and what htmx loads into them, in a language."""
    browser.open(CONSOLE)
    browser.submit("/language$", button=("locale", locale))

    def get(path: str) -> tuple[int, str, str]:
        text = browser.open(path)
        return 200, "text/html" if text.lstrip().startswith("<") else "other", text

    return crawl([CONSOLE], get, browser.base_url, within=CONSOLE, later=True)


def sign_up(product: Product, locale: str) -> dict[str, str]:
    """Every page from the form to the end of the subscription, by what the person did to see it."""
    email = f"{secrets.token_hex(4)}@example.com"
    person = Browser(product.base_url)
    pages = {"form": person.open(f"/{locale}/subscribe")}
    pages["asked"] = person.submit("/subscribe$", email=email)
    pages["link opened"] = person.open(_link(product, email))
    pages["confirmed"] = person.submit("")
    manage = re.search(r'href="(?:[^"]*)(/[a-z]+/manage/[^"]+)"', person.page)
    assert manage is not None
    pages["managed"] = person.open(manage[1])
    pages["saved"] = person.submit("", language=locale)
    person.open(manage[1])
    pages["ended"] = person.submit("", button=("act", "stop"))
    return pages


def _link(product: Product, email: str) -> str:
    """The link of the confirmation, from the file that stands for a relay."""
    outbox = Path(product.processes.environment["STATUSPAGE_DATA_DIR"]) / "outbox.jsonl"

    def letters() -> list[str]:
        lines = outbox.read_text(encoding="utf-8").splitlines() if outbox.exists() else []
        return [one["body"] for one in map(json.loads, lines) if one["to"] == email]

    until("the confirmation is written", lambda: bool(letters()))
    found = re.search(r"http://\S+/confirm/\S+", letters()[0])
    assert found is not None
    return found[0]
