"""Options that several commands read the same way: moments, texts by language, states of components."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import click

from statuspage.composition import Composition
from statuspage.domain.component import ComponentState
from statuspage.domain.local_time import end_of_day
from statuspage.i18n import KNOWN_LOCALES
from statuspage.services.texts import Texts

MOMENT = "An ISO time such as 2026-11-22T14:00+03:00, or 14:00 today; without an offset in the operator's zone."

_LOCALE = re.compile(rf"({'|'.join(KNOWN_LOCALES)})=", re.IGNORECASE)
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_Command = TypeVar("_Command", bound=Callable[..., Any])


def as_json(command: _Command) -> _Command:
    """--json, which everything that reads has."""
    return click.option("--json", "json_wanted", is_flag=True, help="Print JSON.")(command)


def choices(names: type[StrEnum]) -> list[str]:
    """The values, as a person types them; Click alone would ask for the members' names."""
    return [name.value for name in names]


def moment(parts: Composition, text: str | None, name: str) -> datetime | None:
    """An aware time, None for None. Raises BadParameter (wrong use) when it cannot be read."""
    if text is None:
        return None
    zone, clock = parts.settings.zone, _CLOCK.fullmatch(text.strip())
    if clock is not None:
        today = parts.clock.now().astimezone(zone).date()
        return datetime(today.year, today.month, today.day, int(clock[1]), int(clock[2]), tzinfo=zone).astimezone(UTC)
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise click.BadParameter(f"{text!r} is no time. {MOMENT}", param_hint=name) from None
    return (found if found.tzinfo is not None else found.replace(tzinfo=zone)).astimezone(UTC)


def closing(parts: Composition, text: str, name: str) -> datetime:
    """An exclusive end: a bare date is its 24:00 in the operator's zone, all else a moment."""
    try:
        return end_of_day(date.fromisoformat(text.strip()), parts.settings.zone)
    except ValueError:
        found = moment(parts, text, name)
        if found is None:
            raise
        return found


def texts(parts: Composition, given: Iterable[str]) -> Texts:
    """`ru=…`, `zh=…`, `en=…`; a text that names no language is in the default one."""
    found: Texts = {}
    for text in given:
        named = _LOCALE.match(text)
        locale = named[1].lower() if named else parts.settings.default_locale
        if locale in found:
            raise click.BadParameter(f"there are two texts in {locale}; give one a language.", param_hint="--text")
        found[locale] = text[named.end() :] if named else text
    return found


def from_files(given: Iterable[str]) -> list[str]:
    """`ru=review.ru.txt` → `ru=` and what the file says; a file of no named language is in the default one."""
    found = []
    for text in given:
        named = _LOCALE.match(text)
        locale, path = (named[0], text[named.end() :]) if named else ("", text)
        try:
            found.append(locale + Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise click.BadParameter(f"{path!r} cannot be read as UTF-8 text.", param_hint="--file") from error
    return found


def source_of(parts: Composition, found: Texts) -> str:
    """Which of the texts was written first: the one in the default language, else the first given."""
    default = parts.settings.default_locale
    return default if default in found or not found else next(iter(found))


def states(given: Iterable[str]) -> dict[str, ComponentState]:
    """`top_up=major_outage`; a component without a state is in major outage."""
    found = {}
    for text in given:
        key, _, state = text.partition("=")
        if state and state not in set(ComponentState):
            known = ", ".join(ComponentState)
            raise click.BadParameter(f"{state!r} is no state. Use one of: {known}.", param_hint="--component")
        found[key] = ComponentState(state) if state else ComponentState.MAJOR_OUTAGE
    return found
