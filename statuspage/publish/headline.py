"""The one sentence on top of the page, as facts: what kind it is, about what, and how bad."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from statuspage.domain.component import ComponentState, Indicator, indicator
from statuspage.publish.view import IMPACT_ORDER, ComponentView, IncidentView, PageView


class HeadlineKind(StrEnum):
    OK = "ok"
    INCIDENT = "incident"  # something fails, and an incident tells about it
    REPAIRED = "repaired"  # restored, payments of the outage still being credited
    COMPONENTS = "components"  # something fails that no open incident names


@dataclass(frozen=True, slots=True)
class Headline:
    kind: HeadlineKind
    indicator: Indicator
    components: tuple[ComponentView, ...] = ()
    incident: IncidentView | None = None
    others: int = 0


def headline(view: PageView) -> Headline:
    """The worst open incident; without one, the components that do not work; without those, that all works."""
    incidents = view.open_incidents()
    if incidents:
        worst = incidents[0]
        affected = tuple(one for one in view.components if one.id in worst.component_ids)
        kind = HeadlineKind.REPAIRED if worst.repaired else HeadlineKind.INCIDENT
        # An open incident without a failing component is still one: the page never says that all is well then.
        impact = Indicator.MINOR if worst.repaired or worst.impact is Indicator.NONE else worst.impact
        return Headline(kind, impact, affected, worst, len(incidents) - 1)
    failing = tuple(one for one in view.components if one.state is not ComponentState.OPERATIONAL)
    if failing:
        return Headline(HeadlineKind.COMPONENTS, indicator(one.state for one in failing), failing)
    return Headline(HeadlineKind.OK, Indicator.NONE)


def overall(view: PageView) -> Indicator:
    """The page's indicator for machines: the worst of the components and of incidents that are not repaired yet."""
    present = {indicator(component.state for component in view.components)}
    present |= {incident.impact for incident in view.open_incidents() if not incident.repaired}
    return next(one for one in IMPACT_ORDER if one in present)
