"""What the engine is set to: sizes, waits and the operator's limits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time, timedelta

from statuspage.config import Settings

LARGEST_WINDOW = 256
"""However many a notifier would take: a sender that is killed leaves at most this many whose fate is unknown."""


@dataclass(frozen=True)
class EngineOptions:
    """`sms_rate` is in segments a second over all senders, 0 unlimited; `quiet_start` equal to `quiet_end`: none."""

    claim_size: int = 1_000
    window: int = LARGEST_WINDOW
    claim_lease: timedelta = timedelta(seconds=60)
    send_lease: timedelta = timedelta(seconds=120)
    flush_seconds: float = 0.05
    """How long outcomes wait for others, so that they are written together."""
    poll_seconds: float = 0.2
    idle_poll_seconds: float = 0.5
    reconcile_after: tuple[timedelta, ...] = (
        timedelta(seconds=90),
        timedelta(minutes=5),
        timedelta(minutes=15),
        timedelta(hours=1),
        timedelta(hours=6),
    )
    """When after `sending` the provider is asked about an unknown one; after the last it stays as it is."""
    overdue_after: tuple[timedelta, ...] = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))
    """When after `sending` the provider is asked about an SMS that it took and has told nothing final of."""
    sms_rate: int = 0
    sms_cap: int = 3
    quiet_start: time = time(22)
    quiet_end: time = time(8)

    @classmethod
    def of(cls, settings: Settings) -> EngineOptions:
        return cls(
            sms_rate=settings.sms_rate,
            sms_cap=settings.sms_cap_per_day,
            quiet_start=settings.quiet_start,
            quiet_end=settings.quiet_end,
        )
