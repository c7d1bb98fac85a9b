"""Which ways to pay and to manage services the page lists, in which order, and whether it says how each does.

In peacetime nobody checks them, and a page that says "all services work" has nothing to say of a single one: they are
listed as usual, without a state. A way known to be disturbed is told on any day; one that nobody has checked is warned
of only while something that payments depend on fails. `unknown` is never shown as working.
"""

from __future__ import annotations

from statuspage.domain.component import ComponentState
from statuspage.domain.route import RouteKind, RouteState, show_order
from statuspage.publish.view import PageView, RouteView

_TOLD = frozenset({RouteState.WORKS_DELAYED, RouteState.DEGRADED, RouteState.DOWN})


def checks_matter(view: PageView) -> bool:
    """Whether payments fail, or may: a billing service does, or an incident that does not say what it touches.

    A service that is merely catching up after a repair does not.
    """
    billing = {one.id for one in view.components if one.billing}
    opened = view.open_incidents()
    repaired = {component for one in opened if one.repaired for component in one.component_ids}
    disturbed = {one.id for one in view.components if one.state is not ComponentState.OPERATIONAL}
    unrepaired = [set(one.component_ids) for one in opened if not one.repaired]
    return bool(billing & disturbed - repaired) or any(not touched or touched & billing for touched in unrepaired)


def states_matter(view: PageView) -> bool:
    """Whether the page says how each way does: payments fail, a way is disturbed, or somebody has looked since the
    repair that is still being followed up."""
    repaired = any(one.repaired for one in view.open_incidents())
    told = _TOLD | {RouteState.WORKS} if repaired else _TOLD
    return checks_matter(view) or any(route.state in told for route in view.routes)


def whole_list(view: PageView, kind: RouteKind) -> list[RouteView]:
    """What works first, then what is delayed, then what fails, then what is unknown; in peacetime the usual order."""
    told = states_matter(view)
    chosen = [route for route in view.routes if route.kind == kind]
    return sorted(chosen, key=lambda route: (show_order(route.state) if told else 0, route.position, route.id))


def front_list(view: PageView, kind: RouteKind) -> list[RouteView]:
    """Of these the ones to name on the front page: those of which it has something to say."""
    if not states_matter(view):
        return []
    unchecked_too = checks_matter(view)
    return [route for route in whole_list(view, kind) if unchecked_too or route.state is not RouteState.UNKNOWN]


def says(view: PageView, route: RouteView) -> bool:
    """Whether the page tells this way's state."""
    return checks_matter(view) or (states_matter(view) and route.state is not RouteState.UNKNOWN)
