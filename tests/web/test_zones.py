"""No time in the console leaves open in which zone it is meant."""

from __future__ import annotations

import re

import pytest

from tests.web.site import Browser, declare

pytestmark = pytest.mark.usefixtures("operator")
FIELD = re.compile(r'<label for="(f-[^"]+)">([^<]*)[^>]*>.*?<input id="\1" type="(datetime-local|date)"', re.DOTALL)
ZONES = {"ru": "МСК", "zh": "莫斯科时间", "en": "MSK"}


@pytest.mark.parametrize("locale", ZONES)
def test_every_field_for_a_time_says_its_zone(engineer: Browser, locale: str) -> None:
    """Wherever a time or a day is typed, its label names the zone; each page says which the times without one are."""
    room = f"/console/incidents/{declare(engineer)}"
    policy = engineer.get(room).text.partition('href="/console/grace/')[2].partition('"')[0]
    engineer.post("/console/language", {"locale": locale})
    seen = 0
    for address in (
        "/console/incidents/new/billing_outage",
        f"{room}/facts",
        f"{room}/tell/update",
        f"{room}/tell/restore",
        f"/console/grace/{policy}",
    ):
        page = engineer.get(address).text
        labels = [label for _, label, _ in FIELD.findall(page)]
        assert len(labels) == page.count('type="datetime-local"') + page.count('type="date"')
        assert [label for label in labels if ZONES[locale] not in label] == []
        assert ZONES[locale] in page.partition("<footer>")[2]
        seen += len(labels)
    assert seen >= 8


def test_actors_that_are_no_persons_are_named(engineer: Browser) -> None:
    """The ledger of a promise says "the system by itself", not a program's word for it."""
    room = engineer.get(f"/console/incidents/{declare(engineer)}").text
    policy = room.partition('href="/console/grace/')[2].partition('"')[0]
    page = engineer.get(f"/console/grace/{policy}").text
    assert re.search(r'data-label="Who">engineer', page)
    assert not re.search(r'data-label="Who">(cli|system|public)<', page)
