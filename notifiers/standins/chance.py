"""Faults by lot, the same lots for the same seed in whatever order messages arrive."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Mapping


class Chance:
    """Draws by (seed, fault, message): neither timing nor concurrency changes who is hit. Rates are 0 to 1."""

    def __init__(self, seed: int, rates: Mapping[str, float]) -> None:
        self._seed = seed
        self._rates = dict(rates)

    def strikes(self, fault: str, message: str) -> bool:
        rate = self._rates.get(fault, 0.0)
        return rate > 0.0 and self.draw(fault, message) < rate

    def draw(self, purpose: str, message: str) -> float:
        """A number in [0, 1) that belongs to this purpose and message."""
        digest = hashlib.blake2b(f"{self._seed}|{purpose}|{message}".encode(), digest_size=8).digest()
        return int.from_bytes(digest) / 2.0**64


def faults(text: str, known: frozenset[str]) -> dict[str, float]:
    """Reads the option "busy=0.02,reset=0.01"; a fault nobody knows or a rate out of range is refused by name."""
    rates: dict[str, float] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, _, rate = item.partition("=")
        if name not in known:
            raise argparse.ArgumentTypeError(f"no fault {name!r}; known: {', '.join(sorted(known))}")
        rates[name] = float(rate or "1")
        if not 0.0 <= rates[name] <= 1.0:
            raise argparse.ArgumentTypeError(f"{name}={rate}: a rate is 0 to 1")
    return rates
