"""The main job in a real browser: declared in the console, seen on the page, told, restored, resolved."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import FilePayload, Page, expect

from statuspage.i18n import gettext
from tests.e2e.house import House

OWN = "four random words together"
WAIT_MS = 30_000
TITLES = {
    "ru": "Не работают оплата и проверка баланса",
    "zh": "缴费和余额查询暂不可用",
    "en": "Payments and balance are down",
}
RESOLVED = {locale: gettext(locale, "page.incident_state.resolved") for locale in TITLES}

Visit = Callable[..., Page]
Shoot = Callable[[Page, str], None]


@pytest.fixture
def engineer(visit: Visit, house: House) -> Page:
    return _logged_in(visit(locale="en-GB"), "engineer@demo.example", house, "en")


@pytest.fixture
def approver(visit: Visit, house: House) -> Page:
    return _logged_in(visit(locale="ru-RU", color_scheme="dark"), "approver@demo.example", house, "ru")


def _logged_in(page: Page, email: str, house: House, locale: str) -> Page:
    """Log in with the first password and choose an own one, as a person does on the first day."""
    first = house.passwords[email]
    page.goto("/console/")
    page.fill("[name=email]", email)
    page.fill("[name=password]", first)
    page.click("main button")
    expect(page).to_have_url(re.compile("/console/password$"))
    page.fill("[name=current]", first)
    page.fill("[name=new]", OWN)
    page.fill("[name=again]", OWN)
    page.click("main button")
    page.click(f"button[name=locale][value={locale}]")
    return page


def _load_people(page: Page, count: int) -> None:
    header = "account_id,msisdn,email,language,segment,region"
    tongues = ("ru", "zh", "en")
    rows = [f"A{n},+79161{n:06d},p{n}@people.example,{tongues[n % 3]},prepaid,moscow" for n in range(count)]
    page.goto("/console/people")
    body = "\n".join([header, *rows, ""]).encode()
    page.set_input_files("[name=file]", FilePayload(name="people.csv", mimeType="text/csv", buffer=body))
    page.click("button[name=dry_run][value='0']")
    for _ in range(60):
        if page.locator("td", has_text="in force").count():
            return
        page.wait_for_timeout(500)
        page.reload()
    raise AssertionError("the file was not read")


def test_the_main_job(engineer: Page, approver: Page, visit: Visit, shoot: Shoot) -> None:
    """Two clicks to a public page in three languages, a second person's approval, messages out, restored, resolved."""
    engineer.goto("/console/password")
    shoot(engineer, "password")
    _load_people(engineer, 12)
    shoot(engineer, "people")

    engineer.goto("/console/incidents")
    shoot(engineer, "incidents")
    engineer.click(f"text={TITLES['en']}")
    shoot(engineer, "declare")
    engineer.click("button[value=published] >> nth=0")
    expect(engineer.locator("h1")).to_have_text(TITLES["en"])
    room = engineer.url
    _sees(engineer, room, "On the page since")  # the room says it once it is so: another process may be publishing
    shoot(engineer, "room")

    reader = visit(color_scheme="dark")
    for locale, title in TITLES.items():
        _sees(reader, f"/{locale}/", title)
        shoot(reader, f"public-{locale}")

    _campaign(engineer, approver, shoot)
    _update(engineer, room)
    _sees(reader, "/zh/", "已修复，正在观察。")
    _end(engineer, shoot)
    for locale, words in RESOLVED.items():
        _sees(reader, f"/{locale}/incidents/{room.rpartition('/')[2]}", words)


def _update(engineer: Page, room: str) -> None:
    engineer.goto(room)
    engineer.click("text=Write an update")
    engineer.click("text=Repaired, watching >> nth=0")
    engineer.fill("[name='body.ru']", "Починили, наблюдаем.")
    engineer.fill("[name='body.zh']", "已修复，正在观察。")
    engineer.fill("[name='body.en']", "Repaired; we are watching it.")
    engineer.select_option("[name=state]", "monitoring")
    engineer.click("main button.first")
    expect(engineer.locator(".updates")).to_contain_text("Repaired; we are watching it.")


def _end(engineer: Page, shoot: Shoot) -> None:
    engineer.click("a.first")
    shoot(engineer, "restore")
    engineer.click("main button.first")
    expect(engineer.locator("a.first", has_text="End of the outage")).to_be_visible()
    shoot(engineer, "restored")
    engineer.fill("[name=queued]", "1240")
    engineer.fill("[name=credited]", "1240")
    engineer.click("text=I have checked the crediting")
    engineer.click("a.first:has-text('Resolve')")
    shoot(engineer, "resolve")
    engineer.click("main button.first")
    expect(engineer.locator(".head")).to_contain_text("Resolved")
    shoot(engineer, "resolved")


def _sees(reader: Page, address: str, words: str) -> None:
    """A reader who reloads finds the words; a web process looks for a newer page once a second.

    Going there again would show what the browser keeps for the page's fifteen seconds.
    """
    reader.goto(address)
    for _ in range(WAIT_MS // 250):
        reader.reload()
        if re.search(words, reader.inner_text("body")):
            return
        reader.wait_for_timeout(250)
    raise AssertionError(f"{address} does not say {words}")


def _campaign(engineer: Page, approver: Page, shoot: Shoot) -> None:
    engineer.click("text=Tell people directly")
    engineer.click("main button.first")
    campaign = engineer.url
    engineer.click("text=Preview: whom")
    shoot(engineer, "preview")
    engineer.click("text=/Ask for approval: 24 messages/")
    expect(engineer.locator("body")).to_contain_text("somebody else has to approve")

    approver.goto(campaign)
    shoot(approver, "approve")
    approver.click("text=/Утвердить: 24 сообщения/")
    expect(approver.locator(".head")).to_contain_text("утверждена")

    engineer.goto(campaign)
    engineer.click("text=/Send 24 messages now/")
    # The page follows by itself; nobody reloads it.
    expect(engineer.locator("#progress")).to_contain_text("24 messages went out", timeout=WAIT_MS)
    shoot(engineer, "campaign")


def test_the_console_needs_no_script(visit: Visit, house: House) -> None:
    """With scripts switched off the log-in page, and what follows it, work all the same."""
    page = visit(java_script_enabled=False)
    page.goto("/console/login")
    page.fill("[name=email]", "nobody@demo.example")
    page.fill("[name=password]", "wrong password here")
    page.click("main button")
    expect(page.locator("[role=alert]")).to_be_visible()
    assert page.url.startswith(house.address)
