"""The operator's own names for components, segments, regions and routes, in the reader's language."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from sqlalchemy.orm import Session

from statuspage.models import Incident
from statuspage.services import components, incidents, reference, texts
from statuspage.web import shell


class Keyed(Protocol):
    """A row with an id and a key."""

    @property
    def id(self) -> int: ...

    @property
    def key(self) -> str: ...


Options = list[tuple[str, str]]
"""(key, name) in the operator's order."""


def options(session: Session, entity: str, rows: Iterable[Keyed]) -> Options:
    """The rows as a form offers them; a row without a name shows its key."""
    listed = list(rows)
    named = texts.read(session, entity, [row.id for row in listed])
    locale = shell.locale()
    found = []
    for row in listed:
        wording = named.get((row.id, "name"))
        found.append((row.key, wording.pick(locale)[0] if wording is not None else row.key))
    return found


def component_names(session: Session) -> Options:
    return options(session, "component", components.list_components(session))


def segment_names(session: Session) -> Options:
    return options(session, "segment", reference.segments(session))


def region_names(session: Session) -> Options:
    return options(session, "region", reference.regions(session))


def incident_titles(session: Session, found: Iterable[Incident]) -> list[tuple[str, str]]:
    """Public id and title of each."""
    listed = list(found)
    titles = incidents.titles(session, listed)
    return [(one.public_id, picked(titles.get(one.id))) for one in listed]


def picked(wording: texts.Wording | None) -> str:
    """A wording in the reader's language, or in its own where that is missing or outdated."""
    return "" if wording is None else wording.pick(shell.locale())[0]
