"""The answer to a dunning system: hold this line, or proceed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from statuspage.domain.grace import GraceAction, GraceExclusion


class Decision(StrEnum):
    HOLD = "hold"
    PROCEED = "proceed"


@dataclass(frozen=True, slots=True)
class Hold:
    """One policy that covers a line, with its published exclusive end (or the line's own, from an override)."""

    policy: str
    revision: int
    until: datetime
    actions: frozenset[GraceAction]
    starts_at: datetime
    excluded: frozenset[GraceExclusion] = frozenset(GraceExclusion)


_NOTHING: Mapping[GraceAction, datetime] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class HoldAnswer:
    """`until`, `policy` and `revision` are those of the latest hold; `actions` says until when each of them is held, in
    the order of `GraceAction`."""

    decision: Decision
    until: datetime | None = None
    policy: str | None = None
    revision: int | None = None
    actions: Mapping[GraceAction, datetime] = field(default_factory=lambda: _NOTHING)
    alarm: bool = False


PROCEED = HoldAnswer(Decision.PROCEED)


def decide(holds: Iterable[Hold], line: Collection[GraceExclusion], now: datetime) -> HoldAnswer:
    """Several policies: the latest end wins. `line` is what is known against this line; a policy that excludes one of
    those reasons does not cover it. Nothing else excludes: not a debt, not its size."""
    in_force = [hold for hold in holds if hold.starts_at <= now < hold.until and hold.excluded.isdisjoint(line)]
    if not in_force:
        return PROCEED
    latest = max(in_force, key=lambda hold: (hold.until, hold.revision, hold.policy))
    ends = {action: [hold.until for hold in in_force if action in hold.actions] for action in GraceAction}
    # In the order of the enum: whoever compares or signs answers gets the same bytes from every process.
    actions = {action: max(found) for action, found in ends.items() if found}
    return HoldAnswer(Decision.HOLD, latest.until, latest.policy, latest.revision, MappingProxyType(actions))


def restore_already_suspended(suspended_at: datetime | None, starts_at: datetime, now: datetime) -> bool:
    """Whether a line that is suspended should be switched on again: it was suspended during the outage. One that was
    suspended before is another matter."""
    return suspended_at is not None and starts_at <= suspended_at <= now


def answer_when_unreachable(
    last: HoldAnswer | None, asked_at: datetime, now: datetime, ttl: timedelta, patience: timedelta
) -> HoldAnswer | None:
    """What a dunning system assumes while it cannot reach us: it fails open. None: a person has to decide now.

    A last known hold is honoured to its `until`. A last known "proceed" is good for `ttl`; then, as when we were never
    reached, hold for `patience` with an alarm. `asked_at` is when the last answer was got, or the first attempt made.
    """
    if last is not None and last.decision is Decision.HOLD:
        return last if last.until is not None and now < last.until else None
    if last is not None and now < asked_at + ttl:
        return PROCEED
    end = asked_at + (ttl if last is not None else timedelta()) + patience
    return HoldAnswer(Decision.HOLD, end, alarm=True) if now < end else None
