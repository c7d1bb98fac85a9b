"""What becomes of money that was paid around an outage, as far as the record says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from statuspage.domain.route import USABLE, RouteKind
from statuspage.publish.view import IncidentView, PageView


class CreditingKind(StrEnum):
    ACCEPTED = "accepted"  # it still fails: what has reached us waits
    CATCHING_UP = "catching_up"  # restored, and what waited is being credited
    CREDITED = "credited"  # a person has confirmed that all of it arrived


@dataclass(frozen=True, slots=True)
class Crediting:
    """`due` is by when what has reached us is credited; None: nobody has promised that, or it has passed.

    `no_way` says that no way to pay is known to work now.
    """

    kind: CreditingKind
    due: datetime | None = None
    no_way: bool = False


def crediting(view: PageView) -> Crediting | None:
    """What holds for every open incident that touches payments; None when there is none.

    It speaks of money that has reached us, never of a payment made now: of that each way to pay tells by itself.
    """
    touched = [one for one in view.open_incidents() if _touches_payments(view, one)]
    failing = [one for one in touched if not one.repaired]
    catching_up = [one for one in touched if one.repaired and one.credited_at is None]
    if failing:
        return Crediting(CreditingKind.ACCEPTED, _due(view, failing), _no_way(view))
    if catching_up:
        return Crediting(CreditingKind.CATCHING_UP, _due(view, catching_up))
    return Crediting(CreditingKind.CREDITED) if touched else None


def _touches_payments(view: PageView, incident: IncidentView) -> bool:
    return any(one.billing for one in view.components if one.id in incident.component_ids)


def _due(view: PageView, incidents: list[IncidentView]) -> datetime | None:
    """The latest of their promises, when each has one that has not passed."""
    promised = [one.credited_by for one in incidents if one.credited_by and one.credited_by > view.as_of]
    return max(promised) if len(promised) == len(incidents) else None


def _no_way(view: PageView) -> bool:
    ways = [route for route in view.routes if route.kind is RouteKind.PAYMENT]
    return bool(ways) and not any(route.state in USABLE for route in ways)
