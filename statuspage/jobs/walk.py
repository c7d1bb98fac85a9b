"""One campaign's way into the outbox, stretch by stretch, under a lease."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

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
from statuspage.services.leases import Held

LEASE_LENGTH = timedelta(seconds=60)
STORED_AT_ONCE = 20_000
HELD_SECONDS = 0.2
"""How long a transaction that stores may last: SQLite's other writers wait meanwhile."""

Stopped = Callable[[], bool]


class Walk:
    """Begun with the lease in hand. Between two steps others have their turn, while the next stretch is gathered."""

    def __init__(
        self,
        sessions: Sessions,
        clock: Clock,
        settings: Settings,
        turnstile: Turnstile,
        campaign_id: int,
        held: Held,
    ) -> None:
        self._sessions = sessions
        self._clock = clock
        self._settings = settings
        self._turnstile = turnstile
        self._campaign_id = campaign_id
        self._held = held
        self._gatherer = Gatherer(sessions, turnstile, settings)
        self._stretches = self._gatherer.ahead(campaign_id)
        self._stored_at_once = STORED_AT_ONCE

    def step(self, stopped: Stopped) -> bool:
        """Store what is gathered of the next stretch, after the last one some of the sign-ups. False: the campaign is
        expanded, or it or this process was stopped. LeaseLost when another process has taken it over."""
        gathered = next(self._stretches, None)
        if gathered is None:
            return self._sign_ups(stopped)
        if self._store(gathered, stopped) is None:
            return False
        if gathered.cursor is not None:
            with self._turnstile.transaction(gathered.sessions) as session:
                expansion.advance(session, self._campaign_id, gathered.cursor)
        return True

    def close(self) -> None:
        """Give back the lease, the connections and what they keep in memory."""
        self._stretches.close()
        self._gatherer.close()
        with self._turnstile.transaction(self._sessions) as session:
            leases.release(session, self._held, now=self._clock.now())

    def _sign_ups(self, stopped: Stopped) -> bool:
        with transaction(self._sessions, read_only=True) as session:
            campaign = session.get_one(Campaign, self._campaign_id)
            channels = [one for one in map(Channel, campaign.channels) if recipients.takes_sign_ups(campaign, one)]
        if campaign.state is not CampaignState.RUNNING or stopped():
            return False
        for channel in channels:
            stored = self._store(self._gatherer.sign_ups(self._campaign_id, channel), stopped)
            if stored is None:
                return False
            if stored:
                return True
        with self._turnstile.transaction(self._sessions) as session:
            expansion.finish(session, self._campaign_id, now=self._clock.now())
        return False

    def _store(self, gathered: Gathered, stopped: Stopped) -> int | None:
        """How many rows came into the outbox; None when the campaign or this process was stopped meanwhile."""
        staged = gathered.staged
        first, stored = staged.first, 0
        while first < staged.last:
            if stopped():
                return None
            last = min(first + self._stored_at_once, staged.last)
            with self._turnstile.transaction(gathered.sessions) as session:
                now, begun = self._clock.now(), time.monotonic()
                leases.renew(session, self._held, LEASE_LENGTH, now=now)
                campaign = session.get_one(Campaign, self._campaign_id)
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
