"""The playbook of an incident: each measure done, open, overdue or not needed, and the gate before resolving."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from statuspage.domain.clocks import ClockProfile
from statuspage.domain.errors import RuleError
from statuspage.domain.evidence import Evidence
from statuspage.domain.measure import BY_KEY, MEASURES, Anchor, Measure
from statuspage.domain.proof import Facts, facts


class RowState(StrEnum):
    DONE = "done"
    OPEN = "open"
    OVERDUE = "overdue"
    NOT_NEEDED = "not_needed"


RESOLVE_GATE = ("repair_owned", "updates_on_time", "restored_truthfully")
"""Rows 7, 8 and 9: asked for when resolving. No row ever delays the first publication or the cancelling of outdated
messages."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is kept of a row in an incident's copy: its last `Row.done_at`, and the word of a named person.

    `after` is the operator's own due time; `ticked_by` a person's public id, with the note that makes him answerable.
    """

    done_at: datetime | None = None
    ticked_by: str | None = None
    note: str = ""
    waived: bool = False
    """The person said "not needed", not "done"."""
    after: timedelta | None = None


_NEW = Record()


@dataclass(frozen=True, slots=True)
class Row:
    """`reason` is a key of the catalogues or, with `by`, a person's note. `due_at` None: nothing to be late for yet."""

    key: str
    number: int
    state: RowState
    due_at: datetime | None
    proved: bool
    """Derived from the evidence, whatever a person said."""
    done_at: datetime | None
    late: bool
    by: str | None
    reason: str
    drill: bool
    facts: Facts = ()
    """What is known for and against it; it is proved when all of them hold."""


def rows(
    evidence: Evidence,
    records: Mapping[str, Record],
    profile: ClockProfile,
    now: datetime,
    *,
    measures: Iterable[Measure] = MEASURES,
    drill: bool = False,
) -> tuple[Row, ...]:
    """The whole playbook at `now`. Keep each row's `done_at` in its record: it is `now` when the proof is new, and None
    again when a proof that does not last is gone."""
    return tuple(_row(measure, evidence, records.get(measure.key, _NEW), profile, now, drill) for measure in measures)


def due_at(
    measure: Measure, evidence: Evidence, profile: ClockProfile, after: timedelta | None = None
) -> datetime | None:
    """By when a row is to be done: the operator's time (`after`) or the table's, or the profile's where stricter."""
    delay = after if after is not None else measure.after
    stricter = _profile_after(measure, profile)
    if stricter is not None:
        delay = min(delay, stricter)
    match measure.anchor:
        case Anchor.CADENCE:
            return evidence.next_update_due
        case Anchor.GATE:
            return None
        case Anchor.RESOLVED:
            return None if evidence.resolved_at is None else evidence.resolved_at + delay
        case Anchor.DECLARED:
            first = evidence.declared_at + delay
            if measure.key == "told_directly" and evidence.first_sms_due is not None:
                return max(first, evidence.first_sms_due)
            if measure.repeat is None or evidence.routes_checked_at is None:
                return first
            return max(first, evidence.routes_checked_at + measure.repeat)


def _profile_after(measure: Measure, profile: ClockProfile) -> timedelta | None:
    if measure.key == "postmortem":
        public = (report.after for report in profile.reports if report.key == "public")
        return next(public, None)
    return {"page_tells": profile.first_notice, "told_directly": profile.first_sms}.get(measure.key)


def _row(
    measure: Measure, evidence: Evidence, record: Record, profile: ClockProfile, now: datetime, drill: bool
) -> Row:
    known = facts(measure.key, evidence)
    proved = bool(known) and all(fact.holds for fact in known)
    due = due_at(measure, evidence, profile, record.after)
    kept = record.done_at if stands(measure, evidence) else None
    done_at = kept or ((record.done_at or now) if proved else None)
    late = done_at is not None and measure.lasting and due is not None and done_at > due
    if measure.anchor is Anchor.CADENCE:
        late = evidence.updates_on_time < evidence.updates_due
    row = Row(
        measure.key,
        measure.number,
        RowState.OPEN,
        due,
        proved,
        done_at,
        False,
        record.ticked_by,
        record.note,
        drill,
        known,
    )
    unneeded = measure.not_needed(evidence)
    if record.ticked_by is not None:
        return replace(row, state=RowState.NOT_NEEDED if record.waived else RowState.DONE)
    if done_at is not None:
        return replace(row, state=RowState.DONE, late=late)
    if unneeded is not None:
        return replace(row, state=RowState.NOT_NEEDED, reason=unneeded)
    if due is not None and now > due:
        return replace(row, state=RowState.OVERDUE, late=True)
    return row


def stands(measure: Measure, evidence: Evidence) -> bool:
    """Whether a proof once seen counts although it may be gone: of what lasts, and of all that is not judged anew."""
    if measure.undone(evidence):
        return False
    return measure.lasting or not (evidence.open and measure.judged(evidence))


def tick(measure: Measure, record: Record, by: str, note: str, waived: bool = False) -> Record:
    """The record after a named person answered, with a note, for what the system cannot know."""
    if len(note.strip()) < 3:
        raise RuleError(
            "playbook.note_missing", f"note: say how you know that row {measure.number} is done or not needed.", "note"
        )
    return replace(record, ticked_by=by, note=note.strip(), waived=waived)


def open_gate(playbook: Sequence[Row]) -> tuple[Row, ...]:
    """The rows that resolving asks for and that are neither done nor not needed."""
    asked = [row for row in playbook if row.key in RESOLVE_GATE]
    lacking = (row for row in asked if row.state in (RowState.OPEN, RowState.OVERDUE))
    return tuple(row for row in lacking if row.state is RowState.OVERDUE or not _not_due_yet(row))


def _not_due_yet(row: Row) -> bool:
    """An update that is only due later keeps nobody from resolving: resolving is that update."""
    return BY_KEY[row.key].anchor is Anchor.CADENCE and row.due_at is not None


def check_resolve(playbook: Sequence[Row], override: str = "") -> None:
    """Resolving asks for rows 7, 8 and 9; an override needs its reason, which is audited."""
    lacking = open_gate(playbook)
    if lacking and len(override.strip()) < 10:
        said = "; ".join(f"{row.number}. {BY_KEY[row.key].text['en']}" for row in lacking)
        raise RuleError("playbook.gate", f"resolve: not done yet: {said} Do it, or give a reason to go on.", "override")
