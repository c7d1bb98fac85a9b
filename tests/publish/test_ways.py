"""What the page says of ways to pay, on a bad day and on a good one."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

import statuspage
from statuspage.domain.component import ComponentState
from statuspage.domain.route import RouteKind, RouteState
from statuspage.i18n import KNOWN_LOCALES, gettext
from statuspage.publish.html import page
from statuspage.publish.reader import Reader
from statuspage.publish.texts import short_texts
from statuspage.publish.view import PageView
from tests.publish import golden, views

UNCHECKED = {"ru": "не проверено", "zh": "未核实", "en": "not checked"}
KEEPING = {"ru": ("Сохраните", "сохраните"), "zh": ("保留", "保存", "保管"), "en": ("Keep", "keep")}
BARE = replace(views.INCIDENT, component_ids=())
NETWORK = replace(views.INCIDENT, component_ids=("c1x000000005",))


def said(view: PageView, name: str, locale: str = "en") -> str:
    return golden.visible(page(Reader(view, locale), name, "/"))


def with_states(view: PageView, **states: RouteState) -> PageView:
    """`view` with the states of the ways whose English names are given, in one word."""
    named = {name.replace("_", " "): state for name, state in states.items()}
    routes = tuple(replace(one, state=named.get(one.name["en"].body, one.state)) for one in view.routes)
    return replace(view, routes=routes)


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
@pytest.mark.parametrize("name", ["status", "pay"])
def test_in_peacetime_nothing_is_said_to_be_unchecked(name: str, locale: str) -> None:
    """A page on which all services work does not cast doubt on every way to pay."""
    for view in (views.CALM, views.TAIL):
        assert UNCHECKED[locale] not in said(view, name, locale)


def test_in_peacetime_a_check_that_is_left_over_sets_no_way_apart() -> None:
    """Two ways checked before the end of an outage stand in the usual place, looking like the others."""
    view = with_states(views.CALM, Bank_app=RouteState.WORKS, Kiosk=RouteState.WORKS)
    names = [route.name["en"].body for route in Reader(view, "en").routes(RouteKind.PAYMENT)]
    assert names == ["USSD", "Kiosk", "Bank app", "Card on our site", "Our shops"]
    assert "credited at once" not in said(view, "pay")
    assert "Pay now" not in said(view, "status")


def test_a_way_that_fails_in_peacetime_is_told_and_no_other_is_doubted() -> None:
    """A kiosk out of order stands on the front page; of what nobody has checked nothing is said."""
    view = with_states(views.CALM, Kiosk=RouteState.DOWN)
    front, pay = said(view, "status"), said(view, "pay")
    assert "Kiosk do not use" in front
    assert "Bank app" not in front
    assert "Kiosk do not use" in pay
    assert "Bank app\n" in pay
    assert "not checked" not in front + pay


@pytest.mark.parametrize(
    ("view", "doubted"),
    [
        (views.OUTAGE, True),
        (replace(views.OUTAGE, components=views.CALM.components), True),  # a billing incident is enough
        (replace(views.OUTAGE, incidents=()), True),  # and so is a billing service that fails without one
        (replace(views.CALM, incidents=(BARE,)), True),  # who does not say what fails may mean billing
        (replace(views.CALM, incidents=(NETWORK,)), False),
        (views.REPAIRED, False),
        (views.CALM, False),
    ],
)
def test_what_nobody_has_checked_is_warned_of_while_payments_fail(view: PageView, doubted: bool) -> None:
    """Unknown is said to be unknown while billing fails, and only then; it is never shown as working."""
    for name in ("status", "pay"):
        assert ("not checked" in said(view, name)) is doubted
    shop = next(one for one in view.routes if one.name["en"].body == "Our shops")
    assert Reader(view, "en").route_shape(shop) == ("unknown" if doubted else "none")


def test_after_the_repair_the_ways_that_are_known_are_named() -> None:
    """While payments are still being credited the front page goes on naming what somebody has seen."""
    front = said(views.REPAIRED, "status")
    assert "Bank app credited at once" in front
    assert "Our shops" not in front


def test_after_a_repair_that_nobody_has_tried_yet_the_ways_are_listed_as_usual() -> None:
    """When no way is known to work or to fail, none is marked, and nothing is said of an order."""
    view = replace(views.REPAIRED, routes=views.CALM.routes)
    pay = said(view, "pay")
    assert "Payments work again: pay any way you like." in pay
    assert 'class="mark' not in page(Reader(view, "en"), "pay", "/pay").decode()
    assert "Pay now" not in said(view, "status")


def test_a_disturbed_network_does_not_touch_payments() -> None:
    """Slow mobile data alone brings no list of ways to pay to the front page."""
    slow = tuple(
        one if one.billing else replace(one, state=ComponentState.DEGRADED_PERFORMANCE) for one in views.CALM.components
    )
    assert "Pay now" not in said(replace(views.CALM, components=slow, incidents=(NETWORK,)), "status")


def test_the_receipt_is_asked_for_once() -> None:
    """The page asks to keep it by itself, so no step of a sample way to pay says so again."""
    source = Path(statuspage.__file__).parent / "sample" / "routes.toml"
    asked = [one for one in tomllib.loads(source.read_text(encoding="utf-8"))["routes"] if one.get("receipt_needed")]
    assert len(asked) == 5
    for route in asked:
        for locale, words in KEEPING.items():
            assert not any(word in route["how_to"][locale] for word in words), route["key"]


def test_what_only_catches_up_is_not_taken_for_failing() -> None:
    """After the repair billing may be slow for hours; the ways to pay are not doubted for that."""
    slow = tuple(
        replace(one, state=ComponentState.DEGRADED_PERFORMANCE) if one.id in views.INCIDENT.component_ids else one
        for one in views.CALM.components
    )
    view = replace(views.REPAIRED, components=slow)
    assert "not checked" not in said(view, "status") + said(view, "pay")
    others = replace(views.REPAIRED, components=views.OUTAGE.components)  # a third service fails that no incident names
    assert "not checked" in said(others, "status")


def test_a_time_of_checking_is_said_once() -> None:
    """Whoever reads "not checked since 11:20" is not told in the next line that it was checked at 11:20."""
    pay = said(views.OUTAGE, "pay")
    assert "Our shops not checked since 11:20 MSK\nOnly: Moscow.\n" in pay
    assert pay.count("11:20") == 1


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
def test_voice_and_shop_name_the_ways_that_are_credited_later(locale: str) -> None:
    """The notice in our own shop names that shop, also where no way is credited at once; the SMS stays short."""
    view = with_states(views.OUTAGE, Our_shops=RouteState.WORKS_DELAYED, Bank_app=RouteState.DOWN)
    said = short_texts(Reader(view, locale))
    names = gettext(locale, "moments.list_separator").join(view.routes[at].name[locale].body for at in (1, 4))
    assert gettext(locale, "text.ivr.ways_delayed", names=names) in said["ivr"]
    assert gettext(locale, "text.shop.delayed", names=names) in said["shop"]
    assert gettext(locale, "text.shop.works", names="").rstrip() not in said["shop"]
    assert names not in said["sms"] + said["ussd"]
