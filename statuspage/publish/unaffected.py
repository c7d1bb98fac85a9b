"""What people have seen to work while something fails, and of what nobody has said anything."""

from __future__ import annotations

from statuspage.domain.component import ComponentState
from statuspage.publish.view import ComponentView, IncidentView, PageView, Words


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
    """Whether it counts as working only because nobody has reported otherwise, while something else fails."""
    opened = view.open_incidents()
    touched = any(component.id in one.component_ids for one in opened)
    quiet = component.state is ComponentState.OPERATIONAL and not touched
    return quiet and any(not one.repaired for one in opened) and component.name not in everywhere(view)
