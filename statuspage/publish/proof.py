"""The facts behind a row of the playbook in words: what, when, by whom."""

from __future__ import annotations

from collections.abc import Mapping

from statuspage import i18n
from statuspage.domain.proof import Fact

_OTHER_LISTS: Mapping[str, str] = {"complete": "console.checklist", "cause": "page.cause", "channels": "proof.channel"}
"""Facts whose names are keys of a catalogue; of the others they are the operator's own."""

_NOBODY_IN_PERSON = ("cli", "system", "public")


def said(fact: Fact, moments: i18n.Moments, names: Mapping[str, str]) -> str:
    """One sentence. `names`: public ids of people and the operator's own keys, such as those of segments → names."""
    locale = moments.locale
    # What the checklist asks for has commas of its own.
    between = i18n.gettext(locale, "proof.semicolon" if fact.key == "complete" else "proof.comma")
    return i18n.gettext(
        locale,
        f"proof.{fact.key}.{'yes' if fact.holds else 'no'}",
        time="" if fact.at is None else moments.moment(fact.at),
        until=_until(fact, moments),
        name=_who(locale, fact.by, names),
        n=fact.n,
        of=fact.of,
        share=100 * fact.n // fact.of if fact.of else 100,
        span="" if fact.span is None else moments.duration(fact.span),
        names=between.join(_named(locale, fact, one, names) for one in fact.names),
    )


def _until(fact: Fact, moments: i18n.Moments) -> str:
    if fact.until is None:
        return ""
    # A promise has an exclusive end, midnight being 24:00 of the day before; the others are moments.
    return moments.until(fact.until) if fact.key == "hold" else moments.moment(fact.until)


def _who(locale: str, by: str | None, names: Mapping[str, str]) -> str:
    if by is None or by in _NOBODY_IN_PERSON:
        return i18n.gettext(locale, f"proof.by.{by or 'unknown'}")
    return names.get(by, by)


def _named(locale: str, fact: Fact, key: str, names: Mapping[str, str]) -> str:
    catalogue = _OTHER_LISTS.get(fact.key)
    if catalogue is None:
        return names.get(key, key)
    kind, _, missing = key.partition(":")
    found = i18n.gettext(locale, f"{catalogue}.{kind}", language=i18n.LANGUAGE_NAMES.get(missing, missing))
    return found[:1].lower() + found[1:].rstrip(".。") if fact.key == "complete" else found
