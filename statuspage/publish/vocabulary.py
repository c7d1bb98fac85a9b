"""The operator's own words, read once for a rendering: regions, segments, and any text chosen for every locale."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from statuspage.publish.view import Text, Words
from statuspage.services import reference, texts
from statuspage.services.texts import Wording

Wordings = Mapping[tuple[int, str], Wording]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words for the locales of the page. A key that nobody named stays a key, which is ugly and true."""

    locales: tuple[str, ...]
    regions: Mapping[str, Words]
    segments: Mapping[str, Words]

    def words(self, wordings: Wordings, entity_id: int, field: str, instead: str = "") -> Words:
        found = self.maybe(wordings, entity_id, field)
        return found if found is not None else Words({locale: Text(instead, locale) for locale in self.locales})

    def maybe(self, wordings: Wordings, entity_id: int, field: str) -> Words | None:
        """The text in every locale, the original where a translation is missing or outdated; None when unwritten."""
        wording = wordings.get((entity_id, field))
        return chosen(wording, self.locales) if wording is not None else None

    def named(self, keys: Iterable[str], among: Mapping[str, Words]) -> tuple[Words, ...]:
        return tuple(among[key] for key in keys if key in among)

    def limits(self, keys: Collection[str], among: Mapping[str, Words]) -> tuple[Words, ...]:
        """Named, unless they are all there are: what holds for each of them is not limited to some."""
        return () if among.keys() <= set(keys) else self.named(keys, among)


def chosen(wording: Wording, locales: tuple[str, ...]) -> Words:
    return Words({locale: Text(*wording.pick(locale)) for locale in locales})


def read(session: Session, locales: tuple[str, ...]) -> Vocabulary:
    regions, segments = reference.regions(session), reference.segments(session)
    region_names = texts.read(session, "region", [one.id for one in regions])
    segment_names = texts.read(session, "segment", [one.id for one in segments])
    bare = Vocabulary(locales, {}, {})
    return Vocabulary(
        locales,
        {one.key: bare.words(region_names, one.id, "name", one.key) for one in regions},
        {one.key: bare.words(segment_names, one.id, "name", one.key) for one in segments},
    )
