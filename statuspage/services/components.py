"""Components: what they are, how they stand, and how open incidents move them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from statuspage.domain.component import ComponentState, worst
from statuspage.domain.errors import RuleError
from statuspage.domain.incident import BROKEN, OPEN, Publication
from statuspage.domain.roles import Permission
from statuspage.models import Component, ComponentChange, ComponentGroup, Incident, IncidentComponent
from statuspage.services import audit, page, texts
from statuspage.services.actor import Actor
from statuspage.services.texts import Texts

SOURCE = "ru"
BREAKING = frozenset({ComponentState.PARTIAL_OUTAGE, ComponentState.MAJOR_OUTAGE, ComponentState.UNDER_MAINTENANCE})
"""In these states what the component provides cannot be relied on; a degraded one still provides it."""

_HOLDING = and_(Incident.publication == Publication.PUBLISHED, Incident.state.in_(OPEN), Incident.drill.is_(False))
"""An incident whose word about a component counts for the public."""


@dataclass(frozen=True)
class ComponentTerms:
    """`down` is the clause that a sentence uses when it fails; `provides` the dependency that breaks with it."""

    key: str
    group: str
    name: Texts
    description: Texts
    down: Texts
    provides: str | None = None
    billing: bool = True
    emergency: bool = False


def list_components(session: Session) -> list[Component]:
    return list(session.scalars(select(Component).order_by(Component.position, Component.id)))


def by_key(session: Session, keys: Iterable[str], field: str = "components") -> dict[str, Component]:
    """Refuses a key nobody knows, naming those that exist."""
    known = {component.key: component for component in list_components(session)}
    asked = list(keys)
    for key in asked:
        if key not in known:
            raise RuleError("component.unknown", f"{field}: {key!r} is unknown. There are: {', '.join(known)}.", field)
    return {key: known[key] for key in asked}


def emergency_keys(session: Session) -> frozenset[str]:
    """Components of which only a person says that they work."""
    return frozenset(session.scalars(select(Component.key).where(Component.emergency)))


def put_group(session: Session, actor: Actor, key: str, name: Texts, position: int, *, now: datetime) -> ComponentGroup:
    """Make the group or change it; the key says which."""
    actor.require(Permission.COMPONENT_EDIT)
    group = session.scalar(select(ComponentGroup).where(ComponentGroup.key == key)) or ComponentGroup(key=key)
    group.position = position
    session.add(group)
    session.flush()
    texts.write(session, "component_group", group.id, "name", name, SOURCE, now)
    audit.record(session, actor, "component_group.put", "component_group", group.public_id, now)
    page.bump(session)
    return group


def put_component(session: Session, actor: Actor, terms: ComponentTerms, position: int, *, now: datetime) -> Component:
    """Make the component or change it; its state stays as incidents left it."""
    actor.require(Permission.COMPONENT_EDIT)
    component = session.scalar(select(Component).where(Component.key == terms.key))
    if component is None:
        component = Component(key=terms.key, state=ComponentState.OPERATIONAL, created_at=now)
    component.group_id = session.scalars(select(ComponentGroup.id).where(ComponentGroup.key == terms.group)).one()
    component.provides, component.billing, component.emergency = terms.provides, terms.billing, terms.emergency
    component.position, component.updated_at = position, now
    session.add(component)
    session.flush()
    for field, bodies in (("name", terms.name), ("description", terms.description), ("down", terms.down)):
        if bodies:
            texts.write(session, "component", component.id, field, bodies, SOURCE, now)
    audit.record(session, actor, "component.put", "component", component.public_id, now)
    page.bump(session)
    return component


def states_of(session: Session, incident: Incident) -> dict[str, ComponentState]:
    """component key → its state within this incident now."""
    query = select(Component.key, IncidentComponent.current).join(
        Component, Component.id == IncidentComponent.component_id
    )
    rows = session.execute(query.where(IncidentComponent.incident_id == incident.id).order_by(Component.position))
    return dict(rows.all())


def worst_of(session: Session, incident: Incident) -> dict[str, ComponentState]:
    """component key → the worst that the incident ever said of it."""
    query = select(Component.key, IncidentComponent.state).join(
        Component, Component.id == IncidentComponent.component_id
    )
    return dict(session.execute(query.where(IncidentComponent.incident_id == incident.id)).all())


def also_broken_by(session: Session, incident: Incident) -> list[Incident]:
    """Other public incidents that keep a component of this one broken: while there are any, not everything works."""
    touched = select(IncidentComponent.component_id).where(IncidentComponent.incident_id == incident.id)
    holding = select(IncidentComponent.incident_id).where(IncidentComponent.component_id.in_(touched))
    query = select(Incident).where(
        Incident.id.in_(holding),
        Incident.id != incident.id,
        Incident.publication == Publication.PUBLISHED,
        Incident.state.in_(BROKEN),
        Incident.drill.is_(incident.drill),
    )
    return list(session.scalars(query.order_by(Incident.id)))


def say(session: Session, incident: Incident, states: Mapping[str, ComponentState]) -> None:
    """Write what the incident says of components now; the worst it ever said stays beside it."""
    rows = {
        row.component_id: row
        for row in session.scalars(select(IncidentComponent).where(IncidentComponent.incident_id == incident.id))
    }
    for key, component in by_key(session, states).items():
        state, row = states[key], rows.get(component.id)
        if row is None:
            session.add(
                IncidentComponent(incident_id=incident.id, component_id=component.id, state=state, current=state)
            )
        else:
            row.state, row.current = worst([row.state, state]), state
    session.flush()


def apply(session: Session, incident: Incident, update_id: int | None, at: datetime, now: datetime) -> None:
    """Bring this incident's components to the worst that all open, published incidents say of them.

    `at` is since when; it never lies before a component's last change, so that the history stays in order.
    """
    touched = select(IncidentComponent.component_id).where(IncidentComponent.incident_id == incident.id)
    # Locked before the claims are read, in one order, and not against those who only refer to them: of two incidents
    # that are declared at once neither misses the other's claim, and neither waits for the other in a circle.
    query = select(Component).where(Component.id.in_(touched)).order_by(Component.id)
    locked = list(session.scalars(query.with_for_update(key_share=True), execution_options={"populate_existing": True}))
    claims: dict[int, list[ComponentState]] = {}
    said = (
        select(IncidentComponent.component_id, IncidentComponent.current)
        .join(Incident, Incident.id == IncidentComponent.incident_id)
        .where(
            IncidentComponent.component_id.in_(touched),
            _HOLDING,
        )
    )
    for component_id, state in session.execute(said):
        claims.setdefault(component_id, []).append(state)
    last = select(ComponentChange.component_id, func.max(ComponentChange.at)).group_by(ComponentChange.component_id)
    changed_at = dict(session.execute(last.where(ComponentChange.component_id.in_(touched))).all())
    for component in locked:
        state = worst(claims.get(component.id, []))
        if state is component.state:
            continue
        since = max(at, changed_at.get(component.id, at))
        session.add(
            ComponentChange(
                component_id=component.id, update_id=update_id, at=since, old_state=component.state, new_state=state
            )
        )
        component.state, component.updated_at = state, now
    session.flush()


def broken_dependencies(session: Session) -> dict[str, datetime]:
    """dependency → when it was last broken, from the components that provide it and fail now.

    An incident counts from its declaration, though another may have broken the same before it: what somebody saw in
    between says nothing of the newer one.
    """
    query = select(Component.id, Component.provides, Component.updated_at).where(
        Component.provides.is_not(None), Component.state.in_(BREAKING)
    )
    declared = _last_declared(session)
    broken: dict[str, datetime] = {}
    for component_id, provides, updated_at in session.execute(query).all():
        since = _broken_since(session, component_id) or updated_at
        if provides is not None:
            broken[provides] = max(since, declared.get(component_id, since), broken.get(provides, since))
    return broken


def _last_declared(session: Session) -> dict[int, datetime]:
    """component row id → when the newest of the public incidents that hold it down was declared."""
    query = (
        select(IncidentComponent.component_id, func.max(Incident.declared_at))
        .join(Incident, Incident.id == IncidentComponent.incident_id)
        .where(
            IncidentComponent.current.in_(BREAKING),
            _HOLDING,
        )
    )
    return dict(session.execute(query.group_by(IncidentComponent.component_id)).all())


def _broken_since(session: Session, component_id: int) -> datetime | None:
    changes = select(ComponentChange.at, ComponentChange.new_state).where(ComponentChange.component_id == component_id)
    since: datetime | None = None
    for at, state in session.execute(changes.order_by(ComponentChange.at.desc(), ComponentChange.id.desc())):
        if state not in BREAKING:
            break
        since = at
    return since
