"""The promises that hold, as a reader is told them: once each, whatever number of incidents it was made for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from statuspage.domain.grace import GraceState
from statuspage.publish.view import IncidentView, PageView, PromiseView, Words, reach


def promises(view: PageView) -> tuple[PromiseView, ...]:
    """The furthest first; each names only those whom none before it promises the same for longer.

    What is alike but for whom it covers is one promise to all of them (grace.md rule 3: the latest end wins).
    """
    return _told(view.standing())


def of_incident(view: PageView, incident: IncidentView) -> tuple[PromiseView, ...]:
    """What was promised for one incident, told in the same way; also what has come to its end."""
    made = [one for one in view.promises if one.incident_id == incident.id and one.stands]
    return _told(sorted(made, key=reach))


def _told(furthest_first: Iterable[PromiseView]) -> tuple[PromiseView, ...]:
    told: list[PromiseView] = []
    for one in furthest_first:
        rest = _without(one, [other for other in told if _holds_as_well(other, one)])
        if rest is None:
            continue
        like = next((place for place, other in enumerate(told) if _alike(other, rest)), None)
        if like is None:
            told.append(rest)
        else:
            told[like] = _together(told[like], rest)
    return tuple(told)


def tail_days(promise: PromiseView) -> int:
    """Full days to pay that are still to be added at its end, 0 once they have been."""
    return promise.tail_days if promise.state is GraceState.ACTIVE else 0


def _holds_as_well(longer: PromiseView, one: PromiseView) -> bool:
    """Whether to those whom both cover `longer`, which ends no earlier, says all that `one` does."""
    where = not longer.regions or (bool(one.regions) and _among(one.regions, longer.regions))
    return where and _among(longer.not_covered, one.not_covered) and tail_days(longer) >= tail_days(one)


def _alike(one: PromiseView, other: PromiseView) -> bool:
    """Whether they differ in nothing but whom they cover."""
    same = (one.until, tail_days(one)) == (other.until, tail_days(other))
    where = _among(one.regions, other.regions) and _among(other.regions, one.regions)
    limits = _among(one.not_covered, other.not_covered) and _among(other.not_covered, one.not_covered)
    return same and where and limits


def _without(one: PromiseView, longer: list[PromiseView]) -> PromiseView | None:
    """`one` for those alone whom none of `longer` covers; None when that is nobody."""
    if not longer:
        return one
    if any(other.everybody for other in longer):
        return None
    segments = tuple(key for key in one.segments if not any(key in other.segments for other in longer))
    covered = tuple(name for name in one.covered if not any(name in other.covered for other in longer))
    return replace(one, segments=segments, covered=covered, everybody=False) if segments else None


def _together(one: PromiseView, other: PromiseView) -> PromiseView:
    return replace(
        one,
        segments=(*one.segments, *(key for key in other.segments if key not in one.segments)),
        covered=(*one.covered, *(name for name in other.covered if name not in one.covered)),
        everybody=one.everybody or other.everybody,
    )


def _among(some: tuple[Words, ...], all_of: tuple[Words, ...]) -> bool:
    return all(one in all_of for one in some)
