"""That dunning asked about holds, and when: the sign, short of an acknowledgement, that it listens at all."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from statuspage.db import is_sqlite
from statuspage.models import GraceInquiry
from statuspage.services.actor import Actor

KEPT_EVERY = timedelta(minutes=1)
"""A dunning system asks about millions of lines; a minute is as exact as a person needs to know it."""


def due(session: Session, asker: Actor, *, now: datetime) -> bool:
    """Whether `note` has anything to write: nothing was kept of this asker in the last minute."""
    kept = session.get(GraceInquiry, asker.name)
    return kept is None or now - kept.at >= KEPT_EVERY


def note(session: Session, asker: Actor, *, now: datetime) -> None:
    """Keep that `asker` asked just now. Not audited: a question changes nothing, and millions would drown what does."""
    insert = (sqlite.insert if is_sqlite(session) else postgresql.insert)(GraceInquiry)
    row = insert.values(asker=asker.name, at=now)
    session.execute(row.on_conflict_do_update(index_elements=[GraceInquiry.asker], set_={"at": now}))


def last(session: Session) -> GraceInquiry | None:
    """The newest question of anybody; None when nobody ever asked."""
    return session.scalar(select(GraceInquiry).order_by(GraceInquiry.at.desc()).limit(1))
