"""How many of the reachable were told, over all notices of an incident: writing to people again leaves none untold."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import product

from statuspage.domain.audience import AudienceFacts, Node, comparisons, matches


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice on one channel: its messages to those who can be reached, and those of them handed over."""

    channel: str
    audience: Node
    reachable: int
    told: int


def told_of(notices: Sequence[Notice], components: Collection[str]) -> tuple[int, int]:
    """Messages told, and of how many, over `notices`, the earliest first.

    A notice to people of whom another one went to all counts as that other one's repetition: it neither adds to the
    reachable nor takes from the told. `components` are what the incident touches.
    """
    told = reachable = 0
    for place, one in enumerate(notices):
        if any(
            _repeats(one, other, place > there, components) for there, other in enumerate(notices) if there != place
        ):
            continue
        same = [other for other in notices if other.channel == one.channel]
        most = max(other.told for other in same if within(other.audience, one.audience, components))
        told += min(most, one.reachable)
        reachable += one.reachable
    return told, reachable


def within(inner: Node, outer: Node, components: Collection[str]) -> bool:
    """Whether everybody whom `inner` means is meant by `outer` too, in an incident that touches `components`."""
    return all(not matches(inner, facts) or matches(outer, facts) for facts in _everybody((inner, outer), components))


def _repeats(one: Notice, other: Notice, later: bool, components: Collection[str]) -> bool:
    """Of two notices to the same people the one that told fewer is the repetition, or the later one."""
    if one.channel != other.channel or not within(one.audience, other.audience, components):
        return False
    if not within(other.audience, one.audience, components):
        return True
    return (one.told, not later) < (other.told, later)


def _everybody(nodes: Iterable[Node], components: Collection[str]) -> Iterable[AudienceFacts]:
    """One person of each kind that the expressions tell apart; a value that none of them names is like no value."""
    named: dict[str, set[str]] = {"segment": set(), "region": set(), "language": set()}
    for node in nodes:
        for compare in comparisons(node):
            if compare.field in named:
                named[compare.field].update(compare.values)
    kinds = product(*([None, *sorted(values)] for values in named.values()))
    touched = frozenset(components)
    return (AudienceFacts(segment, region, language, touched) for segment, region, language in kinds)
