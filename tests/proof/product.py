"""The product as it runs on one machine, in a directory of its own, at three moments of one bad day."""

from __future__ import annotations

import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

from statuspage.demo.browser import Browser
from statuspage.demo.people import write_csv
from statuspage.demo.processes import Processes, add_settings, free_port

LOCALES = ("ru", "zh", "en")
SUBSCRIBERS = 50
PATIENCE = 60.0
_LINK = re.compile(r'<(?:a|link)\b[^>]*\bhref="([^"#]+)"')
_LATER = re.compile(r'\bhx-get="([^"#]+)"')


def until(what: str, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"waited {PATIENCE:.0f} s in vain: {what}"
        time.sleep(0.05)


def fetch(url: str) -> tuple[int, str, str]:
    """Status, media type and text."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:  # noqa: S310 - loopback
            return answer.status, answer.headers.get_content_type(), answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.headers.get_content_type(), refused.read().decode()


@dataclass
class Product:
    """`pages` holds every public page by moment ("calm", "repaired", "outage") and path; "outage" is now."""

    processes: Processes
    base_url: str
    pages: dict[str, dict[str, str]] = field(default_factory=dict)
    repaired: str = ""
    incident: str = ""
    staff: dict[str, Browser] = field(default_factory=dict)

    def get(self, path: str) -> str:
        status, _, text = fetch(self.base_url + path)
        assert status == 200, (path, status)
        return text

    def run(self, *words: str) -> Any:
        """A command with --json, to its end."""
        return json.loads(self.processes.run(*words, "--json"))

    def answers(self) -> bool:
        try:
            return fetch(f"{self.base_url}/readyz")[0] == 200
        except OSError:
            return False

    def tells(self, words: str) -> Callable[[], bool]:
        return lambda: words in self.get("/api/v2/summary.json")

    def declare(self, template: str) -> str:
        """An incident from its template, once the page tells it. Its public id."""
        made: str = self.run("incident", "declare", "--template", template)["id"]
        until("the incident is published", self.tells(made))
        return made

    def keep(self, moment: str) -> None:
        """Every page that can be reached by links from the start, in each language, and one that is not there."""
        starts = ["/", *(f"/{locale}/" for locale in LOCALES)]
        found = crawl(starts, lambda path: fetch(self.base_url + path), self.base_url)
        lost = {f"/{locale}/nowhere": fetch(f"{self.base_url}/{locale}/nowhere")[2] for locale in LOCALES}
        self.pages[moment] = {**found, **lost}


def crawl(
    starts: list[str], get: Callable[[str], tuple[int, str, str]], base_url: str, within: str = "/", later: bool = False
) -> dict[str, str]:
    """Path → page, by following the links below `within`; with `later` also what htmx loads.

    Of the addresses that differ only in what is asked for after the "?" one is enough.
    """
    waiting, found, seen = list(starts), dict[str, str](), {shape(path) for path in starts}
    while waiting:
        path = waiting.pop(0)
        status, media_type, text = get(path)
        assert status == 200, (path, status)
        if media_type != "text/html":
            continue
        found[path] = text
        links = _LINK.findall(text) + (_LATER.findall(text) if later else [])
        for link in links:
            url = urlsplit(urljoin(base_url + path, link.replace("&amp;", "&")))
            target = url.path + (f"?{url.query}" if url.query else "")
            if url.netloc == urlsplit(base_url).netloc and url.path.startswith(within) and shape(target) not in seen:
                seen.add(shape(target))
                waiting.append(target)
    return found


def shape(address: str) -> tuple[str, frozenset[str]]:
    """The path, and the names of what is asked for."""
    url = urlsplit(address)
    return url.path, frozenset(parse_qs(url.query, keep_blank_values=True))


@contextmanager
def product(folder: Path) -> Iterator[Product]:
    """Loaded with the sample operator and a few people; one incident is over, another is open."""
    port = free_port()
    base_url = f"http://127.0.0.1:{port}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STATUSPAGE_")}
    processes = Processes(
        folder, add_settings(kept, DATA_DIR=str(folder / "data"), BASE_URL=base_url, PORT=str(port), LOG_FORMAT="json")
    )
    made = Product(processes, base_url)
    try:
        processes.run("sample")
        write_csv(folder / "people.csv", SUBSCRIBERS)
        made.run("subscribers", "import", str(folder / "people.csv"))
        processes.part("serve", "serve")
        until("the product answers", made.answers)
        made.keep("calm")
        _day(made)
        yield made
    finally:
        processes.stop()


def _day(made: Product) -> None:
    made.repaired = made.declare("billing_outage")
    made.run("incident", "restored", made.repaired)
    until("restored is published", made.tells('"monitoring"'))
    made.keep("repaired")
    made.processes.run("incident", "crediting", made.repaired, "--queued", "1240", "--credited", "1240")
    made.run("incident", "resolve", made.repaired, "--override", "rehearsed with the measures done by hand")
    until("resolved is published", lambda: made.repaired not in made.get("/api/v2/summary.json"))
    made.incident = made.declare("top_up_outage")
    made.keep("outage")
