"""The ops console: one blueprint a noun."""

from __future__ import annotations

from statuspage.web.console import audit, grace, incidents, lifecycle, playbook, room, routes, staff, updates

BLUEPRINTS = (
    incidents.blueprint,
    room.blueprint,
    updates.blueprint,
    lifecycle.blueprint,
    playbook.blueprint,
    grace.blueprint,
    routes.blueprint,
    staff.blueprint,
    audit.blueprint,
)
