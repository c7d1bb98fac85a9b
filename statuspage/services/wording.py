"""What a person wrote, before it is kept: not empty, not endless, no control characters, in languages we know."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

from statuspage.domain.errors import RuleError, raise_together
from statuspage.i18n import KNOWN_LOCALES
from statuspage.services.texts import Texts

TITLE_LENGTH = 200
BODY_LENGTH = 10_000
NOTE_LENGTH = 2_000

# Controls and half characters; marks that turn the direction of writing and so can make a text read as another;
# code points that are no characters, of which one in a title would keep every feed from being written (XML 1.0 §2.2).
_UNFIT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(plane + last) for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF))
    + "]"
)


# Of these nothing is seen and nothing is meant: soft hyphens, joiners of words, byte order marks, fillers, tags. They
# come along when a text is pasted.
_NOTHING = re.compile("[\u00ad\u115f\u1160\u180e\u2060-\u2064\u3164\ufeff\uffa0\U000e0000-\U000e007f]")
_BREAKS = re.compile("\r\n|[\u2028\u2029]")


def titles(texts: Texts, source: str) -> Texts:
    """`checked`, each on one line: a title becomes a mail's subject and a line of an SMS."""
    return checked({locale: " ".join(body.split()) for locale, body in texts.items()}, source, "title", TITLE_LENGTH)


def checked(texts: Texts, source: str, field: str, limit: int, known: Collection[str] = KNOWN_LOCALES) -> Texts:
    """`texts` trimmed and composed, without the empty ones. The source's must be there; the others may be missing.

    Raises every fault at once.
    """
    unknown = sorted({*texts, source} - set(known))
    if unknown:
        allowed = ", ".join(known)
        raise RuleError("text.unknown_locale", f"{field}: there is no language {unknown[0]!r}. Use: {allowed}.", field)
    kept, wrong = {}, []
    for locale, body in texts.items():
        if body.strip():
            try:
                kept[locale] = line(body, f"{field}.{locale}", limit)
            except RuleError as error:
                wrong.append(error)
    if not texts.get(source, "").strip():
        message = f"{field}: nothing is written in {source}. Write it there first."
        wrong.append(RuleError("text.empty", message, f"{field}.{source}"))
    raise_together(wrong)
    return kept


def line(text: str, field: str, limit: int) -> str:
    """One text, trimmed and without what nobody sees; RuleError when it is too long or holds control characters other
    than breaks and tabs."""
    tidy = unicodedata.normalize("NFC", _NOTHING.sub("", _BREAKS.sub("\n", text))).strip()
    if len(tidy) > limit:
        raise RuleError(
            "text.too_long", f"{field}: it has {len(tidy)} characters, at most {limit} are kept. Shorten it.", field
        )
    found = _UNFIT.search(tidy)
    if found is not None:
        raise RuleError(
            "text.control_character",
            f"{field}: it holds the invisible character U+{ord(found[0]):04X}. Paste it as plain text.",
            field,
        )
    return tidy


def required(text: str, field: str, limit: int = NOTE_LENGTH) -> str:
    """`line`, refusing an empty text."""
    tidy = line(text, field, limit)
    if not tidy:
        raise RuleError("text.empty", f"{field}: nothing is written. Say it in a sentence.", field)
    return tidy
