"""Walk a started campaign's audience into the outbox while the senders already send."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import structlog
from sqlalchemy import Engine

from notifiers.base import Channel
from statuspage.clock import Clock
from statuspage.config import Settings
from statuspage.db import Sessions, make_engine, make_sessions, transaction
from statuspage.domain.campaign import CampaignState
from statuspage.jobs.turnstile import Turnstile, write_lazily
from statuspage.models import Campaign
from statuspage.services import expansion, leases, recipients
from statuspage.services.expansion import Staged
from statuspage.services.leases import Held, LeaseLost

FIRST_STRETCH = 500
"""Small, so that the first message is at the provider before the audience is walked."""
STRETCHES = (FIRST_STRETCH, 10_000, 100_000)
STORED_AT_ONCE = 10_000
HELD_SECONDS = 0.1
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
        self._own: Engine | None = None
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
        finally:
            with self._turnstile.transaction(self._sessions) as session:
                leases.release(session, held, now=self._clock.now())
        return True

    def close(self) -> None:
        """Give back the connection and what it keeps in memory."""
        engine, self._own = self._own, None
        if engine is not None:
            engine.dispose()

    def _expand(self, campaign_id: int, held: Held, stopped: Callable[[], bool]) -> None:
        own = make_sessions(self._engine())
        with self._turnstile.transaction(own) as session:
            expansion.prepare(session)
        step = 0
        while not stopped():
            size = STRETCHES[min(step, len(STRETCHES) - 1)]
            step += 1
            if not self._stretch(own, campaign_id, held, size):
                return

    def _stretch(self, own: Sessions, campaign_id: int, held: Held, size: int) -> bool:
        """One stretch in every channel; False when the campaign is expanded or does not run any more."""
        with transaction(own, read_only=True) as session:
            campaign = session.get_one(Campaign, campaign_id)
            stretch = expansion.next_stretch(session, campaign, size)
            running, channels = campaign.state is CampaignState.RUNNING, [Channel(one) for one in campaign.channels]
        if not running:
            return False
        if stretch is None:
            return self._sign_ups(own, campaign_id, held)
        for channel in channels:
            with transaction(own, read_only=True) as session:
                campaign = session.get_one(Campaign, campaign_id)
                staged = expansion.stage(session, campaign, channel, stretch, self._settings)
            if self._store(own, campaign_id, held, staged) is None:
                return False
        with self._turnstile.transaction(own) as session:
            expansion.advance(session, campaign_id, stretch.until)
        return True

    def _sign_ups(self, own: Sessions, campaign_id: int, held: Held) -> bool:
        """After the lines, whoever signed up on the page; when they are through, the campaign is expanded."""
        with transaction(own, read_only=True) as session:
            campaign = session.get_one(Campaign, campaign_id)
            channels = [one for one in map(Channel, campaign.channels) if recipients.takes_sign_ups(campaign, one)]
        for channel in channels:
            with transaction(own, read_only=True) as session:
                campaign = session.get_one(Campaign, campaign_id)
                staged = expansion.stage_sign_ups(session, campaign, channel, self._settings)
            stored = self._store(own, campaign_id, held, staged)
            if stored is None:
                return False
            if stored:
                return True
        with self._turnstile.transaction(own) as session:
            expansion.finish(session, campaign_id, now=self._clock.now())
        return False

    def _store(self, own: Sessions, campaign_id: int, held: Held, staged: Staged) -> int | None:
        """How many rows came into the outbox; None when the campaign was stopped meanwhile."""
        first, stored = staged.first, 0
        while first < staged.last:
            last = min(first + self._stored_at_once, staged.last)
            with self._turnstile.transaction(own) as session:
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

    def _engine(self) -> Engine:
        """One connection of its own: the temporary table lives on it."""
        if self._own is None:
            bound = self._sessions.kw["bind"]
            self._own = make_engine(bound.url.render_as_string(hide_password=False), pool_size=1)
            write_lazily(self._own, durable=False)
        return self._own
