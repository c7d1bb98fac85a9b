"""Ninety days of a component as one small drawing: a bar a day, taller when worse, with a text that says the same."""

from __future__ import annotations

from datetime import timedelta
from itertools import groupby

from markupsafe import Markup

from statuspage.domain.component import ComponentState
from statuspage.publish.view import DayState

DAYS = 90
_STEP, _HEIGHT = 4, 24

# Height before colour: a reader who sees no colours sees the same.
_TALL: dict[ComponentState, int] = {
    ComponentState.OPERATIONAL: 4,
    ComponentState.UNDER_MAINTENANCE: 8,
    ComponentState.DEGRADED_PERFORMANCE: 12,
    ComponentState.PARTIAL_OUTAGE: 18,
    ComponentState.MAJOR_OUTAGE: 24,
}


def bars(days: tuple[DayState, ...], text: str) -> Markup:
    """SVG of the last days, the newest on the right; days of one state in a row are one dashed line: few bytes."""
    shown = days[-DAYS:]
    start = DAYS - len(shown)
    lines: dict[ComponentState, list[str]] = {}
    for state, run in groupby(enumerate(shown), key=lambda pair: pair[1].worst):
        places = [start + place for place, _ in run]
        height = _HEIGHT - _TALL[state] / 2
        lines.setdefault(state, []).append(f"M{places[0] * _STEP} {height:g}h{len(places) * _STEP - 1}")
    drawn = Markup("").join(
        Markup('<path class="d-{}" stroke-width="{}" d="{}"/>').format(state.value, _TALL[state], "".join(path))
        for state, path in lines.items()
    )
    width = DAYS * _STEP - 1
    return Markup(
        '<svg class="bars" viewBox="0 0 {} {}" role="img" aria-label="{}" preserveAspectRatio="none">{}</svg>'
    ).format(width, _HEIGHT, text, drawn)


def disturbed(days: tuple[DayState, ...]) -> tuple[int, timedelta]:
    """How many of the shown days were not all operational, maintenance aside, and for how long in all."""
    quiet = (ComponentState.OPERATIONAL, ComponentState.UNDER_MAINTENANCE)
    bad = [day for day in days[-DAYS:] if day.worst not in quiet]
    length = timedelta(minutes=sum(day.minutes for day in bad))
    # What has just begun is not "0 minutes in all".
    return len(bad), max(length, timedelta(minutes=1)) if bad else length
