"""That dunning asked about holds, and when: the sign, short of an acknowledgement, that it listens at all."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from statuspage.db import is_sqlite
from statuspage.domain.grace import check_system
from statuspage.models import GraceInquiry
from statuspage.services.actor import CLI

KEPT_EVERY = timedelta(minutes=1)
"""A dunning system asks about millions of lines; a minute is as exact as a person needs to know it."""


def due(session: Session, system: str, *, now: datetime) -> bool:
    """Whether `note` has anything to write: nothing was kept of this system in the last minute."""
    kept = session.get(GraceInquiry, check_system(system))
    return kept is None or now - kept.at >= KEPT_EVERY


def note(session: Session, system: str, *, now: datetime) -> None:
    """Keep that dunning system `system` asked just now. Not audited: a question changes nothing, and millions would
    drown what does. What a person asks is not kept: it says nothing of whether dunning listens."""
    insert = (sqlite.insert if is_sqlite(session) else postgresql.insert)(GraceInquiry)
    row = insert.values(asker=check_system(system), at=now)
    session.execute(row.on_conflict_do_update(index_elements=[GraceInquiry.asker], set_={"at": now}))


def last(session: Session) -> GraceInquiry | None:
    """The newest question of any dunning system; None when none ever asked."""
    # Kept under the name of the command line were questions of which nobody knows whether a person asked them.
    named = select(GraceInquiry).where(GraceInquiry.asker != CLI.name)
    return session.scalar(named.order_by(GraceInquiry.at.desc()).limit(1))
