"""One channel of a sender: keeps the notifier's window full, hands nothing over that is not durably marked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import TypeVar

import structlog
from sqlalchemy.exc import DBAPIError

from notifiers.base import Accepted, Failure, Message, Notifier, NotifierError
from statuspage.db import reason_of
from statuspage.jobs.claim import CampaignFacts
from statuspage.jobs.settle import Settled
from statuspage.jobs.turn import Means, Next, Turn

T = TypeVar("T")

LEASE_MARGIN = 0.8
"""Of the lease: whoever woke up later than that does not send any more."""

DATABASE_BACKOFF_SECONDS = 1.0
PACE_SECONDS = 0.05
GOODBYE_SECONDS = 10.0

logger = structlog.get_logger(__name__)


def since_boot() -> float:
    """Seconds that also pass while the machine sleeps, and that nobody can set back."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Lane:
    """At most `window` messages are in flight. Outcomes are gathered for a moment and written with the next marking."""

    def __init__(self, means: Means, notifier: Notifier, executor: Executor, stop: asyncio.Event) -> None:
        self._means = means
        self._notifier = notifier
        self._executor = executor
        self._stop = stop
        self._turn = Turn(means, notifier.channel, notifier.name)
        self._window = min(notifier.window, means.options.window)
        self._wake = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._settled: list[Settled] = []
        self._outstanding: dict[int, tuple[CampaignFacts, str]] = {}
        self._unwritten = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._extended = since_boot()
        self._idle = means.options.poll_seconds

    def wake(self) -> None:
        """There may be something to do."""
        self._idle = self._means.options.poll_seconds
        self._wake.set()

    async def run(self) -> None:
        """Until `stop`; then what is in flight gets some seconds to come back, and what was only claimed goes back."""
        while not self._stop.is_set():
            try:
                following = await self._take()
            except DBAPIError as error:
                # Outcomes are kept in memory; their deliveries stay `sending` until they can be written.
                logger.error(
                    "sender.database",
                    channel=self._notifier.channel.value,
                    error=type(error).__name__,
                    reason=reason_of(error),
                )
                await self._sleep(DATABASE_BACKOFF_SECONDS)
                continue
            await self._await_news(following)
        await self._finish()

    async def _take(self) -> Next:
        self._wake.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await self._extend()
        settled, self._settled = self._settled, []
        begun = since_boot()
        room = 0 if self._stop.is_set() else self._window - (self._unwritten - len(settled))
        try:
            following = await self._in_thread(lambda: self._turn.take(settled, room))
        except BaseException:
            self._settled = settled + self._settled
            raise
        self._unwritten += len(following.messages) - len(settled)
        self._hand_over(following, begun)
        return following

    def _hand_over(self, following: Next, begun: float) -> None:
        facts = following.facts
        if facts is None or not following.messages:
            return
        for row in following.rows:
            self._outstanding[row.id] = (facts, row.address_hash)
        if since_boot() - begun > LEASE_MARGIN * self._means.options.send_lease.total_seconds():
            for message in following.messages:
                self._on_settled(message, NotifierError(Failure.NOT_STARTED, sent="no"))
            return
        task = asyncio.create_task(self._send(following.messages))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, messages: Sequence[Message]) -> None:
        try:
            await self._notifier.send(messages, self._on_settled)
        except Exception:
            logger.exception("sender.notifier_failed", provider=self._notifier.name)
        finally:
            # A notifier that broke its promise must not leave a delivery in flight for ever.
            for message in messages:
                if message.delivery_id in self._outstanding:
                    self._on_settled(message, NotifierError(Failure.NO_ANSWER, sent="unknown"))

    def _on_settled(self, message: Message, outcome: Accepted | NotifierError) -> None:
        known = self._outstanding.pop(message.delivery_id, None)
        if known is None:
            return
        self._settled.append(Settled(known[0], message, known[1], outcome))
        if not self._outstanding or len(self._settled) * 4 >= self._window:
            self._wake.set()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._means.options.flush_seconds, self._wake.set)

    async def _await_news(self, following: Next) -> None:
        if following.waits:
            wait = PACE_SECONDS
        elif following.messages or following.claimed:
            self._idle = self._means.options.poll_seconds
            # With room left in the window there may be more to claim at once.
            wait = 0.0 if self._unwritten < self._window else self._idle
        else:
            wait = self._idle
            self._idle = min(self._idle * 1.5, self._means.options.idle_poll_seconds)
        if self._settled and not self._outstanding:
            return
        await self._sleep(wait)

    async def _sleep(self, seconds: float) -> None:
        if not seconds:
            await asyncio.sleep(0)
            return
        try:
            await asyncio.wait_for(self._wake.wait(), seconds)
        except TimeoutError:
            return

    async def _extend(self) -> None:
        if since_boot() - self._extended < self._means.options.send_lease.total_seconds() / 3:
            return
        self._extended = since_boot()
        ids = list(self._outstanding)
        if ids:
            await self._in_thread(lambda: self._turn.extend(ids))

    async def _finish(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=GOODBYE_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            await self._in_thread(self._turn.give_back)
            await self._take()
        except DBAPIError as error:
            logger.error(
                "sender.database",
                channel=self._notifier.channel.value,
                error=type(error).__name__,
                reason=reason_of(error),
            )

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)
