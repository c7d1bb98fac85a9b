"""The ops console: one blueprint a noun."""

from __future__ import annotations

from statuspage.web.console import (
    audit,
    campaigns,
    counting,
    grace,
    incidents,
    lifecycle,
    people,
    playbook,
    report,
    room,
    routes,
    sending,
    staff,
    updates,
)

BLUEPRINTS = (
    incidents.blueprint,
    room.blueprint,
    updates.blueprint,
    lifecycle.blueprint,
    playbook.blueprint,
    report.blueprint,
    grace.blueprint,
    routes.blueprint,
    campaigns.blueprint,
    sending.blueprint,
    counting.blueprint,
    people.blueprint,
    staff.blueprint,
    audit.blueprint,
)
