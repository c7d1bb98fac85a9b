"""The report as HTML, JSON and CSV: the same figures three times."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any

from babel.numbers import format_percent
from markupsafe import Markup
from sqlalchemy.orm import Session

from statuspage import i18n
from statuspage.domain.campaign import ordinal
from statuspage.domain.clocks import Clock
from statuspage.domain.component import ComponentState
from statuspage.domain.playbook import Row, RowState
from statuspage.models import Component, Incident, Region, Route, Segment
from statuspage.publish import proof
from statuspage.publish.html import STATIC, environment
from statuspage.services import components, incidents, playbook, reference, report_acts, routes, texts
from statuspage.services.actor import Actor
from statuspage.services.operator_facts import OperatorFacts
from statuspage.services.report import CampaignResult, Facts, gather
from statuspage.services.texts import Wording

_LEAST_SHARE = 0.001
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Report:
    """All that a report says. `measures`: the playbook's wording by row key; `recurrence` counts this incident too.

    `people`: the names of those who acted, by public id. `names`: the operator's own words, by entity and key.
    """

    incident: Incident
    title: Wording
    facts: Facts
    rows: tuple[Row, ...]
    measures: dict[str, Wording]
    recurrence: int
    as_of: datetime
    people: dict[str, str] = field(default_factory=dict)
    components: dict[str, ComponentState] = field(default_factory=dict)
    """The worst that was said of each component the incident touched."""
    names: dict[tuple[str, str], Wording] = field(default_factory=dict)


def build(session: Session, actor: Actor, incident: Incident, operator: OperatorFacts, now: datetime) -> Report:
    """Read all that the report of `incident` says at `now`."""
    facts = gather(session, actor, incident, operator, now)
    rows = playbook.rows(session, incident, operator, now)
    return Report(
        incident=incident,
        title=incidents.titles(session, [incident])[incident.id],
        facts=facts,
        rows=rows,
        measures=playbook.measure_texts(session, incident),
        recurrence=playbook.recurrence(session, incident).count,
        as_of=now,
        people=report_acts.people(session, facts.actors()) | playbook.people_of(session, rows),
        components=components.worst_of(session, incident),
        names=_names(session, facts),
    )


def _names(session: Session, facts: Facts) -> dict[tuple[str, str], Wording]:
    checked = {one.route for one in facts.route_checks}
    rows: dict[str, list[Component] | list[Segment] | list[Region] | list[Route]] = {
        "component": components.list_components(session),
        "segment": reference.segments(session),
        "region": reference.regions(session),
        "route": [routes.get_route(session, key) for key in sorted(checked)],
    }
    found: dict[tuple[str, str], Wording] = {}
    for entity, listed in rows.items():
        worded = texts.read(session, entity, [row.id for row in listed])
        found |= {(entity, row.key): worded[row.id, "name"] for row in listed if (row.id, "name") in worded}
    return found


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

    def who(self, actor: str | None) -> str:
        """A person by name; for the rest what it is that acted."""
        if actor is None:
            return self.t("none")
        known = i18n.catalogue(self._locale).get(f"report.who.{actor}")
        return known if isinstance(known, str) else self._report.people.get(actor, actor)

    def who_when(self, actor: str | None, at: datetime | None) -> str:
        return self.who(actor) if at is None else self.t("who_when", who=self.who(actor), time=self.when(at))

    def name(self, entity: str, key: str) -> str:
        wording = self._report.names.get((entity, key))
        return key if wording is None else wording.pick(self._locale)[0]

    def listed(self, entity: str, keys: Iterable[str], empty: str) -> str:
        """The names in one line; `empty` is the key of what none means."""
        return self.t("comma").join(self.name(entity, key) for key in keys) or self.t(empty)

    def campaign(self, campaign: CampaignResult) -> str:
        """The name a person gave it, or what it is for while it still has its template's key."""
        known = i18n.catalogue(self._locale).get(f"console.campaign.purpose_{campaign.purpose}")
        n = ordinal(campaign.name, campaign.purpose)
        if n is None or not isinstance(known, str):
            return campaign.name
        return known if n == 1 else i18n.gettext(self._locale, "console.campaign.nth", name=known, n=n)

    def missing(self, clock: Clock) -> str:
        """The campaigns whose people have no end notice under way."""
        names = [self.campaign(one) for one in self._report.facts.campaigns if one.public_id in clock.missing]
        return self.t("clock.missing", names=self.t("comma").join(names))

    def reason(self, key: str) -> str:
        """Why messages stand where they stand; a provider's own code where we have no words, nothing without one."""
        known = i18n.catalogue(self._locale).get(f"console.why.{key.replace('.', '_')}")
        return known if isinstance(known, str) else key

    def duration(self, length: timedelta | None) -> str:
        return self.t("not_yet") if length is None else self._moments.duration(length)

    def moment(self, at: datetime | None) -> str:
        return self.t("not_yet") if at is None else self._moments.moment(at)

    def when(self, at: datetime | None) -> str:
        """`moment` for a cell among many: the head of the report says the zone once for all."""
        return self.t("not_yet") if at is None else self._moments.day_and_time(at)

    def count(self, n: int | None) -> str:
        """Thousands apart by a narrow no-break space, which all three languages read."""
        return self.t("unknown") if n is None else f"{n:,}".replace(",", "\u202f")

    def share(self, part: int, whole: int) -> str:
        """To the thousandth, but never 0 where there is one, nor all where one is missing."""
        share = part / whole
        least = 0 < share < _LEAST_SHARE
        shown = _LEAST_SHARE if least else share if part == whole else min(share, 1 - _LEAST_SHARE)
        cldr = i18n.LANGUAGE_TAGS[self._locale].replace("-", "_")
        return ("< " if least else "") + str(format_percent(shown, "0.0%", locale=cldr))

    def why(self, row: Row) -> str:
        """What a person said of the row, or why it is not needed; nothing where the facts alone speak."""
        if row.by is not None:
            return self.t("row.said", who=self.who(row.by), note=row.reason)
        return self.w(f"console.reason.{row.reason.removeprefix('playbook.')}") if row.reason else ""

    def proofs(self, row: Row) -> list[tuple[bool, str]]:
        """Each fact for (True) and against the row."""
        if row.state is RowState.NOT_NEEDED:
            return []
        words = {key: self.name(entity, key) for entity, key in self._report.names if entity == "segment"}
        names = words | self._report.people
        return [(fact.holds, proof.said(fact, self._moments, names)) for fact in row.facts]

    def clock_name(self, key: str) -> str:
        kind, _, name = key.partition(":")
        said = self.w(f"console.clock.report_{name}") if name else ""
        return self.t(f"clock.{kind}", name=said) if name else self.t(f"clock.{kind}")


def html(report: Report, moments: i18n.Moments, operator_name: str) -> bytes:
    """One self-contained page in the locale of `moments`, fit for a printer and a phone. Every date has its year."""
    moments = replace(moments, around=_LONG_AGO)
    says = _Says(report, moments)
    words = {name: getattr(says, name) for name in dir(says) if not name.startswith("_")}
    tag = i18n.LANGUAGE_TAGS[moments.locale]
    title = report.title.pick(moments.locale)[0]
    template = environment().get_template("report/report.html")
    page = template.render(
        report=report,
        operator=operator_name,
        title=title,
        moments=moments,
        lang=tag,
        tags=i18n.LANGUAGE_TAGS,
        style=Markup(_style()),  # noqa: S704 -- our own stylesheet
        **words,
    )
    return page.encode()


def content_security_policy() -> str:
    """The page needs its own style and nothing else."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; frame-ancestors 'none'"


@cache
def _style() -> str:
    return (STATIC / "report.css").read_text(encoding="utf-8").strip()


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
        "components": report.components,
        "not_affected": incident.not_affected,
        "people": report.people,
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
