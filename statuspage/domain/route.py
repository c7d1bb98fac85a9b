"""Ways to pay and to manage services, and what becomes of each while billing is down."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType


class RouteState(StrEnum):
    """In the order of showing: what works comes first."""

    WORKS = "works"
    WORKS_DELAYED = "works_delayed"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"


class RouteKind(StrEnum):
    PAYMENT = "payment"
    SERVICE = "service"


class RouteSource(StrEnum):
    """Who last looked whether a route works."""

    MANUAL = "manual"
    PROBE = "probe"
    PARTNER = "partner"


class Behaviour(StrEnum):
    """What becomes of a route while something it depends on is broken."""

    QUEUES = "queues"
    FAILS = "fails"
    INDEPENDENT = "independent"


class Dependency(StrEnum):
    BILLING_CORE = "billing_core"
    PAYMENT_GATEWAY = "payment_gateway"
    BALANCE_QUERY = "balance_query"
    USSD_GATEWAY = "ussd_gw"
    SMS_GATEWAY = "sms_gw"
    SHOP_POS = "shop_pos"
    BANK = "bank"


USABLE = frozenset({RouteState.WORKS, RouteState.WORKS_DELAYED})
"""Money paid this way arrives, at once or after the repair."""

STALE_AFTER = timedelta(minutes=30)
"""A check older than this proves nothing any more (playbook row 3)."""

_ORDER: Mapping[RouteState, int] = MappingProxyType({state: rank for rank, state in enumerate(RouteState)})
_FALLS_TO: Mapping[Behaviour, RouteState] = MappingProxyType(
    {
        Behaviour.QUEUES: RouteState.WORKS_DELAYED,
        Behaviour.FAILS: RouteState.DOWN,
        Behaviour.INDEPENDENT: RouteState.WORKS,
    }
)


@dataclass(frozen=True, slots=True)
class RouteCheck:
    """What somebody or something saw last, and when (aware)."""

    state: RouteState
    source: RouteSource
    checked_at: datetime


def counted(
    check: RouteCheck | None,
    depends_on: Collection[str],
    behaviour: Behaviour,
    broken: Mapping[str, datetime],
    now: datetime,
    stale_after: timedelta = STALE_AFTER,
) -> RouteCheck | None:
    """The check where it still proves something: it is not older than `stale_after`, nor from before a break of what
    the route depends on. That a route was down stands all the same, for no break mends it."""
    if check is None or now - check.checked_at > stale_after:
        return None
    before = any(check.checked_at < since for since in _breaks(depends_on, behaviour, broken))
    return None if before and check.state is not RouteState.DOWN else check


def derive(
    check: RouteCheck | None,
    depends_on: Collection[str],
    behaviour: Behaviour,
    broken: Mapping[str, datetime],
    now: datetime,
    stale_after: timedelta = STALE_AFTER,
) -> RouteState:
    """The state to show now. `broken` maps each broken dependency to the last moment at which something broke it.

    A route that fails without a broken dependency is down, checked or not: saying so can cost nobody money. Every other
    claim needs a check that is `counted`, else the answer is unknown. A person's check made after the break stands; a
    probe sees only the front door, so it can make the derived state worse but not better.
    """
    seen = counted(check, depends_on, behaviour, broken, now, stale_after)
    if seen is not None and seen.source is RouteSource.MANUAL:
        return seen.state
    fallen = _FALLS_TO[behaviour] if _breaks(depends_on, behaviour, broken) else RouteState.WORKS
    if fallen is RouteState.DOWN:
        return RouteState.DOWN
    if seen is None or seen.state is RouteState.UNKNOWN:
        return RouteState.UNKNOWN
    return max(seen.state, fallen, key=_ORDER.__getitem__)


def _breaks(depends_on: Collection[str], behaviour: Behaviour, broken: Mapping[str, datetime]) -> list[datetime]:
    if behaviour is Behaviour.INDEPENDENT:
        return []
    return [since for name, since in broken.items() if name in depends_on]


def show_order(state: RouteState) -> int:
    """Sorting key: works, works delayed, degraded, down, unknown."""
    return _ORDER[state]


@dataclass(frozen=True, slots=True)
class RouteReach:
    """Whom a route in its present state serves; empty `segments` or `regions` means all."""

    kind: RouteKind
    state: RouteState
    segments: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()


def uncovered(
    routes: Iterable[RouteReach], kind: RouteKind, segments: Collection[str], regions: Collection[str]
) -> tuple[tuple[str, str], ...]:
    """Each (segment, region) of the affected ones that has no usable route of this kind.

    The caller names every affected segment and region; where an operator keeps no regions, pass one empty string.
    """
    usable = [route for route in routes if route.kind is kind and route.state in USABLE]
    return tuple(
        (segment, region)
        for segment in sorted(segments)
        for region in sorted(regions)
        if not any(_serves(route, segment, region) for route in usable)
    )


def _serves(route: RouteReach, segment: str, region: str) -> bool:
    return (not route.segments or segment in route.segments) and (not route.regions or region in route.regions)


@dataclass(frozen=True, slots=True)
class RouteType:
    """A kind of route as operators have it; the starting point of an operator's own catalogue."""

    key: str
    kind: RouteKind
    depends_on: tuple[Dependency, ...]
    behaviour: Behaviour
    double_pay_risk: bool = False


_D = Dependency
CATALOGUE: tuple[RouteType, ...] = (
    RouteType("bank_app", RouteKind.PAYMENT, (_D.BANK, _D.PAYMENT_GATEWAY, _D.BILLING_CORE), Behaviour.QUEUES, True),
    RouteType("kiosk", RouteKind.PAYMENT, (_D.PAYMENT_GATEWAY, _D.BILLING_CORE), Behaviour.QUEUES, True),
    RouteType("card_on_site", RouteKind.PAYMENT, (_D.BANK, _D.BALANCE_QUERY, _D.BILLING_CORE), Behaviour.FAILS, True),
    RouteType("ussd_menu", RouteKind.SERVICE, (_D.USSD_GATEWAY, _D.BALANCE_QUERY), Behaviour.FAILS),
    RouteType("sms_payment", RouteKind.PAYMENT, (_D.SMS_GATEWAY, _D.BILLING_CORE), Behaviour.FAILS),
    RouteType("voucher", RouteKind.PAYMENT, (_D.BILLING_CORE,), Behaviour.FAILS),
    RouteType("promised_payment", RouteKind.PAYMENT, (_D.BILLING_CORE,), Behaviour.FAILS),
    RouteType("auto_top_up", RouteKind.PAYMENT, (_D.BANK, _D.BILLING_CORE), Behaviour.FAILS, True),
    RouteType("own_shop", RouteKind.PAYMENT, (_D.SHOP_POS, _D.BILLING_CORE), Behaviour.QUEUES),
    RouteType("partner_shop", RouteKind.PAYMENT, (_D.BILLING_CORE,), Behaviour.QUEUES),
    RouteType("bank_transfer", RouteKind.PAYMENT, (_D.BANK,), Behaviour.INDEPENDENT),
    RouteType("e_wallet", RouteKind.PAYMENT, (_D.BANK, _D.PAYMENT_GATEWAY, _D.BILLING_CORE), Behaviour.QUEUES, True),
    RouteType("corporate_invoice", RouteKind.PAYMENT, (_D.BANK,), Behaviour.INDEPENDENT),
    RouteType("roaming_top_up", RouteKind.PAYMENT, (_D.BILLING_CORE,), Behaviour.FAILS),
    RouteType("call_centre", RouteKind.SERVICE, (), Behaviour.INDEPENDENT),
    RouteType("shop_service", RouteKind.SERVICE, (), Behaviour.INDEPENDENT),
)
