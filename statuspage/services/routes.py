"""Ways to pay and to manage services: what each can do now, who looked, and whom they leave without one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage.domain.errors import NotFound, RuleError
from statuspage.domain.roles import Permission
from statuspage.domain.route import (
    USABLE,
    Behaviour,
    RouteCheck,
    RouteKind,
    RouteReach,
    RouteSource,
    RouteState,
    counted,
    derive,
    show_order,
    uncovered,
)
from statuspage.models import Incident, Route
from statuspage.services import audit, components, page, reference, texts
from statuspage.services.actor import Actor
from statuspage.services.texts import Texts

SOURCE = "ru"


@dataclass(frozen=True)
class RouteTerms:
    """A route as the operator describes it. Empty `regions`, `segments` or `pay_types` means all."""

    key: str
    kind: RouteKind
    name: Texts
    how_to: Texts
    credit: Texts
    depends_on: tuple[str, ...]
    behaviour: Behaviour
    regions: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    pay_types: tuple[str, ...] = ()
    fee_percent: Decimal | None = None
    min_amount: Decimal | None = None
    max_amount: Decimal | None = None
    currency: str | None = None
    url: str | None = None
    ussd_code: str | None = None
    short_code: str | None = None
    phone: str | None = None
    receipt_needed: bool = False
    double_pay_risk: bool = False


@dataclass(frozen=True)
class RouteNow:
    """A route with the state to show now, and the check that speaks for it where one does."""

    route: Route
    state: RouteState
    check: RouteCheck | None = None

    @property
    def usable(self) -> bool:
        return self.state in USABLE


def get_route(session: Session, key: str) -> Route:
    """Raises NotFound naming the routes there are."""
    route = session.scalar(select(Route).where(Route.key == key))
    if route is None:
        known = ", ".join(session.scalars(select(Route.key).order_by(Route.position))) or "none"
        raise NotFound("route.not_found", f"route: {key!r} is unknown. There are: {known}.", "route")
    return route


def list_routes(session: Session, now: datetime) -> list[RouteNow]:
    """Every route with its derived state: what works first."""
    broken = components.broken_dependencies(session)
    found = [_now(route, broken, now) for route in session.scalars(select(Route))]
    return sorted(found, key=lambda one: (show_order(one.state), one.route.position, one.route.id))


def uncovered_pairs(session: Session, incident: Incident, kind: RouteKind, now: datetime) -> list[tuple[str, str]]:
    """Each affected (segment, region) without a usable route of this kind; the incident's empty lists mean all."""
    segments = incident.segments or [one.key for one in reference.segments(session)]
    regions = incident.regions or [one.key for one in reference.regions(session)] or [""]
    return list(uncovered(_reach(list_routes(session, now)), kind, segments, regions))


def set_state(
    session: Session,
    actor: Actor,
    route: Route,
    state: RouteState,
    *,
    source: RouteSource = RouteSource.MANUAL,
    checked_at: datetime | None = None,
    now: datetime,
) -> None:
    """Say what a person or a probe saw at `checked_at` (None: now). A check older than the kept one changes nothing."""
    actor.require(Permission.ROUTE_EDIT)
    at = now if checked_at is None else checked_at
    if at > now:
        raise RuleError(
            "route.check_in_future", f"checked_at: {at.isoformat()} is yet to come. Leave it empty.", "checked_at"
        )
    session.refresh(route, with_for_update=True)
    if route.checked_at is not None and at < route.checked_at:
        return
    if route.set_state is not state:
        route.state_since = at
    route.set_state, route.checked_at, route.source, route.updated_at = state, at, source.value, now
    session.flush()
    detail: audit.Detail = {"state": state.value, "source": source.value}
    audit.record(session, actor, "route.state_set", "route", route.public_id, now, detail)
    page.bump(session)


def forget_state(session: Session, actor: Actor, route: Route, *, now: datetime) -> None:
    """Take a check back; the state is derived from what the route depends on."""
    actor.require(Permission.ROUTE_EDIT)
    route.set_state, route.checked_at, route.state_since, route.updated_at = None, None, now, now
    session.flush()
    audit.record(session, actor, "route.state_forgotten", "route", route.public_id, now)
    page.bump(session)


def put_route(session: Session, actor: Actor, terms: RouteTerms, position: int, *, now: datetime) -> Route:
    """Make the route or change it; what was last seen of it stays."""
    actor.require(Permission.ROUTE_EDIT)
    reference.check_keys(session, terms.segments, terms.regions)
    route = session.scalar(select(Route).where(Route.key == terms.key))
    if route is None:
        route = Route(key=terms.key, state_since=now, source=RouteSource.MANUAL.value)
    for name in (
        "kind", "behaviour", "fee_percent", "min_amount", "max_amount", "currency", "url", "ussd_code",
        "short_code", "phone", "receipt_needed", "double_pay_risk",
    ):  # fmt: skip
        setattr(route, name, getattr(terms, name))
    for name in ("depends_on", "regions", "segments", "pay_types"):
        setattr(route, name, list(getattr(terms, name)))
    route.position = position
    if route not in session or session.is_modified(route):
        route.updated_at = now
    session.add(route)
    session.flush()
    for field, bodies in (("name", terms.name), ("how_to", terms.how_to), ("credit", terms.credit)):
        if bodies:
            texts.write(session, "route", route.id, field, bodies, SOURCE, now)
    audit.record(session, actor, "route.put", "route", route.public_id, now)
    page.bump(session)
    return route


def _now(route: Route, broken: dict[str, datetime], now: datetime) -> RouteNow:
    check = None
    if route.set_state is not None and route.checked_at is not None:
        check = RouteCheck(route.set_state, RouteSource(route.source), route.checked_at)
    facts = (check, route.depends_on, route.behaviour, broken, now)
    return RouteNow(route, derive(*facts), counted(*facts))


def _reach(found: Iterable[RouteNow]) -> list[RouteReach]:
    return [
        RouteReach(one.route.kind, one.state, frozenset(one.route.segments), frozenset(one.route.regions))
        for one in found
    ]
