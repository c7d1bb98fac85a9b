"""What the placeholders of a campaign's texts stand for: facts of the incident, of the operator and of this moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from statuspage import i18n
from statuspage.config import Settings
from statuspage.domain import message
from statuspage.domain.component import ComponentState
from statuspage.domain.errors import RuleError
from statuspage.domain.route import RouteKind, RouteState
from statuspage.models import Component, GracePolicy, Incident, IncidentComponent
from statuspage.services import routes, texts
from statuspage.services.operator_facts import support_phone

NAMED = 4
"""Services named in a list; of more, three and how many others."""

_ZONE_GOVERNS = frozenset({"zh"})
"""Languages in which a zone stands before a time and holds for the times that follow it in the same message."""


@dataclass(frozen=True)
class Values:
    """Placeholder → value; what the incident does not have is absent. `said` names the zone of every time, since its
    reader may live in another; `bare` holds the times without it."""

    locale: str
    said: Mapping[str, str]
    bare: Mapping[str, str]

    def for_field(self, field: str, body: str) -> Mapping[str, str]:
        """The values for a text. An SMS pays for every character, so it says no zone that is understood already."""
        if field != "sms" or self.locale not in _ZONE_GOVERNS:
            return self.said
        times = [name for name in message.in_order(body) if name in self.bare]
        return {**self.said, **{name: self.bare[name] for name in times[1:]}}


def read(session: Session, incident: Incident | None, settings: Settings, locale: str, *, now: datetime) -> Values:
    """The values in `locale` at `now`."""
    said = {
        "operator": settings.operator_name,
        "phone": support_phone(session, settings),
        "page": f"{settings.base_url}/{locale}/",
    }
    if incident is None:
        return Values(locale, _present(said), {})
    moments = i18n.Moments(locale, settings.zone, now)
    times = {
        name: (say(at), moments.zoned(say(at), at))
        for name, at, say in _times(session, incident, moments)
        if at is not None
    }
    said |= _facts(session, incident, locale) | {"route": _route(session, moments, now)}
    said |= {name: zoned for name, (_, zoned) in times.items()}
    return Values(locale, _present(said), {name: bare for name, (bare, _) in times.items()})


def _present(values: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def _times(
    session: Session, incident: Incident, moments: i18n.Moments
) -> Iterable[tuple[str, datetime | None, Callable[[datetime], str]]]:
    until = session.scalar(select(func.max(GracePolicy.published_until)).where(GracePolicy.incident_id == incident.id))
    yield "since", incident.started_at, moments.in_sentence
    yield "until", until, moments.until
    yield "next_update", incident.next_update_at, moments.by
    yield "restored_at", incident.restored_at, moments.in_sentence
    yield "credited_by", incident.credited_by_at, moments.by


def _facts(session: Session, incident: Incident, locale: str) -> dict[str, str]:
    title = texts.read(session, "incident", [incident.id]).get((incident.id, "title"))
    affected = (
        select(Component.id)
        .join(IncidentComponent, IncidentComponent.component_id == Component.id)
        .where(IncidentComponent.incident_id == incident.id)
    )
    # What has failed since in another incident is no longer said to work.
    works = Component.state == ComponentState.OPERATIONAL
    unaffected = select(Component.id).where(Component.key.in_(incident.not_affected), works)
    services, working = ([*session.scalars(query.order_by(Component.position))] for query in (affected, unaffected))
    names = texts.read(session, "component", [*services, *working])

    def named(ids: list[int], *, opening: bool) -> str:
        said = [names[one, "name"].pick(locale)[0] for one in ids if (one, "name") in names]
        return i18n.listed(locale, said, most=NAMED, opening=opening)

    return {
        "incident": title.pick(locale)[0] if title else "",
        "services": named(services, opening=True),
        "unaffected": named(working, opening=False),
    }


def _route(session: Session, moments: i18n.Moments, now: datetime) -> str:
    """One way to pay that works and is for everybody, with when it was seen to; empty when none is known."""
    working = [
        one.route
        for one in routes.list_routes(session, now)
        if one.state is RouteState.WORKS and one.route.kind is RouteKind.PAYMENT
    ]
    names = texts.read(session, "route", [one.id for one in working])
    for one in working:
        name, credit = names.get((one.id, "name")), names.get((one.id, "credit"))
        if one.segments or one.regions or one.checked_at is None or name is None:
            continue
        at_once = i18n.gettext(moments.locale, "page.route.credited_at_once")
        said = i18n.gettext(
            moments.locale,
            "text.route",
            name=" ".join(filter(None, (name.pick(moments.locale)[0], one.ussd_code or one.short_code))),
            credit=credit.pick(moments.locale)[0] if credit else at_once,
            time=moments.zoned(moments.in_sentence(one.checked_at), one.checked_at),
        )
        if _fits("route", said, moments.locale):
            return said
    return ""


def _fits(name: str, value: str, locale: str) -> bool:
    try:
        message.check_value(name, value, locale)
    except RuleError:
        return False
    return True
