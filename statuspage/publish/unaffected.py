"""What people have seen to work while something fails, and of what nobody has said anything."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from statuspage.domain.component import ComponentState
from statuspage.publish.view import ComponentView, IncidentView, PageView, Words

SAID_BACK = timedelta(hours=24)
"""So long after its end an incident answers for what it said works again; nobody looks after it from then on."""


def everywhere(view: PageView) -> tuple[Words, ...]:
    """What works as usual whatever is open: ticked in every incident that still fails, and failing in none.

    One that is restored tells nothing of the others any more; it counts when there is nothing else.
    """
    opened = view.open_incidents()
    asked = [one for one in opened if not one.repaired] or list(opened)
    seen = beside(view, asked[0]) if asked else ()
    return tuple(name for name in seen if all(name in one.not_affected for one in asked))


def beside(view: PageView, incident: IncidentView) -> tuple[Words, ...]:
    """What somebody has seen to work during `incident`; while it is open, without what fails by now."""
    failing = [one.name for one in view.components if one.state is not ComponentState.OPERATIONAL]
    return tuple(name for name in incident.not_affected if not incident.is_open or name not in failing)


def shown(view: PageView) -> tuple[ComponentView, ...]:
    """All services but emergency calls of which nobody has said anything: that they work is only ever a person's word,
    given in every incident that still fails."""
    works, seen = ComponentState.OPERATIONAL, everywhere(view)
    return tuple(one for one in view.components if not one.emergency or one.state is not works or one.name in seen)


def unsaid(view: PageView, component: ComponentView) -> bool:
    """Whether it counts as working only because nobody has reported otherwise, while something else fails. Of what an
    incident touched it is known: that incident is open, or has just said that it works again."""
    told = [one for one in view.incidents if one.is_open or _said_back_until(one) > view.as_of]
    touched = any(component.id in one.component_ids for one in told)
    quiet = component.state is ComponentState.OPERATIONAL and not touched
    return quiet and _failing(view) and component.name not in everywhere(view)


def turning_points(view: PageView) -> Iterator[datetime]:
    """When of services that came back nothing is known any more, because something else still fails."""
    if _failing(view):
        yield from (_said_back_until(one) for one in view.incidents if not one.is_open)


def _failing(view: PageView) -> bool:
    return any(not one.repaired for one in view.open_incidents())


def _said_back_until(closed: IncidentView) -> datetime:
    return (closed.resolved_at or closed.updated_at) + SAID_BACK
