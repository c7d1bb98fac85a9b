from __future__ import annotations

import pytest

from statuspage.i18n import KNOWN_LOCALES
from statuspage.publish.html import page
from statuspage.publish.reader import Reader
from statuspage.publish.texts import short_texts
from statuspage.publish.view import PageView
from tests.publish import golden, views

DAYS = {"outage": views.OUTAGE, "calm": views.CALM, "repaired": views.REPAIRED, "tail": views.TAIL}


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
@pytest.mark.parametrize("day", DAYS)
def test_the_status_page_reads_as_reviewed(day: str, locale: str) -> None:
    """Every word of the front page, in each state of an outage and language, is the reviewed one."""
    golden.matches(f"status_{day}.{locale}", golden.visible(page(Reader(DAYS[day], locale), "status", "/")))


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
@pytest.mark.parametrize("name", ["pay", "history", "terminal", "lost"])
def test_the_other_pages_read_as_reviewed(name: str, locale: str) -> None:
    """Ways to pay, history, terminal advice and the page of lost readers say the reviewed words."""
    golden.matches(f"{name}.{locale}", golden.visible(page(Reader(views.OUTAGE, locale), name, None)))


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
def test_ways_to_pay_in_peacetime_read_as_reviewed(locale: str) -> None:
    """When nothing fails they are listed as usual, without a word about who has looked."""
    golden.matches(f"pay_calm.{locale}", golden.visible(page(Reader(views.CALM, locale), "pay", "/pay")))


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
def test_an_incident_page_reads_as_reviewed(locale: str) -> None:
    """The incident's own page lists its facts and its whole record in the reviewed words."""
    html = page(Reader(views.OUTAGE, locale), "incident", "/incidents/p31zjtct2jer", views.INCIDENT)
    golden.matches(f"incident.{locale}", golden.visible(html))


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
@pytest.mark.parametrize("day", DAYS)
def test_the_short_texts_read_as_reviewed(day: str, locale: str) -> None:
    """SMS, USSD, voice menu and shop notice say the reviewed words."""
    said = short_texts(Reader(DAYS[day], locale))
    golden.matches(f"texts_{day}.{locale}", "\n".join(f"[{channel}]\n{text}" for channel, text in said.items()))


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
@pytest.mark.parametrize("day", DAYS.values(), ids=list(DAYS))
def test_nothing_claims_to_be_required_by_law(day: PageView, locale: str) -> None:
    """No text tells a customer that a promise is legally required."""
    said = golden.visible(page(Reader(day, locale), "status", "/")).lower()
    assert not any(
        claim in said for claim in ("legally", "required by law", "по закону", "законом", "依法", "法律规定")
    )
