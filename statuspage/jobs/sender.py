"""The sender process: a lane for each channel, the expansion beside them, and questions about what is unknown."""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError

from notifiers.base import Channel, Notifier
from statuspage.clock import Clock
from statuspage.composition import Composition
from statuspage.config import Settings
from statuspage.db import Sessions, reason_of
from statuspage.jobs.compose import Composer
from statuspage.jobs.expander import Expander
from statuspage.jobs.lane import Lane
from statuspage.jobs.options import EngineOptions
from statuspage.jobs.overdue import ask_about_overdue
from statuspage.jobs.reconcile import reconcile
from statuspage.jobs.turn import Means
from statuspage.jobs.turnstile import Turnstile, write_lazily
from statuspage.jobs.wake import listen
from statuspage.services.leases import LeaseLost, new_owner
from statuspage.services.links import Links

EXPAND_SECONDS = 0.2
RECONCILE_SECONDS = 1.0
TROUBLE_SECONDS = 1.0

logger = structlog.get_logger(__name__)


class Sender:
    """One sender. Any number of them work on one database, on any number of hosts when it is PostgreSQL."""

    def __init__(
        self,
        settings: Settings,
        sessions: Sessions,
        notifiers: Mapping[Channel, Sequence[Notifier]],
        clock: Clock,
        *,
        options: EngineOptions | None = None,
    ) -> None:
        composer = Composer(Links.of(settings), settings.operator_name, settings.default_locale)
        self.owner = new_owner()
        self._settings = settings
        turnstile = Turnstile(sessions)
        self._means = Means(sessions, clock, options or EngineOptions.of(settings), composer, self.owner, turnstile)
        self._notifiers = [each[0] for each in notifiers.values() if each]
        self._stopped = threading.Event()
        self._over = asyncio.Event()

    def stop(self) -> None:
        """Send nothing new; `run` returns when what is in flight has come back, or after some seconds. To be called in
        the loop of `run`."""
        self._stopped.set()
        self._over.set()

    async def run(self) -> None:
        for notifier in self._notifiers:
            await notifier.open()
        executor = ThreadPoolExecutor(len(self._notifiers) or 1, thread_name_prefix="lane")
        lanes = [Lane(self._means, notifier, executor, self._over) for notifier in self._notifiers]
        beside = [asyncio.create_task(self._expanding()), asyncio.create_task(self._hearing(lanes))]
        asking = [asyncio.create_task(self._asking(notifier)) for notifier in self._notifiers]
        running = [asyncio.create_task(lane.run()) for lane in lanes]
        logger.info("sender.started", owner_id=self.owner, channel=[one.channel.value for one in self._notifiers])
        try:
            await self._watch([*running, *beside, *asking])
        finally:
            self.stop()
            for lane in lanes:
                lane.wake()
            # A question may be asked again at any time, so nobody waits for its answer.
            for question in asking:
                question.cancel()
            await asyncio.gather(*running, *beside, *asking, return_exceptions=True)
            executor.shutdown()
            for notifier in self._notifiers:
                await notifier.close()
            logger.info("sender.stopped", owner_id=self.owner)

    async def _watch(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Until stopped; a part that fails ends the process, so that the supervisor begins it anew."""
        over = asyncio.create_task(self._over.wait())
        waiting: set[asyncio.Task[Any]] = {over, *tasks}
        try:
            while over in waiting and len(waiting) > 1:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            over.cancel()

    async def _expanding(self) -> None:
        means = self._means
        expander = Expander(means.sessions, means.clock, self._settings, self.owner, means.turnstile)

        async def step() -> bool:
            return await asyncio.to_thread(expander.run, self._stopped.is_set)

        try:
            await self._repeat("expansion", step, EXPAND_SECONDS)
        finally:
            await asyncio.to_thread(expander.close)

    async def _asking(self, notifier: Notifier) -> None:
        async def step() -> bool:
            asked = await reconcile(self._means, notifier)
            return asked > 0 or await ask_about_overdue(self._means, notifier) > 0

        await self._repeat("reconcile", step, RECONCILE_SECONDS)

    async def _hearing(self, lanes: Sequence[Lane]) -> None:
        loop = asyncio.get_running_loop()

        def wake() -> None:
            for lane in lanes:
                loop.call_soon_threadsafe(lane.wake)

        engine = self._means.sessions.kw["bind"]
        await asyncio.to_thread(listen, engine, wake, self._stopped)

    async def _repeat(self, scope: str, step: Callable[[], Awaitable[bool]], seconds: float) -> None:
        """`step` again and again, at once while it finds work; a database that is gone is tried again."""
        while not self._stopped.is_set():
            try:
                found = await step()
            except (DBAPIError, LeaseLost) as error:
                logger.warning("sender.trouble", scope=scope, error=type(error).__name__, reason=reason_of(error))
                await self._pause(TROUBLE_SECONDS)
                continue
            if not found:
                await self._pause(seconds)

    async def _pause(self, seconds: float) -> None:
        """Sleep, unless the sender is told to stop."""
        try:
            await asyncio.wait_for(self._over.wait(), seconds)
        except TimeoutError:
            return


def run(parts: Composition) -> None:
    """Send until SIGTERM or SIGINT."""
    write_lazily(parts.sessions.kw["bind"], durable=True)
    sender = Sender(parts.settings, parts.sessions, parts.notifiers, parts.clock)
    # What is loaded by now stays until the end: a process that ends need not look through it for garbage.
    gc.freeze()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, sender.stop)
        await sender.run()

    asyncio.run(main())
