"""A whole console on a fresh database, and a person's browser before it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr
from werkzeug.test import TestResponse

from notifiers.base import Channel, Notifier
from statuspage import create_app
from statuspage.clock import FrozenClock
from statuspage.config import Settings
from statuspage.db import Sessions, transaction
from statuspage.services import passwords, sample, users
from statuspage.services.actor import CLI
from statuspage.services.people_import import Source, import_people
from statuspage.web import auth
from statuspage.web.throttle import Throttle
from tests.databases import SECRET

TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
ONCE = re.compile(r'name="once" value="([^"]+)"')
PASSWORD = "four random words together"
MANY = 3
"""People in `told_people`; one more than a person may release alone."""


class Browser:
    """Keeps the cookie and takes the hidden fields of the page it last saw along, as a browser's form does."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.page = ""

    def get(self, address: str) -> TestResponse:
        return self._seen(self.client.get(address))

    def post(self, address: str, fields: dict[str, object] | None = None, *, follow: bool = False) -> TestResponse:
        hidden: dict[str, object] = {}
        for name, found in (("csrf_token", TOKEN.search(self.page)), ("once", ONCE.search(self.page))):
            if found is not None:
                hidden[name] = found[1]
        return self._seen(self.client.post(address, data={**hidden, **(fields or {})}, follow_redirects=follow))

    def filled(self, action: str = "") -> dict[str, object]:
        """The fields of the page's form for `action` (or of the first without one) as a browser would send them."""
        for form in _forms(self.page):
            if form.action in {action, ""} and "locale" not in form.fields:
                return dict(form.fields)
        raise AssertionError(f"no form for {action}")

    def log_in(self, email: str, password: str = PASSWORD) -> TestResponse:
        self.get("/console/login")
        return self.post("/console/login", {"email": email, "password": password})

    def _seen(self, answer: TestResponse) -> TestResponse:
        if answer.mimetype == "text/html" and answer.status_code // 100 != 3:
            self.page = answer.text
        return answer


@dataclass
class _Form:
    action: str
    fields: dict[str, list[str]] = field(default_factory=dict)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[_Form] = []
        self._select: tuple[str, str | None] | None = None
        self._area: tuple[str, list[str]] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        got = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(_Form(got.get("action", "")))
        elif tag == "input" and self.forms and got.get("name"):
            if got.get("type") not in {"checkbox", "radio", "file"} or "checked" in got:
                self._add(got["name"], got.get("value", "on"))
        elif tag == "select":
            self._select = (got.get("name", ""), None)
        elif tag == "option" and self._select is not None:
            name, chosen = self._select
            if "selected" in got or chosen is None:
                self._select = (name, got.get("value", ""))
        elif tag == "textarea":
            self._area = (got.get("name", ""), [])

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self._area[1].append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "select" and self._select is not None:
            self._add(self._select[0], self._select[1] or "")
            self._select = None
        elif tag == "textarea" and self._area is not None:
            self._add(self._area[0], "".join(self._area[1]).removeprefix("\n"))
            self._area = None

    def _add(self, name: str, value: str) -> None:
        if self.forms:
            self.forms[-1].fields.setdefault(name, []).append(value)


def _forms(page: str) -> list[_Form]:
    reader = _Reader()
    reader.feed(page)
    return reader.forms


Build = Callable[..., Flask]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """What the application of `build` runs with unless a test says otherwise."""
    return _settings(tmp_path)


@pytest.fixture
def build(sessions: Sessions, clock: FrozenClock, tmp_path: Path) -> Build:
    """Makes the application with settings of one's own; `published` collects each call of the publisher."""

    def made(
        notifiers: dict[Channel, list[Notifier]] | None = None,
        publish: Callable[[], object] = lambda: None,
        **settings: object,
    ) -> Flask:
        app = create_app(_settings(tmp_path, **settings), sessions, notifiers or {}, clock, publish)
        app.testing = True
        app.config["PROPAGATE_EXCEPTIONS"] = False
        return app

    return made


@pytest.fixture
def browser(build: Build) -> Browser:
    return Browser(build().test_client())


@pytest.fixture
def person(sessions: Sessions, clock: FrozenClock) -> Callable[..., str]:
    """Makes a person with `PASSWORD` already his own and returns the e-mail address."""

    def made(role: str = "engineer", email: str = "", locale: str = "en") -> str:
        address = email or f"{role}@tests.example"
        with transaction(sessions) as session:
            user, _first = users.add_user(session, CLI, email=address, role=role, locale=locale, now=clock.now())
            user.password_hash, user.must_change_password = passwords.hash_of(PASSWORD), False
        return address

    return made


@pytest.fixture
def engineer(browser: Browser, person: Callable[..., str]) -> Browser:
    """An engineer who is logged in."""
    browser.log_in(person("engineer"))
    return browser


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are hashed at the least cost: what a hash costs is not what these tests are about."""
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture(autouse=True)
def fresh_throttle(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tries of one test are not those of the next."""
    monkeypatch.setattr(auth, "tries", Throttle(auth.tries.limit))


@pytest.fixture
def operator(sessions: Sessions, clock: FrozenClock) -> None:
    """The sample operator is loaded."""
    with transaction(sessions) as session:
        sample.load(session, time_zone="Europe/Moscow", now=clock.now())


@pytest.fixture
def told_people(operator: None, sessions: Sessions, clock: FrozenClock, tmp_path: Path) -> None:  # noqa: ARG001 - its rows
    """A few people with numbers, who may be told."""
    file = people_file(MANY)
    source = Source(io.BytesIO(file), "people.csv", len(file))
    import_people(sessions, CLI, source, _settings(tmp_path), clock)


@pytest.fixture
def log_in(build: Build, person: Callable[..., str]) -> Callable[..., Browser]:
    """A new browser of a person of the role, on one application."""
    app = build(approval_threshold=MANY - 1)

    def logged_in(role: str) -> Browser:
        browser = Browser(app.test_client())
        browser.log_in(person(role, f"{role}@people.example"))
        return browser

    return logged_in


def people_file(count: int) -> bytes:
    """A subscriber file of so many prepaid lines with numbers and addresses."""
    header = "account_id,msisdn,email,language,segment,region"
    rows = [f"A{n},+79161{n:06d},p{n}@people.example,en,prepaid,moscow" for n in range(count)]
    return "\n".join([header, *rows, ""]).encode()


def _settings(data_dir: Path, **settings: object) -> Settings:
    values = {"data_dir": data_dir, "secret_key": SecretStr(SECRET), "base_url": "http://localhost", **settings}
    return Settings.model_validate(values)


def declare(browser: Browser, template: str = "billing_outage", publication: str = "published", **said: object) -> str:
    """Declare from a template as the form is served; the new incident's public id."""
    address = f"/console/incidents/new/{template}"
    browser.get(address)
    answer = browser.post(address, {**browser.filled(address), "publication": publication, **said})
    assert answer.status_code == 303, answer.text
    return answer.location.rpartition("/")[2]
