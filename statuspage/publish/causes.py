"""The cause that an update closes with is a fact: a reader is told it in his own language, also where the words before
it are not translated yet."""

from __future__ import annotations

from statuspage.domain.incident import CauseCategory
from statuspage.publish.view import Text, Words
from statuspage.services.updates import cause_sentence


def in_own_language(body: Words) -> Words:
    """`body` with that sentence, where it stands in another language than the reader's, in the reader's."""
    return Words({locale: _told(text, locale) for locale, text in body.by_locale.items()})


def _told(text: Text, locale: str) -> Text:
    if text.locale == locale:
        return text
    for cause in CauseCategory:
        closing = f"\n\n{cause_sentence(text.locale, cause)}"
        if text.body.endswith(closing):
            return Text(f"{text.body.removesuffix(closing)}\n\n{cause_sentence(locale, cause)}", text.locale)
    return text
