"""Which incidents concern card terminals and their SIM cards, which have a page of their own."""

from __future__ import annotations

from statuspage.publish.view import IncidentView, PageView

SEGMENT = "pos_m2m"
"""The key of the segment of terminals."""

SERVICES = frozenset({"data_sim_provisioning", "mobile_data", "top_up"})
"""Keys of what a terminal's SIM card lives on: a network for its data, the data that was paid for, and paying."""


def concerning(view: PageView) -> tuple[IncidentView, ...]:
    """The open incidents that may be why a terminal shows "no service": those for terminals alone first."""
    found = [one for one in view.open_incidents() if _concerns(view, one)]
    return tuple(sorted(found, key=lambda one: one.segment_keys != (SEGMENT,)))


def _concerns(view: PageView, incident: IncidentView) -> bool:
    """One for the segment of terminals does; one for everybody does when it touches what they live on, or may."""
    if incident.segment_keys:
        return SEGMENT in incident.segment_keys
    serving = {one.id for one in view.components if one.key in SERVICES}
    touched = set(incident.component_ids)
    return not (serving and touched) or bool(serving & touched)
