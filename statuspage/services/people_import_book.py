"""The books of imports: when one began, how it ended, who did it."""

from __future__ import annotations

from datetime import datetime

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from statuspage.clock import Clock
from statuspage.db import Sessions, transaction
from statuspage.models import Installation, PeopleImport
from statuspage.models.types import new_public_id
from statuspage.services import audit, leases
from statuspage.services.actor import Actor
from statuspage.services.leases import Held, LeaseLost
from statuspage.services.people_import_database import LEASE_LENGTH
from statuspage.services.people_import_refused import KEPT, RefusedLines
from statuspage.services.people_import_sink import Counts

logger = structlog.get_logger(__name__)


def deserted(entry: PeopleImport, now: datetime) -> bool:
    """Whether nobody works on the run any more: it has not ended, and its process has long not shown itself.

    What lives beats at least as often as it renews the lease, so whoever was silent for that long was killed.
    """
    return entry.finished_at is None and entry.heartbeat_at + LEASE_LENGTH <= now


def standing(entry: PeopleImport, now: datetime) -> str:
    """What is true of the run at `now`: its state, or abandoned before anybody wrote that down, or checking for a dry
    run that still reads."""
    if entry.finished_at is not None:
        return entry.state
    if deserted(entry, now):
        return "abandoned"
    return "checking" if entry.state == "dry_run" else entry.state


class ImportBook:
    """Writes the row of one run. Without a lease it is a dry run."""

    def __init__(self, sessions: Sessions, actor: Actor, held: Held | None, clock: Clock) -> None:
        self._sessions, self._actor, self._held, self._clock = sessions, actor, held, clock

    def enter(self, file_name: str, size: int) -> PeopleImport:
        """Begin: the row has a generation that is not visible yet."""
        now = self._clock.now()
        with transaction(self._sessions) as session:
            entry = PeopleImport(
                public_id=new_public_id(),
                generation=_new_generation(session, dry_run=self._held is None),
                state="dry_run" if self._held is None else "running",
                actor=self._actor.name,
                file_name=file_name.replace("\\", "/").rsplit("/", 1)[-1][:200],
                bytes_total=size,
                started_at=now,
                heartbeat_at=now,
                purged=self._held is None,
            )
            session.add(entry)
            audit.record(session, self._actor, "people_import.started", "people_import", entry.public_id, now)
        return entry

    def finish(self, entry: PeopleImport, counts: Counts, refused: RefusedLines) -> None:
        """Make the generation visible, by one UPDATE, and give the lease back."""
        now = self._clock.now()
        with transaction(self._sessions) as session:
            if self._held is not None:
                leases.renew(session, self._held, LEASE_LENGTH, now=now)
                session.execute(update(Installation).values(generation=entry.generation))
                leases.release(session, self._held, now=now)
            self._close(session, entry, counts, refused, "visible" if self._held else "dry_run", now)

    def fail(self, entry: PeopleImport, counts: Counts, refused: RefusedLines) -> None:
        """What it wrote is removed by the next import or by the scheduler, whichever comes first."""
        now = self._clock.now()
        try:
            with transaction(self._sessions) as session:
                if self._held is not None:
                    leases.renew(session, self._held, LEASE_LENGTH, now=now)
                    leases.release(session, self._held, now=now)
                self._close(session, entry, counts, refused, "failed", now)
        except (SQLAlchemyError, LeaseLost) as error:
            # Whoever holds the lease next finds the run by its state; why it failed is on its way up already.
            logger.warning("people_import.left_open", import_id=entry.public_id, error=type(error).__name__)

    def _close(
        self, session: Session, entry: PeopleImport, counts: Counts, refused: RefusedLines, state: str, now: datetime
    ) -> None:
        refused.close()
        row = update(PeopleImport).where(PeopleImport.id == entry.id)
        session.execute(
            row.values(
                state=state,
                finished_at=now,
                heartbeat_at=now,
                refused_path=refused.written,
                refused_expires_at=now + KEPT if refused.count else None,
                **counts.columns(),
            )
        )
        detail: audit.Detail = {"accepted": counts.accepted, "refused": counts.refused, "duplicate": counts.duplicate}
        audit.record(session, self._actor, f"people_import.{state}", "people_import", entry.public_id, now, detail)


def _new_generation(session: Session, *, dry_run: bool) -> int:
    """The next one. A dry run needs none, but the column wants another number for each."""
    newest, oldest = session.execute(select(func.max(PeopleImport.generation), func.min(PeopleImport.generation))).one()
    return min(oldest or 0, 0) - 1 if dry_run else max(newest or 0, 0) + 1
