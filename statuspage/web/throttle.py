"""How often one address may try: a bucket per address in this process's memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

MOST_ADDRESSES = 10_000
"""What is remembered at most; the longest silent address is forgotten first."""


@dataclass(frozen=True)
class Limit:
    """`tries` at once, and as many again over `per`."""

    tries: int
    per: timedelta


class Throttle:
    """Thread-safe. Each web process counts for itself, so the true limit is this one times the processes."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._lock = Lock()
        self._left: OrderedDict[str, tuple[float, datetime]] = OrderedDict()

    def give_back(self, address: str) -> None:
        """The try was none of those that the limit is for."""
        with self._lock:
            if address in self._left:
                left, since = self._left[address]
                self._left[address] = (min(left + 1, float(self.limit.tries)), since)

    def take(self, address: str, now: datetime) -> bool:
        """Use up one try; False when there is none left."""
        with self._lock:
            left, since = self._left.pop(address, (float(self.limit.tries), now))
            refilled = max((now - since) / self.limit.per, 0.0) * self.limit.tries
            left = min(left + refilled, float(self.limit.tries))
            allowed = left >= 1
            self._left[address] = (left - 1 if allowed else left, max(now, since))
            while len(self._left) > MOST_ADDRESSES:
                self._left.popitem(last=False)
            return allowed


class OneAtATime:
    """Thread-safe. Of each address one request at a time, so that a flood from there holds no more than one thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._busy: set[str] = set()

    @contextmanager
    def turn(self, address: str) -> Iterator[bool]:
        """Whether it is this one's turn; nobody waits for it."""
        with self._lock:
            free = address not in self._busy
            self._busy.add(address)
        try:
            yield free
        finally:
            if free:
                with self._lock:
                    self._busy.remove(address)
