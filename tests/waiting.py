"""How tests wait: for what happens, never for a time that a slow machine would need more of."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 180.0
"""Seconds until something that never comes fails the test; nothing waits for it otherwise."""
LOOK_SECONDS = 0.02


def until(found: Callable[[], T], what: str) -> T:
    """The first result of `found` that is true; the test fails, saying `what`, when none comes."""
    end = time.monotonic() + PATIENCE
    while not (result := found()):
        assert time.monotonic() < end, f"waited {PATIENCE:.0f} s in vain: {what}"
        time.sleep(LOOK_SECONDS)
    return result
