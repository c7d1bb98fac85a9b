"""Walk started campaigns' audiences into the outbox while the senders already send."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import timedelta

import structlog

from statuspage.clock import Clock
from statuspage.config import Settings
from statuspage.db import Sessions, transaction
from statuspage.jobs.turnstile import Turnstile
from statuspage.jobs.walk import LEASE_LENGTH, Walk
from statuspage.services import expansion, leases
from statuspage.services.expansion import Waiting
from statuspage.services.leases import LeaseLost

logger = structlog.get_logger(__name__)


class Expander:
    """Of one process, used by one thread. Any number of them may exist: a lease keeps two from doing the same work, and
    the unique index makes it harmless when they do."""

    def __init__(
        self,
        sessions: Sessions,
        clock: Clock,
        settings: Settings,
        owner: str,
        turnstile: Turnstile,
        *,
        after: timedelta = timedelta(0),
    ) -> None:
        """`after`: leave a campaign alone for so long after its start, for others to take it."""
        self._turnstile = turnstile
        self._after = after
        self._sessions = sessions
        self._clock = clock
        self._settings = settings
        self._owner = owner
        self._walks: dict[Waiting, Walk] = {}
        self._last = 0

    def run(self, stopped: Callable[[], bool]) -> bool:
        """One step of the campaign whose turn it is: of the most urgent ones the next, so that a campaign to a few
        hundred does not wait for one to two million. False: there is none, or other processes are at all of them."""
        with transaction(self._sessions, read_only=True) as session:
            found = expansion.waiting(session, started_by=self._clock.now() - self._after)
        self._leave(self._walks.keys() - set(found))
        for one in sorted(found, key=lambda one: (one.priority, one.campaign_id <= self._last, one.campaign_id)):
            walk = self._walks.get(one) or self._begin(one)
            if walk is not None:
                self._last = one.campaign_id
                self._step(one, walk, stopped)
                return True
        return False

    def close(self) -> None:
        """Leave what was begun to others."""
        self._leave(set(self._walks))

    def _begin(self, one: Waiting) -> Walk | None:
        with transaction(self._sessions, read_only=True) as session:
            # Whoever tried to take it would wait until the one who has it has stored something.
            if not leases.is_free(session, one.lease, LEASE_LENGTH, now=self._clock.now()):
                return None
        with self._turnstile.transaction(self._sessions) as session:
            held = leases.take(session, one.lease, self._owner, LEASE_LENGTH, now=self._clock.now())
        if held is None:
            return None
        walk = Walk(self._sessions, self._clock, self._settings, self._turnstile, one.campaign_id, held)
        self._walks[one] = walk
        return walk

    def _step(self, one: Waiting, walk: Walk, stopped: Callable[[], bool]) -> None:
        goes_on = False
        try:
            goes_on = walk.step(stopped)
        except LeaseLost:
            logger.warning("expansion.lease_lost", owner_id=self._owner)
        finally:
            # Also after an error: a connection that was lost took what was gathered along.
            if not goes_on:
                self._leave({one})

    def _leave(self, walks: Collection[Waiting]) -> None:
        for one in walks:
            self._walks.pop(one).close()
