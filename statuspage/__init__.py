"""A telecom operator's customer notification and incident status page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from notifiers.base import Channel, Notifier
    from statuspage.clock import Clock
    from statuspage.config import Settings
    from statuspage.db import Sessions


def create_app(
    settings: Settings,
    sessions: Sessions,
    notifiers: Mapping[Channel, Sequence[Notifier]],
    clock: Clock,
    publish: Callable[[], object],
) -> Flask:
    """The console and every dynamic public route as a WSGI application; needs no living database to be built.

    `publish` renders the public page anew when it is behind; it is called after every write of a person.
    """
    # Imported here, so that the sender and the supervisor, which import this package too, do not carry Flask.
    from statuspage.web.application import build
    from statuspage.web.wiring import Wiring

    return build(Wiring(settings, sessions, notifiers, clock, publish))
