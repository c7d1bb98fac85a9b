"""The scheduler process: a ticker over the table of tasks. Of several, the one that holds the lease works."""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import Callable
from datetime import UTC, timedelta

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy.exc import DBAPIError

from statuspage.composition import Composition
from statuspage.db import reason_of, transaction
from statuspage.jobs.tasks import Chores, Task
from statuspage.services import leases
from statuspage.services.leases import Held, LeaseLost

LEASE = "scheduler"
LEASE_LENGTH = timedelta(seconds=15)
RENEW_SECONDS = 3.0

logger = structlog.get_logger(__name__)


class Scheduler:
    """APScheduler ticks and keeps nothing. A tick that was missed is made up for once; a slow task is never doubled."""

    def __init__(self, parts: Composition) -> None:
        self._parts = parts
        self._owner = leases.new_owner()
        self._held: Held | None = None
        self._stopped = threading.Event()
        self._chores = Chores(parts, self._owner, self._stopped.is_set)

    @property
    def working(self) -> bool:
        """Whether this process holds the lease, as far as it knows."""
        return self._held is not None

    def stop(self) -> None:
        self._stopped.set()

    def run(self) -> None:
        """Tick until stopped."""
        tasks = self._chores.table()
        # A thread each: one slow task never holds up another.
        ticker = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(len(tasks) + 1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self.hold()
        ticker.add_job(self.hold, "interval", seconds=RENEW_SECONDS, id=LEASE)
        for task in tasks:
            ticker.add_job(self._tick(task), "interval", seconds=task.seconds, id=task.name)
        ticker.start()
        logger.info("scheduler.started", owner_id=self._owner)
        self._stopped.wait()
        ticker.shutdown(wait=True)
        self._chores.close()
        self._let_go()
        logger.info("scheduler.stopped", owner_id=self._owner)

    def hold(self) -> None:
        """Take the lease or renew it."""
        try:
            with transaction(self._parts.sessions) as session:
                now = self._parts.clock.now()
                if self._held is not None:
                    leases.renew(session, self._held, LEASE_LENGTH, now=now)
                else:
                    self._held = leases.take(session, LEASE, self._owner, LEASE_LENGTH, now=now)
        except LeaseLost:
            self._held = None
            logger.warning("scheduler.lease_lost", owner_id=self._owner)
        except DBAPIError as error:
            # Whether the lease is still ours shows when the database is back; until then the tasks fail by themselves.
            logger.warning("scheduler.database", error=type(error).__name__, reason=reason_of(error))

    def _tick(self, task: Task) -> Callable[[], None]:
        def tick() -> None:
            if self._held is None or self._stopped.is_set():
                return
            try:
                task.work()
            except DBAPIError as error:
                logger.warning("task.database", scope=task.name, error=type(error).__name__, reason=reason_of(error))
            except Exception:
                # One broken task must not take the others with it; it is tried again at its next tick.
                logger.exception("task.failed", scope=task.name)

        return tick

    def _let_go(self) -> None:
        if self._held is None:
            return
        try:
            with transaction(self._parts.sessions) as session:
                leases.release(session, self._held, now=self._parts.clock.now())
        except DBAPIError as error:
            logger.warning("scheduler.database", error=type(error).__name__, reason=reason_of(error))


def run(parts: Composition) -> None:
    """Tick until SIGTERM or SIGINT."""
    scheduler = Scheduler(parts)
    # What is loaded by now stays until the end: a process that ends need not look through it for garbage.
    gc.freeze()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: scheduler.stop())
    scheduler.run()
