"""The key `now` of the summary document: the same facts as on the page, as data and as words."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from statuspage.domain.route import RouteState
from statuspage.i18n import KNOWN_LOCALES
from statuspage.publish.reader import Reader
from statuspage.publish.site import render
from statuspage.publish.statuspage_v2 import documents
from statuspage.publish.view import PageView
from tests.publish import golden, views
from tests.publish.test_several import TERMINALS, day


def now(view: PageView = views.OUTAGE, locale: str = "en") -> dict[str, Any]:
    document: dict[str, Any] = json.loads(documents(Reader(view, locale))["/api/v2/summary.json"])["now"]
    return document


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
def test_the_summary_tells_the_whole_news(locale: str) -> None:
    """Words and data of one bad day, as a program reads them."""
    golden.matches(f"now.{locale}", json.dumps(now(locale=locale), ensure_ascii=False, indent=1))


def test_each_language_has_its_own_summary() -> None:
    """Below its locale; without one, in the operator's own language."""
    artifacts = render(views.OUTAGE).artifacts
    for path, tag in (("/ru", "ru"), ("/zh", "zh-Hans"), ("/en", "en"), ("", "ru")):
        document = json.loads(artifacts[f"{path}/api/v2/summary.json"].body)
        assert document["now"]["language"] == tag


def test_every_open_incident_has_its_course() -> None:
    """The worst first, each with its own next update; what works holds for all of them."""
    found = now(day(TERMINALS, views.INCIDENT))
    assert [one["id"] for one in found["incidents"]] == [views.INCIDENT.id, TERMINALS.id]
    dues = [one["next_update_at"] for one in found["incidents"]]
    assert dues == ["2026-11-22T13:00:00.000Z", "2026-11-22T11:30:12.000Z"]
    assert found["not_affected"] == ["Calls", "SMS"]


def test_our_own_state_is_told_there() -> None:
    """Outside fields say `monitoring`; here a program can see that payments are still being credited."""
    found = now(views.REPAIRED)
    assert found["incidents"][0]["state"] == "restored_catching_up"
    assert found["crediting"]["state"] == "catching_up"
    assert found["crediting"]["credited_by"] == "2026-11-22T19:00:00.000Z"


def test_in_peacetime_no_way_is_said_to_work() -> None:
    """The ways are listed as on the page, without a state that nobody has seen."""
    found = now(views.CALM)
    assert found["incidents"] == found["grace"] == found["not_affected"] == []
    assert found["crediting"] is None
    assert {(one["state"], one["text"]) for one in found["payment_routes"]} == {(None, "")}


def test_no_way_to_pay_is_said() -> None:
    """When none is known to work a program learns it without counting."""
    view = replace(views.OUTAGE, routes=tuple(replace(one, state=RouteState.DOWN) for one in views.ROUTES))
    assert now(view)["crediting"]["no_way_to_pay"] is True
    assert now()["crediting"]["no_way_to_pay"] is False
