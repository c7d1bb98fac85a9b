"""The parts a process is made of. `app.py` puts them together and hands them down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from notifiers.base import Channel, Notifier
from statuspage.clock import Clock
from statuspage.config import Settings
from statuspage.db import Sessions


@dataclass(frozen=True)
class Composition:
    """Settings, database, notifiers and clock of this process. The database need not be alive."""

    settings: Settings
    sessions: Sessions
    notifiers: Mapping[Channel, Sequence[Notifier]]
    clock: Clock
