"""Walk a started campaign's audience into the outbox while the senders already send."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta

import structlog
from sqlalchemy.exc import DBAPIError

from notifiers.base import Channel
from statuspage.clock import Clock
from statuspage.config import Settings
from statuspage.db import Sessions, transaction
from statuspage.domain.campaign import CampaignState
from statuspage.jobs.gatherer import Gathered, Gatherer
from statuspage.jobs.turnstile import Turnstile
from statuspage.models import Campaign
from statuspage.services import expansion, leases, recipients
from statuspage.services.expansion import Staged
from statuspage.services.leases import Held, LeaseLost

STORED_AT_ONCE = 20_000
HELD_SECONDS = 0.2
"""How long a transaction that stores may last: SQLite's other writers wait meanwhile."""
LEASE_LENGTH = timedelta(seconds=60)

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
        self._gatherer = Gatherer(sessions, turnstile, settings)
        self._stored_at_once = STORED_AT_ONCE

    def run(self, stopped: Callable[[], bool]) -> bool:
        """Expand the most urgent campaign to its end; False when there is none, or another process is at it."""
        with transaction(self._sessions, read_only=True) as session:
            campaign_id = expansion.next_campaign(session, started_by=self._clock.now() - self._after)
        if campaign_id is None:
            self.close()
            return False
        with self._turnstile.transaction(self._sessions) as session:
            held = leases.take(
                session, f"expand:{campaign_id}", self._owner, LEASE_LENGTH, now=self._clock.now()
            )
        if held is None:
            return False
        try:
            self._expand(campaign_id, held, stopped)
        except LeaseLost:
            logger.warning("expansion.lease_lost", owner_id=self._owner)
        except DBAPIError:
            # A connection that was lost took its table along; the next run begins with new ones.
            self.close()
            raise
        finally:
            with self._turnstile.transaction(self._sessions) as session:
                leases.release(session, held, now=self._clock.now())
        return True

    def close(self) -> None:
        """Give back the connections and what they keep in memory."""
        self._gatherer.close()

    def _expand(self, campaign_id: int, held: Held, stopped: Callable[[], bool]) -> None:
        with closing(self._gatherer.ahead(campaign_id)) as stretches:
            for gathered in stretches:
                if self._store(gathered, campaign_id, held, stopped) is None:
                    return
                if gathered.cursor is not None:
                    with self._turnstile.transaction(gathered.sessions) as session:
                        expansion.advance(session, campaign_id, gathered.cursor)
        while self._sign_ups(campaign_id, held, stopped):
            pass

    def _sign_ups(self, campaign_id: int, held: Held, stopped: Callable[[], bool]) -> bool:
        """After the lines, whoever signed up on the page; False when they are through and the campaign is expanded, or
        when it does not run any more."""
        with transaction(self._sessions, read_only=True) as session:
            campaign = session.get_one(Campaign, campaign_id)
            channels = [one for one in map(Channel, campaign.channels) if recipients.takes_sign_ups(campaign, one)]
        if campaign.state is not CampaignState.RUNNING or stopped():
            return False
        for channel in channels:
            stored = self._store(self._gatherer.sign_ups(campaign_id, channel), campaign_id, held, stopped)
            if stored is None:
                return False
            if stored:
                return True
        with self._turnstile.transaction(self._sessions) as session:
            expansion.finish(session, campaign_id, now=self._clock.now())
        return False

    def _store(self, gathered: Gathered, campaign_id: int, held: Held, stopped: Callable[[], bool]) -> int | None:
        """How many rows came into the outbox; None when the campaign or this process was stopped meanwhile."""
        staged = gathered.staged
        first, stored = staged.first, 0
        while first < staged.last:
            if stopped():
                return None
            last = min(first + self._stored_at_once, staged.last)
            with self._turnstile.transaction(gathered.sessions) as session:
                now, begun = self._clock.now(), time.monotonic()
                leases.renew(session, held, LEASE_LENGTH, now=now)
                campaign = session.get_one(Campaign, campaign_id)
                if campaign.state is not CampaignState.RUNNING:
                    return None
                part = Staged(staged.channel, first, last)
                stored += expansion.store(session, campaign, part, self._settings, now=now)
            first = last
            self._fit(time.monotonic() - begun)
        return stored

    def _fit(self, held_seconds: float) -> None:
        if held_seconds > HELD_SECONDS:
            self._stored_at_once = max(1_000, self._stored_at_once // 2)
        else:
            self._stored_at_once = min(STORED_AT_ONCE, self._stored_at_once * 2)
