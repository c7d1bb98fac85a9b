"""Read and write what people wrote, locale by locale."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from statuspage.i18n import nearest
from statuspage.models import LocalizedText

Texts = dict[str, str]
"""locale → body"""


@dataclass(frozen=True)
class Wording:
    """One field of one entity in every locale that has it; `outdated` locales were translated from an older source."""

    source: str
    bodies: Texts
    outdated: frozenset[str]

    def pick(self, locale: str) -> tuple[str, str]:
        """(body, the locale it is really in): the asked one, else English, else the language it was written in, which
        is the operator's own. A translation that is outdated counts as none."""
        found = nearest(locale, self.bodies.keys() - self.outdated, self.source)
        return self.bodies[found], found


def write(session: Session, entity: str, entity_id: int, field: str, bodies: Texts, source: str, now: datetime) -> None:
    """Store `bodies`. A changed source makes every translation that is not given anew outdated."""
    rows = {row.locale: row for row in _rows(session, entity, [entity_id], field)}
    ordered = sorted(bodies, key=lambda locale: locale != source)
    for locale in ordered:
        row = rows.get(locale)
        if row is None:
            row = LocalizedText(entity=entity, entity_id=entity_id, field=field, locale=locale, body="", revision=0)
            session.add(row)
            rows[locale] = row
        if row.body != bodies[locale] or row.revision == 0:
            row.body, row.revision, row.updated_at = bodies[locale], row.revision + 1, now
        row.source_locale = source
        row.source_revision = rows[source].revision if source in rows else 1
    session.flush()


def read(session: Session, entity: str, entity_ids: Iterable[int]) -> dict[tuple[int, str], Wording]:
    """(entity_id, field) → Wording, in one query."""
    grouped: dict[tuple[int, str], list[LocalizedText]] = {}
    for row in _rows(session, entity, list(entity_ids)):
        grouped.setdefault((row.entity_id, row.field), []).append(row)
    return {key: _wording(rows) for key, rows in grouped.items()}


def forget(session: Session, entity: str, entity_id: int, field: str) -> None:
    """Take a text away, in every locale."""
    its = (LocalizedText.entity == entity, LocalizedText.entity_id == entity_id, LocalizedText.field == field)
    session.execute(delete(LocalizedText).where(*its))


def written_at(session: Session, entity: str, entity_ids: Iterable[int]) -> dict[int, datetime]:
    """entity_id → when its words last changed, in whatever language."""
    query = (
        select(LocalizedText.entity_id, func.max(LocalizedText.updated_at).label("at"))
        .where(LocalizedText.entity == entity, LocalizedText.entity_id.in_(list(entity_ids)))
        .group_by(LocalizedText.entity_id)
    )
    return {row.entity_id: row.at for row in session.execute(query)}


def _wording(rows: list[LocalizedText]) -> Wording:
    by_locale = {row.locale: row for row in rows}
    source = next((row for row in rows if row.locale == row.source_locale), rows[0])
    outdated = {row.locale for row in rows if row is not source and row.source_revision < source.revision}
    return Wording(source.locale, {locale: row.body for locale, row in by_locale.items()}, frozenset(outdated))


def _rows(session: Session, entity: str, ids: list[int], field: str | None = None) -> Iterable[LocalizedText]:
    query = select(LocalizedText).where(LocalizedText.entity == entity, LocalizedText.entity_id.in_(ids))
    if field is not None:
        query = query.where(LocalizedText.field == field)
    return session.scalars(query)
