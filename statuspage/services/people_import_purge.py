"""Take away what nobody sees: the rows of an import that died, and rows that a later one has replaced."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, literal_column, select, update
from sqlalchemy.orm import Session

from statuspage.clock import Clock
from statuspage.db import Sessions, transaction
from statuspage.domain.campaign import COUNT_LASTS, CampaignState
from statuspage.models import FOREVER, Campaign, Contact, Installation, Line, PeopleImport, Subscription
from statuspage.services import leases
from statuspage.services.leases import Held
from statuspage.services.people_import_database import LEASE, LEASE_LENGTH, bulk_sessions, on_sqlite

CHUNK = 1_000
PAUSE_SECONDS = 0.02
"""After each chunk: nobody waits for this work, and others wait for SQLite's lock."""

Removal = Callable[[Session, int], bool]
Stopped = Callable[[], bool]

_EVER: ColumnElement[int] = literal_column(str(FOREVER))
_WITHOUT_ORM = {"synchronize_session": False}
_STILL_EXPANDING = (CampaignState.SCHEDULED, CampaignState.RUNNING, CampaignState.PAUSED)
_MAY_START = (CampaignState.AWAITING_APPROVAL, CampaignState.APPROVED)


def never() -> bool:
    return False


def tend_imports(sessions: Sessions, clock: Clock, stopped: Stopped = never) -> None:
    """The scheduler's task, safe to repeat: clear dead imports, purge replaced rows.

    While an import is running only what no generation needs any more is touched. A file of a million people is cleared
    in a minute, so that between two chunks `stopped` is asked; the next one goes on where this one left off.
    """
    _close_dead_checks(sessions, clock.now())
    with transaction(sessions) as session:
        held = leases.take(session, LEASE, leases.new_owner(), LEASE_LENGTH, now=clock.now())
    with bulk_sessions(sessions) as bulk:
        if held is not None:
            clear_dead(bulk, held, clock, stopped)
            with transaction(sessions) as session:
                leases.release(session, held, now=clock.now())
        _purge_replaced(bulk, clock.now(), stopped)


def _close_dead_checks(sessions: Sessions, now: datetime) -> None:
    """A dry run holds no lease that the next one could find; one that wakes after all writes its own end."""
    dead = (PeopleImport.state == "dry_run", PeopleImport.finished_at.is_(None))
    silent = PeopleImport.heartbeat_at <= now - LEASE_LENGTH
    with transaction(sessions) as session:
        session.execute(update(PeopleImport).where(*dead, silent).values(state="abandoned", finished_at=now))


def clear_dead(sessions: Sessions, held: Held, clock: Clock, stopped: Stopped = never) -> None:
    """Undo what failed or killed imports left. Whoever holds the lease knows that none is running."""
    with transaction(sessions) as session:
        leases.renew(session, held, LEASE_LENGTH, now=clock.now())
        session.execute(
            update(PeopleImport)
            .where(PeopleImport.state == "running")
            .values(state="abandoned", finished_at=clock.now())
        )
        dead = select(PeopleImport.id, PeopleImport.generation).where(
            PeopleImport.state.in_(("failed", "abandoned")), PeopleImport.purged.is_(False)
        )
        found = list(session.execute(dead))
    for run_id, generation in found:
        for undo in (_remove_written, _reopen_replaced):
            while _step(sessions, undo, generation, held, clock.now()):
                if stopped():
                    return
        with transaction(sessions) as session:
            session.execute(update(PeopleImport).where(PeopleImport.id == run_id).values(purged=True))


def _purge_replaced(sessions: Sessions, now: datetime, stopped: Stopped) -> None:
    with transaction(sessions, read_only=True) as session:
        floor = _lowest_needed(session, now)
    while _step(sessions, _remove_replaced, floor):
        if stopped():
            return
    done = (PeopleImport.state == "visible", PeopleImport.generation <= floor, PeopleImport.purged.is_(False))
    with transaction(sessions) as session:
        session.execute(update(PeopleImport).where(*done).values(purged=True))


def _lowest_needed(session: Session, now: datetime) -> int:
    """The oldest generation that somebody still reads: the visible one, or that of a campaign not yet expanded. For one
    that waits for a person it is kept as long as the count may be started on."""
    current = session.scalars(select(Installation.generation)).one()
    waits = Campaign.state.in_(_MAY_START) & (Campaign.counted_at > now - COUNT_LASTS)
    read = select(func.min(Campaign.generation)).where(
        Campaign.state.in_(_STILL_EXPANDING) | waits, Campaign.expanded_at.is_(None), Campaign.told_by_id.is_(None)
    )
    return min(current, session.scalar(read) or current)


def _step(
    sessions: Sessions, remove: Removal, generation: int, held: Held | None = None, now: datetime | None = None
) -> bool:
    """One chunk in one transaction; whether there may be more."""
    with transaction(sessions) as session:
        if held is not None and now is not None:
            leases.renew(session, held, LEASE_LENGTH, now=now)
        more = remove(session, generation)
    if on_sqlite(sessions):
        time.sleep(PAUSE_SECONDS)
    return more


def _remove_written(session: Session, generation: int) -> bool:
    # Only imports write lines, one at a time, so those of the last one are the last lines.
    tail = select(Line.id, Line.contact_id, Line.valid_from).order_by(Line.id.desc()).limit(CHUNK)
    last = [(line, contact) for line, contact, since in session.execute(tail) if since == generation]
    _delete(session, last)
    return len(last) == CHUNK


def _remove_replaced(session: Session, floor: int) -> bool:
    # The second condition is that of the partial index, which is not used unless it is said in so many words.
    old = select(Line.id, Line.contact_id).where(Line.valid_to <= floor, Line.valid_to < _EVER).limit(CHUNK)
    found = list(session.execute(old))
    _delete(session, found)
    return len(found) == CHUNK


def _reopen_replaced(session: Session, generation: int) -> bool:
    closed = select(Line.id, Line.contact_id).where(Line.valid_to == generation, Line.valid_to < _EVER)
    found = list(session.execute(closed.limit(CHUNK)))
    for table, ids in ((Line, [line for line, _ in found]), (Contact, [contact for _, contact in found])):
        session.execute(update(table).where(table.id.in_(ids)).values(valid_to=FOREVER), execution_options=_WITHOUT_ORM)
    return len(found) == CHUNK


def _delete(session: Session, found: Sequence[tuple[int, int]]) -> None:
    lines, contacts = [line for line, _ in found], [contact for _, contact in found]
    for statement in (
        delete(Subscription).where(Subscription.contact_id.in_(contacts)),
        delete(Line).where(Line.id.in_(lines)),
        delete(Contact).where(Contact.id.in_(contacts)),
    ):
        session.execute(statement, execution_options=_WITHOUT_ORM)
