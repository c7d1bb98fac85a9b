"""What proves a row of the playbook reads as a sentence in each language."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from statuspage.domain.evidence import Evidence
from statuspage.domain.incident import CauseCategory
from statuspage.domain.proof import FACTS, Fact, facts
from statuspage.i18n import KNOWN_LOCALES, Moments
from statuspage.publish.proof import said

NOON = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
NOTHING = Evidence(NOON, CauseCategory.DATABASE)
SHOWN = replace(
    NOTHING,
    published=True,
    published_at=NOON,
    published_by="anna00000001",
    gaps=("contact", "locale:zh"),
    campaign_ran=True,
    reachable=3,
    told=2,
    grace_policies=1,
    grace_until=NOON.replace(hour=21),
    grace_by="cli",
    grace_uncovered=("prepaid",),
    grace_unacknowledged=("dunning",),
    expected_end=NOON,
    next_update_due=NOON,
    updates_due=3,
    longest_gap=timedelta(minutes=75),
    independent_channels=("page", "sms"),
    payment_routes_shown=2,
    routes_checked_at=NOON,
)
NAMES = {"anna00000001": "Anna", "prepaid": "prepaid lines"}


def moments(locale: str) -> Moments:
    return Moments(locale, ZoneInfo("Europe/Moscow"), NOON)


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
def test_every_fact_has_a_sentence_for_and_against(locale: str) -> None:
    """No fact is without words, whether it holds or not, and no slot stays open."""
    known = {fact.key: fact for evidence in (NOTHING, SHOWN) for key in FACTS for fact in facts(key, evidence)}
    for fact in known.values():
        for holds in (True, False):
            words = said(replace(fact, holds=holds), moments(locale), NAMES)
            assert words
            assert "{" not in words


def test_a_sentence_names_what_when_and_who() -> None:
    """Times in the operator's zone, people by name, an exclusive end as the day that ends."""
    words = {fact.key: said(fact, moments("en"), NAMES) for key in FACTS for fact in facts(key, SHOWN)}
    assert words["on_page"] == "On the page since 22.11 12:00 MSK, put there by Anna."
    assert words["told"] == "Handed over: 2 of 3 messages, 66%. At least 90% is asked for."
    assert words["hold"].endswith("by the command line and stands until 22.11 24:00.")
    assert words["hold_covers"] == "It does not cover: prepaid lines."
    assert words["complete"].startswith("The page does not say yet: whom to call")
    assert words["complete"].endswith("; all of it in 中文. Add it, or answer here why it is left out.")
    assert words["followed"] == "In time: 0 of 3 updates that were due. The longest silence was 1 hour 15 minutes."
    assert words["channels"] == "Carried the news without billing: the page with its feeds, SMS."


def test_russian_counts_have_their_endings() -> None:
    """One, few and many."""
    for n, ending in ((1, "1 способ "), (3, "3 способа "), (5, "5 способов ")):
        assert ending in said(Fact("services", holds=True, n=n), moments("ru"), {})
