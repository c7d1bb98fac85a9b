"""The pace that all senders share: one row says until when the provider is busy with what was handed over.

The generic cell rate algorithm: each segment moves that moment on by 1/rate; who would move it more than a second ahead
waits. The row is a `Lease`, whose `until` is that moment and which nobody owns.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from notifiers.base import Channel
from statuspage.db import is_sqlite
from statuspage.models import Lease

BURST = timedelta(seconds=1)
SHARED = "shared"


def allow(session: Session, channel: Channel, costs: Sequence[int], rate: int, *, now: datetime) -> int:
    """How many of the messages, which cost `costs` segments each, may go now; at least one a second, however dear.

    Held to the end of the transaction, so that two senders never take the same room.
    """
    if rate == 0 or not costs:
        return len(costs)
    name = f"rate:{channel.value}"
    insert = (sqlite.insert if is_sqlite(session) else postgresql.insert)(Lease)
    session.execute(insert.values(name=name, owner=SHARED, epoch=0, until=now).on_conflict_do_nothing())
    row = session.scalars(select(Lease).where(Lease.name == name).with_for_update()).one()
    # A clock that was set back must not stop the sending for as long.
    busy_until = max(now, min(row.until, now + BURST))
    allowed = 0
    while allowed < len(costs) and (busy_until < now + BURST or busy_until == now):
        busy_until += timedelta(seconds=costs[allowed] / rate)
        allowed += 1
    row.until = busy_until
    session.flush()
    return allowed
