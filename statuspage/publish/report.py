"""The report as HTML, JSON and CSV: the same figures three times."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from sqlalchemy.orm import Session

from statuspage import i18n
from statuspage.domain.playbook import Row
from statuspage.models import Incident
from statuspage.publish.html import environment
from statuspage.services import incidents, playbook
from statuspage.services.actor import Actor
from statuspage.services.operator_facts import OperatorFacts
from statuspage.services.report import Facts, gather
from statuspage.services.texts import Wording

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Report:
    """All that a report says. `measures`: the playbook's wording by row key; `recurrence` counts this incident too."""

    incident: Incident
    title: Wording
    facts: Facts
    rows: tuple[Row, ...]
    measures: dict[str, Wording]
    recurrence: int
    as_of: datetime


def build(session: Session, actor: Actor, incident: Incident, operator: OperatorFacts, now: datetime) -> Report:
    """Read all that the report of `incident` says at `now`."""
    return Report(
        incident=incident,
        title=incidents.titles(session, [incident])[incident.id],
        facts=gather(session, actor, incident, operator, now),
        rows=playbook.rows(session, incident, operator, now),
        measures=playbook.measure_texts(session, incident),
        recurrence=playbook.recurrence(session, incident).count,
        as_of=now,
    )


class _Says:
    """What the template asks for, in the locale of `moments`."""

    def __init__(self, report: Report, moments: i18n.Moments) -> None:
        self._report = report
        self._moments = moments
        self._locale = moments.locale

    def t(self, key: str, **values: object) -> str:
        return i18n.gettext(self._locale, f"report.{key}", **values)

    def w(self, key: str) -> str:
        """A word that the console or the page has already."""
        return i18n.gettext(self._locale, key)

    def measure(self, key: str) -> str:
        return self._report.measures[key].pick(self._locale)[0]

    def duration(self, length: timedelta | None) -> str:
        return self.t("not_yet") if length is None else self._moments.duration(length)

    def moment(self, at: datetime | None) -> str:
        return self.t("not_yet") if at is None else self._moments.moment(at)

    def why(self, row: Row) -> str:
        if row.by is not None:
            return self.t("row.said", who=row.by, note=row.reason)
        if row.reason:
            return self.w(f"console.reason.{row.reason.removeprefix('playbook.')}")
        return self.t("row.proved") if row.proved else ""

    def clock_name(self, key: str) -> str:
        kind, _, name = key.partition(":")
        return self.t(f"clock.{kind}", name=name) if name else self.t(f"clock.{kind}")


def html(report: Report, moments: i18n.Moments) -> bytes:
    """One self-contained page in the locale of `moments`, fit for a printer."""
    says = _Says(report, moments)
    words = {name: getattr(says, name) for name in ("t", "w", "measure", "duration", "moment", "why", "clock_name")}
    tag = i18n.LANGUAGE_TAGS[moments.locale]
    title = report.title.pick(moments.locale)[0]
    template = environment().get_template("report/report.html")
    return template.render(report=report, title=title, moments=moments, lang=tag, **words).encode()


def to_json(report: Report) -> bytes:
    """The figures for other programs; times in ISO 8601, durations in seconds."""
    return json.dumps(_document(report), ensure_ascii=False, indent=2, default=_plain).encode()


def to_csv(report: Report) -> bytes:
    """One figure a line: path, value. A value that a spreadsheet would run as a formula is made text."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(("figure", "value"))
    for path, value in _flat("", json.loads(to_json(report))):
        text = "" if value is None else str(value)
        writer.writerow((path, "'" + text if isinstance(value, str) and text.startswith(FORMULA_STARTS) else text))
    return out.getvalue().encode()


def _document(report: Report) -> dict[str, Any]:
    incident = report.incident
    names = ("cause", "state", "started_at", "declared_at", "published_at", "restored_at", "resolved_at", "drill")
    crediting = ("crediting_verified_at", "payments_queued", "payments_credited", "payments_duplicated")
    return {
        "incident": incident.public_id,
        "title": report.title.bodies,
        **{name: getattr(incident, name) for name in (*names, *crediting)},
        "profile": incident.profile,
        "segments": incident.segments,
        "regions": incident.regions,
        "billing_incidents_in_90_days": report.recurrence,
        "facts": asdict(report.facts),
        "playbook": [asdict(row) for row in report.rows],
        "as_of": report.as_of,
    }


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, frozenset | set):
        return sorted(value)
    raise TypeError(f"a report does not know how to say {type(value).__name__}")


def _flat(path: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(f"{path}.{name}" if path else str(name), inner)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _flat(f"{path}.{place}", inner)
    else:
        yield path, value
