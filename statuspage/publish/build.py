"""From the tables to the frozen view, in a fixed number of queries however many incidents there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage.config import Settings
from statuspage.domain.component import indicator
from statuspage.domain.incident import Publication
from statuspage.domain.route import STALE_AFTER, RouteState
from statuspage.models import (
    Component,
    ComponentChange,
    ComponentGroup,
    GracePolicy,
    Incident,
    IncidentComponent,
    IncidentUpdate,
    PageState,
)
from statuspage.publish import causes, vocabulary
from statuspage.publish.changes import last_change
from statuspage.publish.days import Change, day_states, first_day
from statuspage.publish.unaffected import shown
from statuspage.publish.view import (
    Colours,
    ComponentView,
    GroupView,
    IncidentView,
    MovedView,
    Operator,
    PageView,
    PromiseView,
    RouteView,
    UpdateView,
    Words,
)
from statuspage.publish.view import (
    ComponentChange as ChangeView,
)
from statuspage.publish.vocabulary import Vocabulary, Wordings
from statuspage.services import components, routes, texts
from statuspage.services.operator_facts import support_phone
from statuspage.services.routes import RouteNow

HISTORY = timedelta(days=731)


def page_view(session: Session, settings: Settings, *, revision: int, now: datetime, drill: bool = False) -> PageView:
    """The page as the database has it now. `drill` chooses the exercise's world instead of the real one."""
    state = session.get_one(PageState, 1)
    words = vocabulary.read(session, settings.locales)
    listed = components.list_components(session)
    incidents = _incidents(session, words, listed, drill, now)
    ways, turns = _routes(session, words, now)
    view = PageView(
        operator=_operator(settings, state.public_id, support_phone(session, settings)),
        revision=revision,
        as_of=now,
        updated_at=now,
        components=_components(session, words, listed, ZoneInfo(settings.time_zone), now),
        groups=_groups(session, words),
        routes=ways,
        incidents=incidents,
        moved=_moved(session, incidents, drill),
        promises=_promises(session, words, drill),
        drill=drill,
        turns_at=turns,
    )
    view = replace(view, components=shown(view))
    return replace(view, updated_at=last_change(session, view, state.published_at))


def _operator(settings: Settings, page_id: str, phone: str) -> Operator:
    light, dark = settings.brand_colours
    return Operator(
        page_id=page_id,
        name=settings.brand_name or settings.operator_name,
        base_url=settings.base_url,
        time_zone=settings.time_zone,
        locales=settings.locales,
        default_locale=settings.default_locale,
        support_phone=phone or None,
        colours=Colours(light, dark),
    )


def _groups(session: Session, words: Vocabulary) -> tuple[GroupView, ...]:
    groups = list(session.scalars(select(ComponentGroup).order_by(ComponentGroup.position, ComponentGroup.id)))
    names = texts.read(session, "component_group", [one.id for one in groups])
    members = session.execute(select(Component.group_id, Component.created_at, Component.updated_at)).all()
    views = []
    for group in groups:
        dates = [(created, updated) for group_id, created, updated in members if group_id == group.id]
        if dates:
            name = words.words(names, group.id, "name", group.key)
            created, updated = min(one for one, _ in dates), max(one for _, one in dates)
            views.append(GroupView(group.public_id, name, created, updated, group.position))
    return tuple(views)


def _components(
    session: Session, words: Vocabulary, listed: list[Component], zone: ZoneInfo, now: datetime
) -> tuple[ComponentView, ...]:
    written = texts.read(session, "component", [one.id for one in listed])
    groups = {group.id: group.public_id for group in session.scalars(select(ComponentGroup))}
    changes = _changes_since(session, datetime.combine(first_day(now, zone), datetime.min.time(), zone))
    return tuple(
        ComponentView(
            id=one.public_id,
            name=words.words(written, one.id, "name", one.key),
            description=words.maybe(written, one.id, "description"),
            state=one.state,
            created_at=one.created_at,
            updated_at=one.updated_at,
            position=one.position,
            group_id=groups.get(one.group_id) if one.group_id is not None else None,
            days=day_states(changes[one.id], one.state, one.created_at, now, zone),
            billing=one.billing,
            emergency=one.emergency,
            key=one.key,
        )
        for one in listed
    )


def _changes_since(session: Session, since: datetime) -> Mapping[int, list[Change]]:
    query = select(ComponentChange).where(ComponentChange.at >= since).order_by(ComponentChange.at, ComponentChange.id)
    changes: dict[int, list[Change]] = defaultdict(list)
    for row in session.scalars(query):
        changes[row.component_id].append(Change(row.at, row.old_state, row.new_state))
    return changes


def _routes(session: Session, words: Vocabulary, now: datetime) -> tuple[tuple[RouteView, ...], tuple[datetime, ...]]:
    """The routes as they can be used now, and the moments at which their checks grow too old to be believed."""
    found = routes.list_routes(session, now)
    written = texts.read(session, "route", [one.route.id for one in found])
    checks = [one.route.checked_at for one in found if one.route.checked_at is not None]
    turns = tuple(at + STALE_AFTER + timedelta(seconds=1) for at in checks)
    return tuple(_route(words, written, one) for one in found), turns


def _route(words: Vocabulary, written: Wordings, found: RouteNow) -> RouteView:
    row = found.route
    return RouteView(
        id=row.public_id,
        kind=row.kind,
        name=words.words(written, row.id, "name", row.key),
        state=found.state,
        position=row.position,
        how_to=words.maybe(written, row.id, "how_to"),
        credit=words.maybe(written, row.id, "credit"),
        code=row.ussd_code or row.short_code or row.phone,
        url=row.url,
        # Of a way that nobody has looked at since, the page says so; of no other does an overtaken check speak.
        checked_at=row.checked_at if found.check is not None or found.state is RouteState.UNKNOWN else None,
        receipt_needed=row.receipt_needed,
        key=row.key,
        segments=words.named(row.segments, words.segments),
        regions=words.named(row.regions, words.regions),
    )


def _incidents(
    session: Session, words: Vocabulary, listed: list[Component], drill: bool, now: datetime
) -> tuple[IncidentView, ...]:
    query = select(Incident).where(Incident.publication == Publication.PUBLISHED, Incident.drill == drill)
    query = query.where(Incident.started_at >= now - HISTORY).order_by(Incident.started_at.desc(), Incident.id.desc())
    rows = list(session.scalars(query))
    titles = texts.read(session, "incident", [row.id for row in rows])
    names = texts.read(session, "component", [one.id for one in listed])
    by_key = {one.key: words.words(names, one.id, "name", one.key) for one in listed}
    touched = _touched(session, rows)
    updates = _updates(session, words, rows, {one.id: one.public_id for one in listed})
    public = {one.id: one.public_id for one in listed}
    return tuple(
        IncidentView(
            id=row.public_id,
            title=words.words(titles, row.id, "title", row.public_id),
            state=row.state,
            impact=indicator(said.state for said in touched[row.id]),
            cause=row.cause,
            started_at=row.started_at,
            created_at=row.published_at or row.created_at,
            updated_at=row.updated_at,
            updates=tuple(updates[row.id]),
            restored_at=row.restored_at,
            resolved_at=row.resolved_at,
            credited_at=row.crediting_verified_at,
            next_update_at=row.next_update_at,
            expected_end_at=row.expected_end_at,
            credited_by=row.credited_by_at,
            component_ids=tuple(public[said.component_id] for said in touched[row.id]),
            regions=words.limits(row.regions, words.regions),
            segments=words.limits(row.segments, words.segments),
            segment_keys=tuple(row.segments),
            not_affected=words.named(row.not_affected, by_key),
        )
        for row in rows
    )


def _moved(session: Session, incidents: tuple[IncidentView, ...], drill: bool) -> tuple[MovedView, ...]:
    """Each duplicate that was published, with the incident at the end of its chain, if that is on the page."""
    query = select(Incident.id, Incident.public_id, Incident.duplicate_of_id, Incident.published_at)
    query = query.where(Incident.publication.in_((Publication.DUPLICATE, Publication.PUBLISHED)))
    known = {row.id: row for row in session.execute(query.where(Incident.drill == drill))}
    shown = {one.id: one for one in incidents}
    moved = []
    for row in known.values():
        end = row
        while end.public_id not in shown and end.duplicate_of_id in known:
            end = known[end.duplicate_of_id]
        if end is not row and end.public_id in shown and row.published_at is not None:
            moved.append(MovedView(row.public_id, shown[end.public_id]))
    return tuple(moved)


def _touched(session: Session, rows: list[Incident]) -> Mapping[int, list[IncidentComponent]]:
    query = select(IncidentComponent).join(Component, Component.id == IncidentComponent.component_id)
    query = query.where(IncidentComponent.incident_id.in_([row.id for row in rows])).order_by(Component.position)
    touched: dict[int, list[IncidentComponent]] = defaultdict(list)
    for said in session.scalars(query):
        touched[said.incident_id].append(said)
    return touched


def _updates(
    session: Session, words: Vocabulary, rows: list[Incident], public: Mapping[int, str]
) -> Mapping[int, list[UpdateView]]:
    query = select(IncidentUpdate).where(IncidentUpdate.incident_id.in_([row.id for row in rows]))
    told = list(session.scalars(query.order_by(IncidentUpdate.at.desc(), IncidentUpdate.id.desc())))
    bodies = texts.read(session, "incident_update", [one.id for one in told])
    written = texts.written_at(session, "incident_update", [one.id for one in told])
    moved: dict[int, list[ChangeView]] = defaultdict(list)
    changes = select(ComponentChange).where(ComponentChange.update_id.in_([one.id for one in told]))
    for change in session.scalars(changes.order_by(ComponentChange.id)):
        if change.update_id is not None:
            moved[change.update_id].append(ChangeView(public[change.component_id], change.old_state, change.new_state))
    updates: dict[int, list[UpdateView]] = defaultdict(list)
    for one in told:
        body = causes.in_own_language(words.words(bodies, one.id, "body"))
        written_at = max(one.created_at, written.get(one.id, one.created_at))
        updates[one.incident_id].append(
            UpdateView(one.public_id, one.state, one.at, one.created_at, written_at, body, tuple(moved[one.id]))
        )
    return updates


def _promises(session: Session, words: Vocabulary, drill: bool) -> tuple[PromiseView, ...]:
    query = select(GracePolicy, Incident.public_id).join(Incident, Incident.id == GracePolicy.incident_id)
    query = query.where(GracePolicy.published_until.is_not(None), Incident.drill == drill).order_by(GracePolicy.id)
    rows = session.execute(query).all()
    limits = texts.read(session, "grace_policy", [policy.id for policy, _ in rows])
    return tuple(
        PromiseView(
            incident_id=incident_id,
            state=policy.state,
            until=policy.published_until,
            segments=tuple(policy.segments),
            covered=words.named(policy.segments, words.segments),
            regions=words.named(policy.regions, words.regions),
            not_covered=_one(words.maybe(limits, policy.id, "not_covered")),
            tail_days=policy.tail_days,
            everybody=not policy.regions and words.segments.keys() <= set(policy.segments),
        )
        for policy, incident_id in rows
        if policy.published_until is not None
    )


def _one(words: Words | None) -> tuple[Words, ...]:
    return (words,) if words is not None else ()
