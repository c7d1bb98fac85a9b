"""Every text that a template of the console asks for is in the catalogues."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from statuspage.i18n import KNOWN_LOCALES, catalogue, slots
from statuspage.web.shell import TEMPLATES

ASKED = re.compile(r'\bt\("([a-z0-9_.]+)"(?! ~)')
FAMILY = re.compile(r'\bt\("([a-z0-9_.]+)" ~')
OWN = ("page.", "report.")
TEMPLATE_FILES = sorted([*TEMPLATES.glob("console/**/*.html"), *TEMPLATES.glob("auth/*.html")])


def _full(key: str) -> str:
    return key if key.startswith(OWN) else f"console.{key}"


@pytest.mark.parametrize("path", TEMPLATE_FILES, ids=lambda path: path.relative_to(TEMPLATES).as_posix())
@pytest.mark.parametrize("locale", KNOWN_LOCALES)
def test_a_template_asks_only_for_texts_there_are(path: Path, locale: str) -> None:
    """A missing text would be a broken page at three in the morning."""
    source = path.read_text(encoding="utf-8")
    known = catalogue(locale)
    assert [key for key in ASKED.findall(source) if _full(key) not in known] == []
    families = [key for key in FAMILY.findall(source) if not any(one.startswith(_full(key)) for one in known)]
    assert families == []


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
def test_the_console_says_the_same_in_every_language(locale: str) -> None:
    """The same keys with the same slots in each language."""
    mine, english = _slots(locale), _slots("en")
    assert mine == english


def _slots(locale: str) -> dict[str, frozenset[str]]:
    found = {}
    for key, message in catalogue(locale).items():
        if key.startswith("console."):
            forms = [message] if isinstance(message, str) else list(message.values())
            found[key] = frozenset().union(*(slots(form) for form in forms))
    return found
