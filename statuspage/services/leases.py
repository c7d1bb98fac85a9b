"""Take, renew and give back a lease; whoever lost one learns it in the transaction that would have used it."""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import CursorResult, Update, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from statuspage.db import is_sqlite
from statuspage.models import Lease

NOBODY = "nobody"
BEYOND = 3
"""A lease that runs for this many of its lengths was taken by a clock that was ahead: it binds nobody."""


class LeaseLost(Exception):
    """Another process took the lease over while this one slept; what it was about to write must not be written."""


@dataclass(frozen=True)
class Held:
    """A lease in hand. `epoch` tells this holding from every earlier and later one."""

    name: str
    owner: str
    epoch: int


def new_owner() -> str:
    """A name for this process, fit for a log: host, process and a chance part."""
    return f"{socket.gethostname()[:30]}:{os.getpid()}:{secrets.token_hex(4)}"


def take(session: Session, name: str, owner: str, length: timedelta, *, now: datetime) -> Held | None:
    """The lease until `now + length`, or None while another holder's has not run out.

    One that a clock which was hours ahead took, and died with, is free again when the clock is put right.
    """
    insert = (sqlite.insert if is_sqlite(session) else postgresql.insert)(Lease)
    session.execute(insert.values(name=name, owner=NOBODY, epoch=0, until=now).on_conflict_do_nothing())
    # One given back is free whatever the clock says: it may have jumped back since.
    free = or_(Lease.until <= now, Lease.owner == NOBODY, Lease.until > now + BEYOND * length)
    taken = _changed(
        session,
        update(Lease)
        .where(Lease.name == name, free)
        .values(owner=owner, epoch=Lease.epoch + 1, until=now + length),
    )
    if not taken:
        return None
    return Held(name, owner, session.scalars(select(Lease.epoch).where(Lease.name == name)).one())


def is_free(session: Session, name: str, length: timedelta, *, now: datetime) -> bool:
    """Whether `take` would get it, as far as that can be read: to ask writes nothing and waits for nobody."""
    held = select(Lease.name).where(
        Lease.name == name, Lease.owner != NOBODY, Lease.until > now, Lease.until <= now + BEYOND * length
    )
    return session.scalar(held) is None


def renew(session: Session, held: Held, length: timedelta, *, now: datetime) -> None:
    """Lengthen it, in the transaction that the lease protects. LeaseLost when it is another's by now."""
    if not _changed(session, _mine(held).values(until=now + length)):
        raise LeaseLost(held.name)


def release(session: Session, held: Held, *, now: datetime) -> None:
    """Let the next one in at once; nothing happens when the lease is another's by now."""
    _changed(session, _mine(held).values(until=now, owner=NOBODY))


def held_until(session: Session, name: str, *, now: datetime) -> datetime | None:
    """When the present holder's lease runs out unless renewed; None when nobody holds it."""
    held = select(Lease.until).where(Lease.name == name, Lease.until > now, Lease.owner != NOBODY)
    return session.scalar(held)


def _mine(held: Held) -> Update:
    return update(Lease).where(Lease.name == held.name, Lease.owner == held.owner, Lease.epoch == held.epoch)


def _changed(session: Session, statement: Update) -> bool:
    result = session.execute(statement, execution_options={"synchronize_session": False})
    return isinstance(result, CursorResult) and result.rowcount == 1
