"""The playbook: the operator's measures, each incident's copy of them, and what people answer for by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from statuspage.domain import playbook as rule
from statuspage.domain.errors import NotFound, RuleError
from statuspage.domain.incident import OPEN, RECURRENCE_WINDOW, Publication
from statuspage.domain.measure import BY_KEY, MEASURES, VERSION, Measure
from statuspage.domain.playbook import Record, Row
from statuspage.domain.roles import Permission
from statuspage.models import Component, Incident, IncidentComponent, PlaybookMeasure, PlaybookRow, User
from statuspage.services import audit, clock_facts, evidence, texts, wording
from statuspage.services.actor import Actor
from statuspage.services.operator_facts import OperatorFacts
from statuspage.services.texts import Texts

SOURCE = "ru"
_WATCHED_AFTER = timedelta(days=30)
"""How long after resolving a proof may still come: the last measures are due after ten days."""


@dataclass(frozen=True)
class Recurrence:
    """The billing incidents of the last 90 days, this one among them, newest first."""

    count: int
    incidents: tuple[str, ...]


def ensure_measures(session: Session, now: datetime) -> None:
    """Load the shipped measures that the operator's table does not have yet; what he changed or retired stays so."""
    known = set(session.scalars(select(PlaybookMeasure.key)))
    for measure in MEASURES:
        if measure.key in known:
            continue
        row = PlaybookMeasure(
            key=measure.key,
            position=measure.number * 10,
            source_row=measure.source,
            owner=", ".join(measure.owners),
            revision=VERSION,
        )
        session.add(row)
        session.flush()
        texts.write(session, "playbook_measure", row.id, "measure", dict(measure.text), SOURCE, now)


def list_measures(session: Session) -> list[PlaybookMeasure]:
    """The operator's table, without retired rows."""
    query = select(PlaybookMeasure).where(PlaybookMeasure.retired_at.is_(None))
    return list(session.scalars(query.order_by(PlaybookMeasure.position, PlaybookMeasure.id)))


def copy_into(session: Session, incident: Incident) -> None:
    """Give the incident its copy of the table as it is now."""
    ensure_measures(session, incident.declared_at)
    for measure in list_measures(session):
        session.add(
            PlaybookRow(
                incident_id=incident.id,
                measure_id=measure.id,
                key=measure.key,
                position=measure.position,
                measure_revision=measure.revision,
                due_minutes=measure.due_minutes,
            )
        )
    session.flush()


def rows(session: Session, incident: Incident, operator: OperatorFacts, now: datetime) -> tuple[Row, ...]:
    """The incident's playbook at `now`, each row with its state, due time and reason."""
    kept = _rows(session, incident)
    facts = evidence.gather(session, incident, operator, now)
    profile = clock_facts.profile_of(incident)
    measures = [_measure(session, row) for row in kept]
    return rule.rows(facts, _records(session, kept), profile, now, measures=measures, drill=incident.drill)


def measure_texts(session: Session, incident: Incident) -> dict[str, texts.Wording]:
    """row key → the measure's wording."""
    kept = {row.measure_id: row.key for row in _rows(session, incident)}
    found = texts.read(session, "playbook_measure", kept)
    return {kept[measure_id]: wording for (measure_id, name), wording in found.items() if name == "measure"}


def people_of(session: Session, rows: Iterable[Row]) -> dict[str, str]:
    """public id → name of everybody whom these rows and their facts name."""
    ids = {who for row in rows for who in (row.by, *(fact.by for fact in row.facts)) if who is not None}
    return dict(session.execute(select(User.public_id, User.name).where(User.public_id.in_(ids))).all())


def keep_proofs(session: Session, operator: OperatorFacts, *, now: datetime) -> int:
    """Note since when each row is proved, in every incident still watched, and return how many were new.

    A proof that does not last is forgotten when it is gone, so that its row does not count as done at the end.
    """
    watched = Incident.state.in_(OPEN) | (Incident.resolved_at > now - _WATCHED_AFTER)
    noted = 0
    for incident in session.scalars(select(Incident).where(watched)).all():
        judged = {row.key: row for row in rows(session, incident, operator, now)}
        for row in _rows(session, incident):
            if judged[row.key].proved and row.proved_at is None:
                row.proved_at, noted = now, noted + 1
            elif judged[row.key].done_at is None:
                row.proved_at = None
    session.flush()
    return noted


def tick(session: Session, actor: Actor, incident: Incident, key: str, note: str, *, now: datetime) -> None:
    """A named person says that the measure is done, and how he knows."""
    _answer(session, actor, incident, key, note, now, waived=False)


def waive(session: Session, actor: Actor, incident: Incident, key: str, reason: str, *, now: datetime) -> None:
    """A named person says that the measure does not apply, and why."""
    _answer(session, actor, incident, key, reason, now, waived=True)


def untick(session: Session, actor: Actor, incident: Incident, key: str, *, now: datetime) -> None:
    """Take a tick or a "not needed" back; the evidence decides again."""
    actor.require(_answerable_by(key))
    row = _row(session, incident, key)
    row.ticked_at, row.ticked_by, row.note, row.not_needed_reason = None, None, None, None
    session.flush()
    audit.record(session, actor, "playbook.unticked", "incident", incident.public_id, now, {"row": key})


def override_gate(
    session: Session, actor: Actor, incident: Incident, lacking: list[Row], reason: str, now: datetime
) -> None:
    """Note on each row that resolving asked for why it went on without it."""
    for row in lacking:
        _answer(session, actor, incident, row.key, reason, now, waived=True)


def put_measure(
    session: Session,
    actor: Actor,
    key: str,
    measure: Texts,
    *,
    owner: str,
    source_row: str,
    position: int,
    due_minutes: int | None,
    now: datetime,
) -> PlaybookMeasure:
    """Add a measure to the operator's table or change one; incidents that run keep their copy.

    `due_minutes` after declaration; None leaves a shipped measure its own rule and gives an own one no due time.
    """
    actor.require(Permission.PLAYBOOK_EDIT)
    if due_minutes is not None and due_minutes < 0:
        raise RuleError(
            "playbook.bad_due", f"due_minutes: {due_minutes} is before declaration. Give 0 or more.", "due_minutes"
        )
    checked = wording.checked(measure, SOURCE, "measure", wording.NOTE_LENGTH)
    row = session.scalar(select(PlaybookMeasure).where(PlaybookMeasure.key == key))
    if row is None:
        row = PlaybookMeasure(key=key, revision=0)
    row.owner, row.source_row, row.position, row.due_minutes = owner, source_row, position, due_minutes
    row.retired_at, row.revision = None, row.revision + 1
    session.add(row)
    session.flush()
    texts.write(session, "playbook_measure", row.id, "measure", checked, SOURCE, now)
    audit.record(session, actor, "playbook.measure_put", "playbook_measure", key, now, {"revision": row.revision})
    return row


def retire_measure(session: Session, actor: Actor, key: str, *, now: datetime) -> None:
    """Leave the measure out of later incidents. Rows of the resolve gate stay."""
    actor.require(Permission.PLAYBOOK_EDIT)
    row = session.scalar(select(PlaybookMeasure).where(PlaybookMeasure.key == key))
    if row is None:
        raise NotFound("playbook.no_measure", f"measure: there is none with the key {key!r}.", "measure")
    if key in rule.RESOLVE_GATE:
        raise RuleError("playbook.gate_stays", f"measure: {key} is asked for when resolving and stays.", "measure")
    row.retired_at = now
    session.flush()
    audit.record(session, actor, "playbook.measure_retired", "playbook_measure", key, now)


def recurrence(session: Session, incident: Incident) -> Recurrence:
    """How often billing failed in the 90 days up to this incident: "third billing incident in 90 days". Of the others
    only what the public was told counts."""
    billing = select(IncidentComponent.incident_id).join(Component, Component.id == IncidentComponent.component_id)
    query = select(Incident.public_id).where(
        Incident.id.in_(billing.where(Component.billing)),
        or_(Incident.publication == Publication.PUBLISHED, Incident.id == incident.id),
        Incident.drill.is_(False),
        Incident.started_at <= incident.started_at,
        Incident.started_at >= incident.started_at - RECURRENCE_WINDOW,
    )
    found = tuple(session.scalars(query.order_by(Incident.started_at.desc(), Incident.id.desc())))
    return Recurrence(len(found), found)


def _answerable_by(key: str) -> Permission:
    """Only who may agree to words about security answers for their row."""
    return Permission.WORDS_APPROVE if key == "security_words" else Permission.PLAYBOOK_TICK


def _answer(
    session: Session, actor: Actor, incident: Incident, key: str, note: str, now: datetime, *, waived: bool
) -> None:
    actor.require(_answerable_by(key))
    row = _row(session, incident, key)
    said = rule.tick(_measure(session, row), Record(), actor.name, wording.line(note, "note", wording.NOTE_LENGTH))
    row.ticked_at, row.ticked_by = now, actor.id
    row.note, row.not_needed_reason = (None, said.note) if waived else (said.note, None)
    session.flush()
    action = "playbook.waived" if waived else "playbook.ticked"
    audit.record(session, actor, action, "incident", incident.public_id, now, {"row": key})


def _rows(session: Session, incident: Incident) -> list[PlaybookRow]:
    query = select(PlaybookRow).where(PlaybookRow.incident_id == incident.id)
    return list(session.scalars(query.order_by(PlaybookRow.position, PlaybookRow.id)))


def _row(session: Session, incident: Incident, key: str) -> PlaybookRow:
    row = session.scalar(select(PlaybookRow).where(PlaybookRow.incident_id == incident.id, PlaybookRow.key == key))
    if row is None:
        known = ", ".join(one.key for one in _rows(session, incident))
        raise NotFound("playbook.no_row", f"row: {key!r} is none of this incident's. There are: {known}.", "row")
    return row


def _records(session: Session, kept: list[PlaybookRow]) -> Mapping[str, Record]:
    people = {row.ticked_by for row in kept} - {None}
    names = dict(session.execute(select(User.id, User.public_id).where(User.id.in_(people))).all())
    return {
        row.key: Record(
            done_at=row.proved_at,
            ticked_by=None if row.ticked_at is None else names.get(row.ticked_by or 0, "cli"),
            note=row.not_needed_reason or row.note or "",
            waived=row.not_needed_reason is not None,
            after=None if row.due_minutes is None else timedelta(minutes=row.due_minutes),
        )
        for row in kept
    }


def _measure(session: Session, row: PlaybookRow) -> Measure:
    if row.key in BY_KEY:
        return BY_KEY[row.key]
    own = session.get_one(PlaybookMeasure, row.measure_id)
    # Nothing can be derived for a measure of the operator's own: a person answers for it.
    return Measure(
        row.key,
        row.position,
        own.source_row,
        {},
        (own.owner,),
        after=timedelta(days=3650) if row.due_minutes is None else timedelta(),
    )
