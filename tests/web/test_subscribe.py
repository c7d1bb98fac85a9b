"""The public side's own forms in a browser without cookies."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy import func, select

from statuspage import create_app
from statuspage.clock import FrozenClock
from statuspage.config import Settings
from statuspage.db import Sessions, make_engine, make_sessions, transaction
from statuspage.i18n import KNOWN_LOCALES
from statuspage.models import Contact, Delivery, Subscription, Suppression
from statuspage.services.addresses import AddressKey
from statuspage.services.links import Links
from statuspage.web import subscribe
from statuspage.web.throttle import Throttle
from tests.databases import NOW, SECRET

LINKS = Links("http://localhost", SECRET)
KEY = AddressKey.derive(SECRET)


def with_forms(app: Flask) -> FlaskClient:
    if subscribe.blueprint.name not in app.blueprints:
        app.register_blueprint(subscribe.blueprint)
    return app.test_client(use_cookies=False)


@pytest.fixture
def visitor(build: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    monkeypatch.setattr(subscribe, "signups", Throttle(subscribe.SIGNUPS))
    return with_forms(build(privacy_url="https://example.org/privacy"))


def newest_link(sessions: Sessions) -> str:
    with transaction(sessions, read_only=True) as session:
        name = session.scalars(select(Delivery.dedupe).order_by(Delivery.id.desc()).limit(1)).one()
    return LINKS.confirm(name).removeprefix("http://localhost")


def state(sessions: Sessions) -> list[str]:
    with transaction(sessions, read_only=True) as session:
        return list(session.scalars(select(Subscription.state)))


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
def test_the_whole_way(visitor: FlaskClient, sessions: Sessions, locale: str) -> None:
    """Sign up, open the link, press the button, manage, stop: in each language, without a cookie or a script."""
    assert visitor.get(f"/{locale}/subscribe").status_code == 200
    sent = visitor.post(f"/{locale}/subscribe", data={"email": "anna@example.org"})
    assert sent.status_code == 202
    link = newest_link(sessions)
    asked = visitor.get(link)
    assert "a…@example.org" in asked.text
    assert state(sessions) == ["pending"]
    done = visitor.post(link)
    assert state(sessions) == ["active"]
    manage = re.search(r'href="http://localhost(/[a-z]{2}/manage/[^"]+)"', done.text)
    assert manage is not None
    shown = visitor.get(manage[1])
    assert state(sessions) == ["active"]
    assert "anna@" not in shown.text
    visitor.post(manage[1], data={"act": "language", "language": "en"})
    ended = visitor.post(manage[1], data={"act": "stop"})
    assert state(sessions) == ["ended"]
    for answer in (sent, asked, done, shown, ended):
        assert "Set-Cookie" not in answer.headers
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "{" not in re.sub(r"<(style|script)>.*?</\1>", "", answer.text, flags=re.DOTALL)


def language(sessions: Sessions) -> str:
    with transaction(sessions, read_only=True) as session:
        return session.scalars(select(Contact.language)).one()


def test_a_stranger_changes_nobodys_language(visitor: FlaskClient, sessions: Sessions, clock: FrozenClock) -> None:
    """Who is told already keeps the language until the new mail is confirmed; an old link does not bring one back."""
    visitor.post("/en/subscribe", data={"email": "anna@example.org"})
    first = newest_link(sessions)
    visitor.post(first)
    clock.advance(timedelta(minutes=1))
    visitor.post("/zh/subscribe", data={"email": "anna@example.org"})
    assert (language(sessions), state(sessions)) == ("en", ["active"])
    visitor.get(newest_link(sessions))
    assert language(sessions) == "en"
    visitor.post(newest_link(sessions))
    assert language(sessions) == "zh"
    visitor.post(first)
    assert (language(sessions), state(sessions)) == ("zh", ["active"])


def test_the_answer_is_the_same_for_all(visitor: FlaskClient, sessions: Sessions) -> None:
    """Known, unknown, suppressed: the page says the same; a robot that fills the hidden field hears it too."""
    bad = KEY.hash("bad@example.org")
    closed = Suppression(channel="email", address_hash=bad, reason="complaint", source="x", at=NOW)
    with transaction(sessions) as session:
        session.add(closed)
    answers = [
        visitor.post("/en/subscribe", data={"email": email, **trap}).text
        for email, trap in (
            ("new@example.org", {}),
            ("new@example.org", {}),
            ("bad@example.org", {}),
            ("robot@example.org", {"website": "http://spam.example"}),
        )
    ]
    assert len(set(answers)) == 1
    assert len(state(sessions)) == 1


def test_no_address(visitor: FlaskClient) -> None:
    """What is no address comes back in the form, escaped, with a sentence that says so."""
    answer = visitor.post("/en/subscribe", data={"email": '"><script>alert(1)</script>'})
    assert answer.status_code == 422
    assert "This is not an e-mail address" in answer.text
    assert "<script>alert" not in answer.text


def test_thirty_in_ten_minutes(visitor: FlaskClient, clock: FrozenClock, sessions: Sessions) -> None:
    """Subscribers behind one address sign up side by side; the thirty-first within ten minutes waits."""
    codes = [visitor.post("/en/subscribe", data={"email": f"p{n}@example.org"}).status_code for n in range(31)]
    assert codes == [202] * 30 + [429]
    assert len(state(sessions)) == 30
    clock.advance(subscribe.SIGNUPS.per)
    assert visitor.post("/en/subscribe", data={"email": "p99@example.org"}).status_code == 202


def test_one_household_of_ipv6(visitor: FlaskClient) -> None:
    """Addresses of one /64 are counted as one visitor."""
    peers: list[dict[str, object]] = [{"REMOTE_ADDR": f"2001:db8::{n}"} for n in range(31)]
    form = {"email": "a@example.org"}
    codes = [visitor.post("/en/subscribe", data=form, environ_base=peer).status_code for peer in peers]
    assert codes[-1] == 429


def test_one_click_unsubscribe(visitor: FlaskClient, sessions: Sessions) -> None:
    """A GET only shows a button; the mail program's POST stops everything, without cookie or token of ours."""
    link = LINKS.unsubscribe("email", KEY.hash("anna@example.org")).removeprefix("http://localhost")
    assert visitor.get(link, headers={"Accept-Language": "zh-CN"}).text.count("<form") == 1
    with transaction(sessions, read_only=True) as session:
        assert session.scalar(select(func.count()).select_from(Suppression)) == 0
    assert visitor.post(link, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    with transaction(sessions, read_only=True) as session:
        assert session.scalars(select(Suppression.reason)).all() == ["opt_out"]


@pytest.mark.parametrize("path", ["/confirm/x", "/en/manage/x", "/unsubscribe/x.y", "/confirm/" + "a" * 3000])
def test_links_that_are_none(visitor: FlaskClient, path: str) -> None:
    """A damaged link says so in a page, for reading and for acting alike: without a language in the reader's."""
    wished = visitor.get(path, headers={"Accept-Language": "zh-CN"})
    assert wished.headers["Content-Language"] == ("en" if path.startswith("/en/") else "zh")
    for answer in (visitor.get(path), visitor.post(path)):
        assert answer.status_code == 404
        assert "<h1>" in answer.text


def test_unknown_language(visitor: FlaskClient) -> None:
    """There is no form in a language we do not write; without one the browser's is taken."""
    assert visitor.get("/fr/subscribe").status_code == 404
    assert visitor.get("/subscribe", headers={"Accept-Language": "zh"}).headers["Location"] == "/zh/subscribe"


def test_a_dead_database(tmp_path: Path, clock: FrozenClock) -> None:
    """With the database gone the form still opens; sending it says that it does not work now and offers the feeds."""
    settings = Settings.model_validate(
        {"data_dir": tmp_path, "secret_key": SecretStr(SECRET), "base_url": "http://localhost"}
    )
    sessions = make_sessions(make_engine(f"sqlite:///{tmp_path}/nowhere/at.db"))
    visitor = with_forms(create_app(settings, sessions, {}, clock, lambda: None))
    assert visitor.get("/ru/subscribe").status_code == 200
    answer = visitor.post("/ru/subscribe", data={"email": "anna@example.org"})
    assert answer.status_code == 503
    assert "Сейчас это не работает" in answer.text
    assert "/ru/updates.rss" in answer.text
