"""How long a message is worth handing over: by a clock that quiet hours stop, and that pauses and retries do not."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from statuspage.domain.local_time import enter, leave

Span = tuple[datetime, datetime]


class QuietHours(NamedTuple):
    """Of people who live in `zone`; none when `start` equals `end`."""

    zone: ZoneInfo
    start: time
    end: time


@lru_cache(maxsize=1024)
def worth(since: datetime, validity: timedelta, quiet: QuietHours | None) -> tuple[Span, ...]:
    """When a message may be handed over that is worth `validity` from `since` on: stretches [begin, end) in UTC, whose
    lengths add up to it. One that begins in quiet hours is thus worth as much from their end on."""
    if quiet is None or quiet.start == quiet.end:
        return ((since, since + validity),)
    spans: list[Span] = []
    at, left = since, validity
    while left:
        begin = leave(at, *quiet) or at
        at = enter(begin, *quiet)
        end = min(at, begin + left)
        spans.append((begin, end))
        left -= end - begin
    return tuple(spans)


def time_left(spans: tuple[Span, ...], now: datetime) -> timedelta:
    """How much of them lies ahead; zero once the last is over."""
    return sum((end - max(begin, now) for begin, end in spans if end > now), timedelta(0))
