"""What a person wrote, before it is kept: not empty, not endless, no control characters, in languages we know."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection

from statuspage.domain.errors import RuleError
from statuspage.i18n import KNOWN_LOCALES
from statuspage.services.texts import Texts

TITLE_LENGTH = 200
BODY_LENGTH = 10_000
NOTE_LENGTH = 2_000


def checked(texts: Texts, source: str, field: str, limit: int, known: Collection[str] = KNOWN_LOCALES) -> Texts:
    """`texts` trimmed and composed, without the empty ones. The source's must be there; the others may be missing."""
    unknown = sorted({*texts, source} - set(known))
    if unknown:
        allowed = ", ".join(known)
        raise RuleError("text.unknown_locale", f"{field}: there is no language {unknown[0]!r}. Use: {allowed}.", field)
    kept = {locale: line(body, f"{field}.{locale}", limit) for locale, body in texts.items() if body.strip()}
    if source not in kept:
        raise RuleError("text.empty", f"{field}: nothing is written in {source}. Write it there first.", field)
    return kept


def line(text: str, field: str, limit: int) -> str:
    """One text, trimmed; RuleError when it is too long or holds control characters other than line breaks and tabs."""
    tidy = unicodedata.normalize("NFC", text.replace("\r\n", "\n")).strip()
    if len(tidy) > limit:
        raise RuleError(
            "text.too_long", f"{field}: it has {len(tidy)} characters, at most {limit} are kept. Shorten it.", field
        )
    if any(unicodedata.category(one) in {"Cc", "Cs"} and one not in "\n\t" for one in tidy):
        raise RuleError(
            "text.control_character", f"{field}: it holds a control character. Paste it as plain text.", field
        )
    return tidy


def required(text: str, field: str, limit: int = NOTE_LENGTH) -> str:
    """`line`, refusing an empty text."""
    tidy = line(text, field, limit)
    if not tidy:
        raise RuleError("text.empty", f"{field}: nothing is written. Say it in a sentence.", field)
    return tidy
