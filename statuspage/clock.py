"""The only place that asks the machine what time it is; everything else is handed `now`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time as an aware UTC datetime."""

    def now(self) -> datetime: ...


class SystemClock:
    """The machine's wall clock, in UTC; it may jump, so rules compare times and never count ticks."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class FrozenClock:
    """A clock that moves only when told to, for tests and drills."""

    def __init__(self, at: datetime) -> None:
        self._at = _aware(at)

    def now(self) -> datetime:
        return self._at

    def set(self, at: datetime) -> None:
        """Jump to `at`, forwards or backwards; ValueError when `at` is naive."""
        self._at = _aware(at)

    def advance(self, by: timedelta) -> datetime:
        """Move by `by` (negative moves back) and return the new time."""
        self._at += by
        return self._at


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a clock needs an aware datetime, got a naive one")
    return at.astimezone(UTC)
