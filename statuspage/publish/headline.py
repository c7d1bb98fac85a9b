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


def headline(view: PageView) -> Headline:
    """The worst open incident; without one, the components that do not work; without those, that all works."""
    incidents = view.open_incidents()
    if incidents:
        return about(view, incidents[0])
    failing = tuple(one for one in view.components if one.state is not ComponentState.OPERATIONAL)
    if failing:
        return Headline(HeadlineKind.COMPONENTS, indicator(one.state for one in failing), failing)
    return Headline(HeadlineKind.OK, Indicator.NONE)


def about(view: PageView, incident: IncidentView) -> Headline:
    """What the sentence about an open incident is made of."""
    affected = tuple(one for one in view.components if one.id in incident.component_ids)
    kind = HeadlineKind.REPAIRED if incident.repaired else HeadlineKind.INCIDENT
    # An open incident without a failing component is still one: the page never says that all is well then.
    impact = Indicator.MINOR if incident.repaired or incident.impact is Indicator.NONE else incident.impact
    return Headline(kind, impact, affected, incident)


def overall(view: PageView) -> Indicator:
    """The page's indicator for machines: the worst of the components and of incidents that are not repaired yet."""
    present = {indicator(component.state for component in view.components)}
    present |= {incident.impact for incident in view.open_incidents() if not incident.repaired}
    return next(one for one in IMPACT_ORDER if one in present)
