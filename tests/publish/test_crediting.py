"""What the page says of money: it follows the record, and no sentence gainsays a way to pay beside it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product

import pytest

from statuspage.domain.incident import IncidentState
from statuspage.domain.route import RouteKind, RouteState
from statuspage.i18n import KNOWN_LOCALES, gettext
from statuspage.publish.crediting import Crediting, CreditingKind, crediting
from statuspage.publish.html import page
from statuspage.publish.reader import Reader
from statuspage.publish.texts import short_texts
from statuspage.publish.view import PageView
from tests.publish import golden, views

DUE = views.INCIDENT.credited_by
CREDITED = replace(
    views.REPAIRED,
    incidents=(replace(views.REPAIRED.incidents[0], credited_at=views.RESTORED + timedelta(minutes=2)), views.PAST),
)


def promised(view: PageView, credited_by: datetime | None) -> PageView:
    return replace(view, incidents=(replace(view.incidents[0], credited_by=credited_by), *view.incidents[1:]))


def read(view: PageView, locale: str = "en", name: str = "status") -> str:
    return golden.visible(page(Reader(view, locale), name, "/"))


@pytest.mark.parametrize(
    ("view", "found"),
    [
        (views.OUTAGE, Crediting(CreditingKind.ACCEPTED, DUE)),
        (promised(views.OUTAGE, None), Crediting(CreditingKind.ACCEPTED)),
        (views.REPAIRED, Crediting(CreditingKind.CATCHING_UP, DUE)),
        (promised(views.REPAIRED, views.RESTORED), Crediting(CreditingKind.CATCHING_UP)),
        (CREDITED, Crediting(CreditingKind.CREDITED)),
        (views.TAIL, None),
        (views.CALM, None),
    ],
)
def test_it_follows_the_state_of_the_incident(view: PageView, found: Crediting | None) -> None:
    """Waiting while it fails, catching up when restored, credited when a person confirmed it; a past time is none."""
    assert crediting(view) == found


def test_an_outage_of_the_network_says_nothing_of_money() -> None:
    """Where no open incident touches payments, nobody is told anything about crediting."""
    calls = replace(views.INCIDENT, component_ids=(views.COMPONENTS[3].id,))
    assert crediting(replace(views.OUTAGE, incidents=(calls,))) is None


def test_two_incidents_promise_no_time_that_only_one_has() -> None:
    """A time is named only when each incident that still fails has one, and then the latest."""
    other = replace(views.INCIDENT, id="p31zjtct2jes", credited_by=None)
    both = replace(views.OUTAGE, incidents=(views.INCIDENT, other))
    assert crediting(both) == Crediting(CreditingKind.ACCEPTED)
    assert DUE is not None
    later = replace(other, credited_by=DUE + timedelta(hours=1))
    assert crediting(replace(both, incidents=(views.INCIDENT, later))) == Crediting(
        CreditingKind.ACCEPTED, later.credited_by
    )


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
@pytest.mark.parametrize("name", ["status", "pay"])
def test_no_sentence_about_payments_made_now_stands_over_the_ways_to_pay(name: str, locale: str) -> None:
    """Over the ways to pay the page speaks of what has reached us, whatever states they and the incident have."""
    never = {"en": "Payments made now", "ru": "сделанные сейчас", "zh": "现在缴纳"}[locale]
    repair = {"en": "after the repair", "ru": "после восстановления", "zh": "恢复后"}[locale]
    for view, state, due in product((views.OUTAGE, views.REPAIRED, CREDITED), RouteState, (None, DUE)):
        routes = tuple(replace(one, state=state) for one in views.ROUTES)
        said = read(promised(replace(view, routes=routes), due), locale, name)
        assert never not in said
        if view is not views.OUTAGE:
            assert repair not in said


def test_after_the_repair_a_slow_way_promises_no_time_of_the_outage() -> None:
    """By when payments of the outage are credited says nothing of one that is made after it."""
    kiosk = next(one for one in views.ROUTES if one.state is RouteState.WORKS_DELAYED)
    assert Reader(views.OUTAGE, "en").credit(kiosk) == "credited by 22:00 MSK"
    assert Reader(views.REPAIRED, "en").credit(kiosk) == "credited later"


@pytest.mark.parametrize("state", [RouteState.DOWN, RouteState.DEGRADED, RouteState.UNKNOWN])
def test_that_no_way_to_pay_is_known_to_work_is_said(state: RouteState) -> None:
    """People are asked to wait when nothing is known to work; a single way that queues is enough not to."""
    ways = tuple(replace(one, state=state) for one in views.ROUTES)
    assert "No way to pay is confirmed to work now" in read(replace(views.OUTAGE, routes=ways))
    assert ways[0].kind is RouteKind.PAYMENT
    one_queues = (replace(ways[0], state=RouteState.WORKS_DELAYED), *ways[1:])
    assert "No way to pay" not in read(replace(views.OUTAGE, routes=one_queues))
    assert "No way to pay" not in read(replace(views.REPAIRED, routes=ways))


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
def test_once_all_is_credited_nothing_says_that_it_goes_on(locale: str) -> None:
    """Page, voice and SMS say that it arrived, and neither the state nor "do not pay twice" says otherwise."""
    reader = Reader(CREDITED, locale)
    told = read(CREDITED, locale) + "".join(short_texts(reader).values())
    incident = golden.visible(page(reader, "incident", "/", CREDITED.incidents[0]))
    assert gettext(locale, "page.crediting.credited") in told
    assert gettext(locale, "text.ivr.credited") in told
    assert gettext(locale, "page.crediting.twice") not in told
    assert gettext(locale, "text.twice") not in told
    assert gettext(locale, "page.incident_state.credited") in incident
    assert gettext(locale, f"page.incident_state.{IncidentState.RESTORED_CATCHING_UP}") not in incident
