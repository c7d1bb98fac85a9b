"""Hear PostgreSQL's knock, so that a campaign starts at once. Polling goes on: a lost knock costs half a second."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from statuspage.services.outbox import WAKE_CHANNEL

LISTEN_SECONDS = 1.0
AGAIN_SECONDS = 5.0

logger = structlog.get_logger(__name__)


def listen(engine: Engine, wake: Callable[[], None], stopped: threading.Event) -> None:
    """Call `wake` for each knock until `stopped`; runs in a thread of its own. Returns at once on SQLite."""
    if engine.dialect.name == "sqlite":
        return
    while not stopped.is_set():
        try:
            _hear(engine, wake, stopped)
        except DBAPIError as error:
            logger.warning("wake.lost", error=type(error).__name__)
            stopped.wait(AGAIN_SECONDS)


def _hear(engine: Engine, wake: Callable[[], None], stopped: threading.Event) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"LISTEN {WAKE_CHANNEL}")
        driver: Any = connection.connection.driver_connection
        while not stopped.is_set():
            for _ in driver.notifies(timeout=LISTEN_SECONDS, stop_after=1):
                wake()
