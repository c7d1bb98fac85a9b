"""Logging in, staying in, and being kept out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from statuspage.clock import FrozenClock
from statuspage.db import Sessions, transaction
from statuspage.models import LoginFailure
from statuspage.services import audit, guesses, passwords, users
from statuspage.services.actor import CLI
from statuspage.web import auth
from statuspage.web.access import access
from statuspage.web.proxies import peer
from statuspage.web.throttle import Limit, Throttle
from tests.databases import NOW
from tests.web.site import PASSWORD, Browser, Build

OTHER = "five other random words now"
ELSEWHERE = {"REMOTE_ADDR": "203.0.113.9"}


def test_the_console_sends_a_stranger_to_the_log_in(browser: Browser) -> None:
    """Without a log-in every page of the console leads to the log-in and back again afterwards."""
    answer = browser.get("/console/password")
    assert answer.status_code == 302
    assert answer.location == "/console/login?next=/console/password?"


def test_a_person_logs_in_and_out(browser: Browser, person: Callable[..., str]) -> None:
    """The right password opens the console; logging out ends the log-in on the server too."""
    assert browser.log_in(person()).status_code == 303
    assert browser.get("/console/password").status_code == 200
    cookie = browser.client.get_cookie("console")
    browser.post("/console/logout")
    assert cookie is not None
    browser.client.set_cookie("console", cookie.value)
    assert browser.get("/console/password").status_code == 302


@pytest.mark.parametrize("password", ["wrong password here", ""])
def test_every_refused_log_in_reads_the_same(browser: Browser, person: Callable[..., str], password: str) -> None:
    """Whether an address exists cannot be read off the answer."""
    known = browser.log_in(person(), password)
    unknown = browser.log_in("nobody@demo.example", password)
    assert (known.status_code, unknown.status_code) == (422, 422)
    assert _without_tokens(known.text) == _without_tokens(unknown.text)


def test_one_address_cannot_try_for_ever(browser: Browser, person: Callable[..., str], clock: FrozenClock) -> None:
    """After ten tries even the right password waits, whoever's account was tried."""
    email = person()
    for number in range(auth.tries.limit.tries):
        browser.log_in(f"nobody{number}@demo.example", "wrong password here")
    assert browser.log_in(email).status_code == 422
    clock.advance(auth.tries.limit.per)
    assert browser.log_in(email).status_code == 303


def test_one_who_guesses_keeps_out_nobody_who_has_logged_in_from_there(
    browser: Browser, person: Callable[..., str]
) -> None:
    """Past the tries of an address whoever is known there gets in, a mistyped password or two included; the account
    that was guessed at waits, and so does everybody who never came from there."""
    shift, guessed, stranger = person("approver"), person("viewer"), person("manager")
    browser.client.environ_base.update(ELSEWHERE)
    for email in (shift, guessed):
        assert browser.log_in(email).status_code == 303
        browser.post("/console/logout")
    for number in range(16):
        browser.log_in(guessed if number < 8 else f"nobody{number}@demo.example", "wrong password here")
    assert browser.log_in(guessed).status_code == 422
    assert browser.log_in(stranger).status_code == 422
    assert browser.log_in(shift, "wrong password here").status_code == 422
    assert browser.log_in(shift).status_code == 303
    browser.post("/console/logout")
    assert browser.log_in(stranger).status_code == 422  # a log-in past the tries gives none back
    for _ in range(guesses.FREE_ATTEMPTS):
        browser.log_in(shift, "wrong password here")
    assert browser.log_in(shift).status_code == 422


def _looked_at(monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object] = lambda: None) -> list[str]:
    """The passwords that cost their work from now on; `meanwhile` runs within that work."""
    looked, matches = [], passwords.matches

    def look(password_hash: str, password: str) -> bool:
        looked.append(password)
        meanwhile()
        return matches(password_hash, password)

    monkeypatch.setattr(passwords, "matches", look)
    return looked


def _spend(browser: Browser) -> None:
    for number in range(auth.tries.limit.tries):
        browser.log_in(f"nobody{number}@demo.example", "wrong password here")


def test_past_the_tries_of_an_address_nobody_costs_less_and_leaves_a_row(
    browser: Browser, person: Callable[..., str], sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Known there, known elsewhere, unknown: the same answer for the same work; what nobody knows is not kept."""
    here, elsewhere = person("approver"), person("manager")
    assert browser.log_in(here).status_code == 303
    browser.post("/console/logout")
    _spend(browser)
    with transaction(sessions) as session:
        before = session.scalar(select(func.count()).select_from(LoginFailure))
    looked = _looked_at(monkeypatch)
    answers = [browser.log_in(one, f"{one} wrong") for one in (elsewhere, "nobody@demo.example", here)]
    assert {one.status_code for one in answers} == {422}
    assert looked == [f"{one} wrong" for one in (elsewhere, "nobody@demo.example", here)]
    with transaction(sessions) as session:
        assert session.scalar(select(func.count()).select_from(LoginFailure)) == before


def test_past_its_tries_an_address_holds_one_thread(
    build: Build, person: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A further try from there at the same moment is refused without any work; from elsewhere it is looked at."""
    app, email = build(), person()
    first, second = Browser(app.test_client()), Browser(app.test_client())
    _spend(first)
    second.get("/console/login")
    inner: list[int] = []

    def meanwhile() -> None:
        if not inner:
            inner.append(0)
            inner.append(second.log_in(email, "second").status_code)
            second.client.environ_base.update(ELSEWHERE)
            inner.append(second.log_in(email, "third").status_code)

    looked = _looked_at(monkeypatch, meanwhile)
    assert first.log_in(email, "first").status_code == 422
    assert inner == [0, 422, 422]
    assert looked == ["first", "third"]
    first.log_in(email, "fourth")
    assert looked[-1] == "fourth"


def test_a_whole_shift_logs_in_behind_one_address(browser: Browser, person: Callable[..., str]) -> None:
    """The right password uses up no try."""
    email = person()
    for _ in range(auth.tries.limit.tries + 1):
        assert browser.log_in(email).status_code == 303
        browser.post("/console/logout", {})


def test_nobody_waits_while_a_password_is_looked_at(
    browser: Browser, person: Callable[..., str], sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others write meanwhile: that work, 50 ms a guess, is done in no transaction."""
    email, wrote, matches = person(), [], passwords.matches

    def write_meanwhile(password_hash: str, password: str) -> bool:
        with transaction(sessions) as session:
            audit.record(session, CLI, "user.enabled", "user", "-", NOW)
        wrote.append(password)
        return matches(password_hash, password)

    monkeypatch.setattr(passwords, "matches", write_meanwhile)
    assert browser.log_in(email, "wrong password here").status_code == 422
    assert browser.log_in("nobody@demo.example").status_code == 422
    assert browser.log_in(email).status_code == 303
    browser.get("/console/password")
    assert browser.post("/console/password", {"current": PASSWORD, "new": OTHER, "again": OTHER}).status_code == 303
    assert wrote == ["wrong password here", PASSWORD, PASSWORD, PASSWORD]


def test_a_guesser_keeps_the_owner_out_of_his_own_network_only(browser: Browser, person: Callable[..., str]) -> None:
    """After wrong passwords from one network its neighbours wait too, with the same answer; from elsewhere the owner
    logs in at once."""
    email = person()
    browser.client.environ_base["REMOTE_ADDR"] = "203.0.113.7"
    wrong = [browser.log_in(email, "wrong password here") for _ in range(6)]
    browser.client.environ_base["REMOTE_ADDR"] = "203.0.113.9"
    waits = browser.log_in(email)
    assert waits.status_code == 422
    assert {_without_tokens(one.text) for one in wrong} == {_without_tokens(waits.text)}
    browser.client.environ_base["REMOTE_ADDR"] = "198.51.100.9"
    assert browser.log_in(email).status_code == 303


def test_a_first_password_works_on_this_machine_only_and_must_be_changed(
    browser: Browser, sessions: Sessions, clock: FrozenClock
) -> None:
    """From elsewhere it is refused like a wrong one; here it leads to the change and nowhere else."""
    with transaction(sessions) as session:
        user, first = users.add_user(session, CLI, email="new@demo.example", role="viewer", now=clock.now())
    browser.client.environ_base.update(ELSEWHERE)
    assert browser.log_in(user.email, first).status_code == 422
    browser.client.environ_base["REMOTE_ADDR"] = "127.0.0.1"
    browser.log_in(user.email, first)
    assert browser.get("/console/").location == "/console/password"
    browser.get("/console/password")
    changed = browser.post("/console/password", {"current": first, "new": PASSWORD, "again": PASSWORD})
    assert changed.status_code == 303
    browser.client.environ_base.update(ELSEWHERE)
    assert browser.log_in(user.email).status_code == 303


@pytest.mark.parametrize(
    "header",
    [
        "X-Forwarded-For",
        "X-Forwarded-Port",
        "X-Real-IP",
        "Forwarded",
        "Via",
        "CF-Connecting-IP",
        "True-Client-IP",
    ],
)
def test_a_first_password_is_not_taken_from_an_unnamed_proxy(
    browser: Browser, sessions: Sessions, clock: FrozenClock, header: str
) -> None:
    """A proxy on this machine that no setting names makes every visitor look local; its own header gives it away."""
    with transaction(sessions) as session:
        user, first = users.add_user(session, CLI, email="new@demo.example", role="viewer", now=clock.now())
    browser.client.environ_base["HTTP_" + header.upper().replace("-", "_")] = "203.0.113.9"
    assert browser.log_in(user.email, first).status_code == 422


@pytest.mark.parametrize("said", [{"HTTP_X_FORWARDED_FOR": "127.0.0.1"}, {}])
@pytest.mark.parametrize("proxy", ["10.0.0.7", "127.0.0.1"])
def test_a_first_password_is_not_taken_from_a_trusted_proxy(
    build: Build, sessions: Sessions, clock: FrozenClock, proxy: str, said: dict[str, str]
) -> None:
    """Whoever comes through a proxy is elsewhere, whatever the proxy says or leaves out."""
    with transaction(sessions) as session:
        user, first = users.add_user(session, CLI, email="new@demo.example", role="viewer", now=clock.now())
    browser = Browser(build(trusted_proxies="10.0.0.0/8,127.0.0.0/8").test_client())
    browser.client.environ_base.update({"REMOTE_ADDR": proxy, **said})
    assert browser.log_in(user.email, first).status_code == 422


def test_a_trusted_proxy_is_believed(build: Build) -> None:
    """Behind a proxy that the settings name, the client is the one it names; anybody else's word is not taken."""
    app = build(trusted_proxies="10.0.0.0/8")
    app.add_url_rule("/peer", "peer", access.public(peer))
    headers = {"X-Forwarded-For": "198.51.100.4, 203.0.113.9, 10.0.0.8"}
    seen = [
        app.test_client().get("/peer", headers=headers, environ_base={"REMOTE_ADDR": address}).text
        for address in ("10.0.0.7", "192.0.2.1")
    ]
    assert seen == ["203.0.113.9", "192.0.2.1"]


def test_changing_the_password_ends_other_log_ins(build: Build, person: Callable[..., str]) -> None:
    """A stolen log-in does not outlive the change."""
    app, email = build(), person()
    here, there = Browser(app.test_client()), Browser(app.test_client())
    here.log_in(email)
    there.log_in(email)
    here.get("/console/password")
    here.post("/console/password", {"current": PASSWORD, "new": OTHER, "again": OTHER})
    assert here.get("/console/password").status_code == 200
    assert there.get("/console/password").status_code == 302


def test_the_passwords_must_agree(engineer: Browser) -> None:
    """A mistyped new password is refused at its field, and the log-in goes on."""
    engineer.get("/console/password")
    answer = engineer.post("/console/password", {"current": PASSWORD, "new": OTHER, "again": "five"})
    assert answer.status_code == 422
    assert 'id="again-mistake"' in answer.text


def test_the_log_in_lasts_a_shift(engineer: Browser, clock: FrozenClock) -> None:
    """After twelve hours the password is asked again, however busy the person was."""
    for _ in range(13):
        clock.advance(timedelta(hours=1))
        answer = engineer.get("/console/password")
    assert answer.status_code == 302


@pytest.mark.parametrize("onward", ["https://evil.example/", "//evil.example", "/console/\\x", "/else", "/console/\n"])
def test_the_log_in_never_leads_to_another_site(browser: Browser, person: Callable[..., str], onward: str) -> None:
    """`next` is believed only for a page of this console."""
    email = person()
    browser.get("/console/login")
    answer = browser.post("/console/login", {"email": email, "password": PASSWORD, "next": onward})
    assert answer.location == "/console/incidents"


def test_a_form_without_its_token_is_refused(engineer: Browser) -> None:
    """Another site cannot make a logged-in person's browser act."""
    engineer.page = ""
    assert engineer.post("/console/logout").status_code == 400
    assert engineer.get("/console/password").status_code == 200


def test_the_language_is_chosen_by_anybody(browser: Browser) -> None:
    """The log-in page itself can be read in every language of the page."""
    browser.get("/console/login")
    browser.post("/console/language", {"locale": "zh", "next": "/console/login"})
    assert "<h1>登录</h1>" in browser.get("/console/login").text


def test_a_chosen_language_stays(build: Build, person: Callable[..., str]) -> None:
    """What is chosen on the log-in page holds after the log-in; what a person chooses in the console is spoken at the
    next log-in too, from another browser; without any choice it is the browser's, then the person's own."""
    app, email = build(), person(locale="ru")
    first = Browser(app.test_client())
    asked = {"Accept-Language": "en-GB"}
    assert 'lang="en"' in first.client.get("/console/login", headers=asked).text[:60]
    first.log_in(email)
    assert 'lang="ru"' in first.get("/console/password").text[:60]
    first.post("/console/language", {"locale": "zh", "next": "/console/password"})
    assert 'lang="zh-Hans"' in first.get("/console/password").text[:60]
    first.post("/console/logout")
    second = Browser(app.test_client())
    second.log_in(email)
    assert 'lang="zh-Hans"' in second.get("/console/password").text[:60]
    third = Browser(app.test_client())
    third.get("/console/login")
    third.post("/console/language", {"locale": "en", "next": "/console/login"})
    third.log_in(email)
    assert 'lang="en"' in third.get("/console/password").text[:60]


def test_the_bucket_forgets_the_longest_silent_address() -> None:
    """A flood of addresses cannot fill the memory, and cannot empty the bucket of the one that floods."""
    throttle = Throttle(Limit(tries=1, per=timedelta(minutes=1)))
    assert throttle.take("a", NOW)
    assert not throttle.take("a", NOW)
    for number in range(20_000):
        throttle.take(str(number), NOW)
    assert throttle.take("a", NOW)


def test_the_bucket_survives_a_clock_set_back() -> None:
    """Time running backwards neither refills nor raises."""
    throttle = Throttle(Limit(tries=1, per=timedelta(minutes=1)))
    assert throttle.take("a", NOW)
    assert not throttle.take("a", NOW - timedelta(hours=1))


def _without_tokens(page: str) -> str:
    return "\n".join(line for line in page.splitlines() if "csrf_token" not in line and 'name="email"' not in line)
