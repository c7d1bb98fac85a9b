"""HTML as html-validate reads it: the standard, and what it knows of accessibility."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.proof import people
from tests.proof.peers import ask
from tests.proof.product import LOCALES, Product

# A <button> in a form submits unless it says otherwise (HTML, 4.10.6); writing it out is a matter of taste.
# On a phone the cells of a table are stacked, and WebKit forgets that it was one unless the roles say so.
_TASTE = {"no-implicit-button-type": "off", "no-redundant-role": "off"}
RULES = {"extends": ["html-validate:standard", "html-validate:a11y"], "rules": _TASTE}


def faults(pages: Mapping[str, str]) -> list[str]:
    """Each kind of fault once: the rule, what it says, on how many pages, and where first."""
    whole = [{"name": path, "html": text} for path, text in pages.items()]
    found: dict[tuple[str, str], list[str]] = {}
    for one in ask("html.mjs", {"config": RULES, "pages": whole}):
        place = f"{one['page']} line {one['line']} {one['selector']}"
        found.setdefault((one["rule"], one["message"]), []).append(place)
    return [f"{rule}: {text} ({len(places)} times, as on {places[0]})" for (rule, text), places in found.items()]


@pytest.mark.parametrize("moment", ["calm", "repaired", "outage"])
def test_every_public_page_is_valid(running: Product, moment: str) -> None:
    """Calm, repaired and in an outage, in every language: no page breaks the standard."""
    pages = running.pages[moment]
    assert {f"/{locale}/{name}" for locale in LOCALES for name in ("", "history", "pay", "nowhere")} <= set(pages)
    assert faults(pages) == []


@pytest.mark.parametrize("locale", LOCALES)
def test_every_page_of_a_sign_up_is_valid(running: Product, locale: str) -> None:
    """From the form over the confirmed address to the end of it, no page breaks the standard."""
    assert faults(people.sign_up(running, locale)) == []


@pytest.mark.parametrize(("role", "locale"), [*(("manager", locale) for locale in LOCALES), ("admin", "en")])
def test_every_screen_of_the_console_is_valid(running: Product, role: str, locale: str) -> None:
    """Whatever a manager (in every language) or an administrator can reach, with what htmx loads, is valid."""
    found = people.screens(people.staff(running, role), locale)
    assert len(found) > 15
    assert faults(found) == []
