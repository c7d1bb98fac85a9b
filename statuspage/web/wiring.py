"""What every view is given: settings, sessions, notifiers, clock; and the one place that opens a transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import cast

import structlog
from flask import current_app
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifiers.base import Channel, Notifier
from statuspage.clock import Clock
from statuspage.config import Settings
from statuspage.db import Sessions, transaction
from statuspage.models import PageState
from statuspage.services import installation
from statuspage.services.addresses import AddressKey

EXTENSION = "statuspage"

logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Wiring:
    """One application's parts. `publish` brings the public page up to date and may be called at any time."""

    settings: Settings
    sessions: Sessions
    notifiers: Mapping[Channel, Sequence[Notifier]]
    clock: Clock
    publish: Callable[[], object]

    @cached_property
    def address_key(self) -> AddressKey:
        """The key behind every address hash of this installation."""
        return AddressKey.derive(self.settings.secret_key.get_secret_value())

    def reading(self) -> AbstractContextManager[Session]:
        """A transaction that cannot write and, on SQLite, does not wait for a writer."""
        return transaction(self.sessions, read_only=True)

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction for verbs; when it has raised the wanted revision, the page is published before the answer."""
        with transaction(self.sessions) as session:
            installation.check_key(session, self.address_key)
            yield session
            behind = session.execute(select(PageState.wanted, PageState.published)).one_or_none()
        if behind is not None and behind.wanted > behind.published:
            self._publish()

    def _publish(self) -> None:
        try:
            self.publish()
        except Exception:
            # What was declared is committed; the scheduler's tick renders it, and the room shows it is not out yet.
            logger.exception("page.publish_failed")


def wiring() -> Wiring:
    """The parts of the application that answers this request."""
    return cast(Wiring, current_app.extensions[EXTENSION])


def now() -> datetime:
    return wiring().clock.now()
