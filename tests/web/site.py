"""A whole console on a fresh database, and a person's browser before it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr
from werkzeug.test import TestResponse

from notifiers.base import Channel, Notifier
from statuspage import create_app
from statuspage.clock import FrozenClock
from statuspage.config import Settings
from statuspage.db import Sessions, transaction
from statuspage.services import passwords, users
from statuspage.services.actor import CLI
from tests.databases import SECRET

TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
ONCE = re.compile(r'name="once" value="([^"]+)"')
PASSWORD = "four random words together"


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

    def log_in(self, email: str, password: str = PASSWORD) -> TestResponse:
        self.get("/console/login")
        return self.post("/console/login", {"email": email, "password": password})

    def _seen(self, answer: TestResponse) -> TestResponse:
        if answer.mimetype == "text/html":
            self.page = answer.text
        return answer


Build = Callable[..., Flask]


@pytest.fixture
def build(sessions: Sessions, clock: FrozenClock, tmp_path: Path) -> Build:
    """Makes the application with settings of one's own; `published` collects each call of the publisher."""

    def made(
        notifiers: dict[Channel, list[Notifier]] | None = None,
        publish: Callable[[], object] = lambda: None,
        **settings: object,
    ) -> Flask:
        values = {"data_dir": tmp_path, "secret_key": SecretStr(SECRET), "base_url": "http://localhost", **settings}
        app = create_app(Settings.model_validate(values), sessions, notifiers or {}, clock, publish)
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
        address = email or f"{role}@demo.example"
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
