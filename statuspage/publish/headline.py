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
    affected = working_again(view, incident) if incident.repaired else _affected(view, incident)
    kind = HeadlineKind.REPAIRED if incident.repaired else HeadlineKind.INCIDENT
    # An open incident without a failing component is still one: the page never says that all is well then.
    impact = Indicator.MINOR if incident.repaired or incident.impact is Indicator.NONE else incident.impact
    return Headline(kind, impact, affected, incident)


def working_again(view: PageView, incident: IncidentView) -> tuple[ComponentView, ...]:
    """What a repaired incident has given back: nothing that is down still, or that another open incident fails."""
    held = {held for one in view.open_incidents() if not one.repaired for held in one.component_ids}
    touched = _affected(view, incident)
    return tuple(one for one in touched if one.id not in held and indicator((one.state,)) not in _DOWN)


def _affected(view: PageView, incident: IncidentView) -> tuple[ComponentView, ...]:
    return tuple(one for one in view.components if one.id in incident.component_ids)


def overall(view: PageView) -> Indicator:
    """The page's indicator for machines: the worst of the components and of incidents that are not repaired yet."""
    present = {indicator(component.state for component in view.components)}
    present |= {incident.impact for incident in view.open_incidents() if not incident.repaired}
    return next(one for one in IMPACT_ORDER if one in present)


_DOWN = frozenset({Indicator.MAINTENANCE, Indicator.MAJOR, Indicator.CRITICAL})
