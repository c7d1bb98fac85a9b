"""Gather an audience one stretch ahead of its storing."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, cycle, repeat

from sqlalchemy import Engine

from notifiers.base import Channel
from statuspage.config import Settings
from statuspage.db import Sessions, make_engine, make_sessions, transaction
from statuspage.jobs.turnstile import Turnstile, write_lazily
from statuspage.models import Campaign
from statuspage.services import expansion
from statuspage.services.expansion import Staged

STRETCHES = (500, 10_000, 30_000, 100_000, 300_000)
"""Lines. The first is small, so that the first message is at the provider before the audience is walked. Each of the
next is gathered in about the time in which the one before is stored: nothing waits. The last are large, because each
goes once through the whole of the unique index."""


@dataclass(frozen=True)
class Gathered:
    """Rows in the temporary table of the one connection behind `sessions`.

    `cursor` is how far the campaign has come once they are stored; None while another channel is to come before.
    """

    sessions: Sessions
    staged: Staged
    cursor: int | None


class Gatherer:
    """Two connections with a temporary table each: while the rows of one are stored, the other's are gathered."""

    def __init__(self, sessions: Sessions, turnstile: Turnstile, settings: Settings) -> None:
        self._sessions = sessions
        self._turnstile = turnstile
        self._settings = settings
        self._engines: list[Engine] = []

    def close(self) -> None:
        """Give back the connections and what they keep in memory."""
        for engine in self._engines:
            engine.dispose()
        self._engines = []

    def ahead(self, campaign_id: int) -> Generator[Gathered, None, None]:
        """The campaign's lines from its cursor on, in each of its channels. Close it when you stop before its end."""
        with (
            closing(self._walk(campaign_id)) as walk,
            ThreadPoolExecutor(1, thread_name_prefix="gather") as beside,
        ):
            following = beside.submit(lambda: next(walk, None))
            while (gathered := following.result()) is not None:
                following = beside.submit(lambda: next(walk, None))
                yield gathered

    def sign_ups(self, campaign_id: int, channel: Channel) -> Gathered:
        """Some of those who signed up on the page and are not in the campaign yet."""
        table = self._tables()[0]
        with transaction(table, read_only=True) as session:
            campaign = session.get_one(Campaign, campaign_id)
            return Gathered(table, expansion.stage_sign_ups(session, campaign, channel, self._settings), None)

    def _walk(self, campaign_id: int) -> Generator[Gathered, None, None]:
        tables = cycle(self._tables())
        after: int | None = None
        for size in chain(STRETCHES, repeat(STRETCHES[-1])):
            with transaction(self._sessions, read_only=True) as session:
                campaign = session.get_one(Campaign, campaign_id)
                stretch = expansion.next_stretch(session, campaign, size, after)
                channels = [Channel(one) for one in campaign.channels]
            if stretch is None:
                return
            for channel in channels:
                table = next(tables)
                with transaction(table, read_only=True) as session:
                    campaign = session.get_one(Campaign, campaign_id)
                    staged = expansion.stage(session, campaign, channel, stretch, self._settings)
                yield Gathered(table, staged, stretch.until if channel is channels[-1] else None)
            after = stretch.until

    def _tables(self) -> list[Sessions]:
        while len(self._engines) < 2:
            bound = self._sessions.kw["bind"]
            engine = make_engine(bound.url.render_as_string(hide_password=False), pool_size=1)
            write_lazily(engine, durable=False)
            with self._turnstile.transaction(make_sessions(engine)) as session:
                expansion.prepare(session)
            self._engines.append(engine)
        return [make_sessions(engine) for engine in self._engines]
