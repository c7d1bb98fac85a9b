"""Updates of an incident: write one at its place in time, read the state from all of them, mend and translate words."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage import i18n
from statuspage.domain.component import ComponentState
from statuspage.domain.errors import NotFound, RuleError, check_all
from statuspage.domain.incident import (
    ENDED,
    RESTORED,
    CauseCategory,
    IncidentState,
    Publication,
    UpdatePoint,
    check_insert,
    check_update_time,
    current_state,
    state_since,
)
from statuspage.domain.roles import Permission
from statuspage.models import Incident, IncidentUpdate
from statuspage.services import audit, page, texts, wording, words
from statuspage.services.actor import Actor
from statuspage.services.texts import Texts


class Keep(Enum):
    """Leave the value as it is; None says "unknown", which is something else."""

    KEEP = "keep"


KEEP = Keep.KEEP
_NOT_WRITTEN_YET = sys.maxsize


@dataclass(frozen=True)
class NewUpdate:
    """What one update says. `at` None is now; an earlier time must lie after the start. `components`: key → state.

    A `cause` that is not the incident's so far closes the words as a sentence of its own, in each of their languages.
    """

    state: IncidentState
    body: Texts
    source_locale: str
    at: datetime | None = None
    components: Mapping[str, ComponentState] = field(default_factory=dict)
    next_update_at: datetime | Keep | None = KEEP
    expected_end_at: datetime | Keep | None = KEEP
    cause: CauseCategory | Keep = KEEP


def list_updates(session: Session, incident: Incident) -> list[IncidentUpdate]:
    """Newest first, as readers see them."""
    query = select(IncidentUpdate).where(IncidentUpdate.incident_id == incident.id)
    return list(session.scalars(query.order_by(IncidentUpdate.at.desc(), IncidentUpdate.id.desc())))


def get_update(session: Session, incident: Incident, public_id: str) -> IncidentUpdate:
    """Raises NotFound."""
    query = select(IncidentUpdate).where(IncidentUpdate.public_id == public_id)
    update = session.scalar(query.where(IncidentUpdate.incident_id == incident.id))
    if update is None:
        raise NotFound("update.not_found", f"update: the incident has none with the id {public_id}.", "update")
    return update


def points(session: Session, incident: Incident) -> list[UpdatePoint]:
    query = select(IncidentUpdate.at, IncidentUpdate.id, IncidentUpdate.state)
    return [UpdatePoint(*row) for row in session.execute(query.where(IncidentUpdate.incident_id == incident.id))]


def state_after(session: Session, incident: Incident, new: NewUpdate, now: datetime) -> IncidentState:
    """What the incident's state would be with `new` among its updates. Refuses one that cannot stand at its place."""
    existing = points(session, incident)
    return current_state([*existing, _placed(existing, incident, new, now)])


def write(session: Session, actor: Actor, incident: Incident, new: NewUpdate, now: datetime) -> IncidentUpdate:
    """Store the update and read the incident's state anew. What follows from a change of state is `lifecycle`'s."""
    existing = points(session, incident)
    point = _placed(existing, incident, new, now)
    learned = not isinstance(new.cause, Keep) and new.cause is not incident.cause
    if not isinstance(new.cause, Keep):
        words.check_cause(actor, incident, new.cause)
        incident.cause = new.cause
    said = _with_cause(new.body, incident.cause) if learned else new.body
    body = wording.checked(said, new.source_locale, "body", wording.BODY_LENGTH)
    if incident.publication is Publication.PUBLISHED:
        before = words.all_said(session, incident) if learned else []
        words.check_public(session, actor, incident, [*before, body], now)
    newest = all((one.at, one.id) < (point.at, point.id) for one in existing)
    if newest:
        _take_over(incident, new, now)
    elif new.components:
        raise RuleError(
            "update.components_in_the_past",
            "components: only the newest update changes them. Leave them out of one that is dated back.",
            "components",
        )
    update = IncidentUpdate(
        incident_id=incident.id,
        state=new.state,
        at=point.at,
        author_id=actor.id,
        # As the incident has them now: one that is dated back says nothing of what is to come.
        expected_end_at=incident.expected_end_at,
        next_update_at=incident.next_update_at,
        created_at=now,
    )
    session.add(update)
    session.flush()
    texts.write(session, "incident_update", update.id, "body", body, new.source_locale, now)
    refresh_state(session, incident, now)
    return update


def _with_cause(body: Texts, cause: CauseCategory) -> Texts:
    """Of security only approved words are said, so nothing is put beside them."""
    if cause is CauseCategory.SECURITY:
        return body
    return {
        locale: f"{text.rstrip()}\n\n{cause_sentence(locale, cause)}"
        if text.strip() and locale in i18n.KNOWN_LOCALES
        else text
        for locale, text in body.items()
    }


def cause_sentence(locale: str, cause: CauseCategory) -> str:
    """The sentence that closes an update which brings a new cause."""
    return i18n.gettext(locale, "page.incident.cause_now", cause=i18n.gettext(locale, f"page.cause.{cause}"))


def refresh_state(session: Session, incident: Incident, now: datetime) -> None:
    """Derive state, end of the outage and end of the incident from the updates."""
    all_points = points(session, incident)
    incident.state = current_state(all_points)
    incident.restored_at = state_since(all_points, RESTORED)
    incident.resolved_at = state_since(all_points, ENDED)
    if incident.state in ENDED:
        incident.next_update_at = None
    incident.updated_at = now
    session.flush()


def edit_update(
    session: Session,
    actor: Actor,
    incident: Incident,
    update: IncidentUpdate,
    body: Texts,
    source: str,
    *,
    now: datetime,
) -> None:
    """Mend or translate an update's words. A changed source makes translations not given with it outdated."""
    _edit(session, actor, incident, _Place("incident_update", update.id, "body"), body, source, now)
    detail: audit.Detail = {"update": update.public_id, "locales": sorted(body)}
    audit.record(session, actor, "update.edited", "incident", incident.public_id, now, detail)


def edit_title(session: Session, actor: Actor, incident: Incident, title: Texts, source: str, *, now: datetime) -> None:
    """Mend or translate the title."""
    _edit(session, actor, incident, _Place("incident", incident.id, "title"), title, source, now)
    detail: audit.Detail = {"locales": sorted(title)}
    audit.record(session, actor, "incident.title_edited", "incident", incident.public_id, now, detail)


@dataclass(frozen=True)
class _Place:
    entity: str
    entity_id: int
    field: str


def _edit(
    session: Session, actor: Actor, incident: Incident, place: _Place, body: Texts, source: str, now: datetime
) -> None:
    actor.require(Permission.INCIDENT_EDIT)
    present = texts.read(session, place.entity, [place.entity_id])[place.entity_id, place.field]
    original = {source: present.bodies[source]} if source in present.bodies else {}
    said = original | body
    checked = (
        wording.titles(said, source)
        if place.field == "title"
        else wording.checked(said, source, place.field, wording.BODY_LENGTH)
    )
    if incident.publication is Publication.PUBLISHED:
        actor.require(Permission.INCIDENT_PUBLISH)
        words.check_public(session, actor, incident, [checked], now)
        page.bump(session)
    texts.write(session, place.entity, place.entity_id, place.field, checked, source, now)
    incident.updated_at = now
    session.flush()


def _take_over(incident: Incident, new: NewUpdate, now: datetime) -> None:
    times = {"next_update_at": new.next_update_at, "expected_end_at": new.expected_end_at}
    said = {name: value for name, value in times.items() if not isinstance(value, Keep)}
    check_all(partial(check_ahead, value, name, now) for name, value in said.items())
    for name, value in said.items():
        setattr(incident, name, value)


LONGEST_AHEAD = timedelta(days=366)


def check_ahead(value: datetime | None, name: str, now: datetime) -> None:
    """Refuse a moment that has passed where one to come is meant; None, "not known", is never wrong."""
    if value is None:
        return
    if value <= now:
        raise RuleError("incident.time_passed", f"{name}: {value.isoformat()} has passed. Give a later moment.", name)
    if value > now + LONGEST_AHEAD:
        raise RuleError(
            "incident.time_too_far",
            f"{name}: {value.isoformat()} is more than {LONGEST_AHEAD.days} days ahead. Is the year right?",
            name,
        )


def _placed(existing: list[UpdatePoint], incident: Incident, new: NewUpdate, now: datetime) -> UpdatePoint:
    if new.at is not None:
        check_update_time(new.at, incident.started_at, now)
    # An update without a time of its own is the newest one even when the clock was set back.
    at = new.at if new.at is not None else max([now, *(one.at for one in existing)])
    point = UpdatePoint(at, _NOT_WRITTEN_YET, new.state)
    check_insert(existing, point)
    return point
