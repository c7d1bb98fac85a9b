"""An audience expression as SQL over `line l` and `contact c`; it says what `domain.audience.matches` says."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage.domain.audience import And, Compare, Everyone, Node, Not, Or, check_values, parse, print_audience
from statuspage.models import Component, Incident, IncidentComponent, Region, Segment


class Condition:
    """A WHERE condition and its parameters, for `text()`."""

    def __init__(
        self, node: Node, segments: dict[str, int], regions: dict[str, int], components: Collection[str]
    ) -> None:
        self.parameters: dict[str, Any] = {}
        self._ids = {"segment": segments, "region": regions}
        self._components = components
        self.sql = self._build(node)

    def _build(self, node: Node) -> str:
        match node:
            case Everyone():
                return "1 = 1"
            case Not(inner):
                return f"NOT ({self._build(inner)})"
            case And(nodes):
                return " AND ".join(f"({self._build(inner)})" for inner in nodes)
            case Or(nodes):
                return " OR ".join(f"({self._build(inner)})" for inner in nodes)
            case Compare("component", values):
                # Everybody in an incident's audience is concerned by the same components.
                return "1 = 1" if not set(values).isdisjoint(self._components) else "1 = 0"
            case Compare("language", values):
                return self._one_of("c.language", values)
            case Compare(field, values):
                known = self._ids[field]
                return self._one_of(f"l.{field}_id", [known[value] for value in values if value in known])

    def _one_of(self, column: str, values: Collection[str | int]) -> str:
        if not values:
            return "1 = 0"
        names = [f"audience_{len(self.parameters) + place}" for place in range(len(values))]
        self.parameters.update(zip(names, values, strict=True))
        return f"{column} IN ({', '.join(':' + name for name in names)})"


def compile_audience(session: Session, expression: str, components: Collection[str]) -> Condition:
    """The condition of an expression; `components` are the keys the incident touches."""
    segments = dict(session.execute(select(Segment.key, Segment.id)).all())
    regions = dict(session.execute(select(Region.key, Region.id)).all())
    return Condition(parse(expression), segments, regions, components)


def components_of(session: Session, incident_id: int | None) -> list[str]:
    """Keys of the components the incident touches; none without an incident."""
    query = select(Component.key).join(IncidentComponent, IncidentComponent.component_id == Component.id)
    return list(session.scalars(query.where(IncidentComponent.incident_id == incident_id)))


def check_expression(session: Session, expression: str) -> str:
    """The expression in its one written form. RuleError for a mistake or for a value the operator does not have."""
    node = parse(expression)
    known: dict[str, Collection[str]] = {
        "segment": list(session.scalars(select(Segment.key))),
        "region": list(session.scalars(select(Region.key))),
        "component": list(session.scalars(select(Component.key))),
        "language": ("ru", "zh", "en"),
    }
    check_values(node, known)
    return print_audience(node)


def of_incident(incident: Incident, expression: str) -> str:
    """Whom the incident concerns and the expression means: the audience that a campaign's draft begins with."""
    nodes: list[Node] = []
    if incident.segments:
        nodes.append(Compare("segment", tuple(incident.segments)))
    if incident.regions:
        nodes.append(Compare("region", tuple(incident.regions)))
    if expression.strip() and not isinstance(parsed := parse(expression), Everyone):
        nodes.append(parsed)
    if not nodes:
        return print_audience(Everyone())
    return print_audience(nodes[0] if len(nodes) == 1 else And(tuple(nodes)))
