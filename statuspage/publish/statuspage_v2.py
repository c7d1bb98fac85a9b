"""The page as `/api/v2/*.json`, in the shape that status-page clients read (shapes captured from live pages).

One table maps our states to the outside: `restored_catching_up` reads as `monitoring`. Arrays are never null; times are
ISO 8601 UTC with milliseconds. What these clients have no field for stands in the summary under its own key, `now`.
"""

from __future__ import annotations

import json
from typing import Any

from statuspage.domain.component import Indicator, worst
from statuspage.domain.incident import IncidentState
from statuspage.publish.headline import overall
from statuspage.publish.now import maybe, now, stamp
from statuspage.publish.reader import Reader
from statuspage.publish.view import ComponentView, GroupView, IncidentView, UpdateView

OUTSIDE_STATE: dict[IncidentState, str] = {
    IncidentState.INVESTIGATING: "investigating",
    IncidentState.IDENTIFIED: "identified",
    IncidentState.MONITORING: "monitoring",
    IncidentState.RESTORED_CATCHING_UP: "monitoring",
    IncidentState.RESOLVED: "resolved",
    IncidentState.POSTMORTEM: "postmortem",
}

# English whatever the page's language: clients compare these words.
DESCRIPTION: dict[Indicator, str] = {
    Indicator.NONE: "All Systems Operational",
    Indicator.MINOR: "Partially Degraded Service",
    Indicator.MAJOR: "Partial System Outage",
    Indicator.CRITICAL: "Major Service Outage",
    Indicator.MAINTENANCE: "Service Under Maintenance",
}

MOST_RECENT = 50

Document = dict[str, Any]


def documents(reader: Reader) -> dict[str, bytes]:
    """Path below the locale → body, for every address of the public API v2."""
    page = _page(reader)
    components = _components(reader)
    latest = sorted(reader.view.incidents, key=lambda one: (one.created_at, one.id), reverse=True)[:MOST_RECENT]
    incidents = [_incident(reader, one) for one in latest]
    unresolved = [_incident(reader, one) for one in latest if one.is_open]
    status = _status(reader)
    bodies: dict[str, Document] = {
        "summary": {
            "page": page,
            "components": components,
            "incidents": unresolved,
            "scheduled_maintenances": [],
            "status": status,
            "now": now(reader),
        },
        "status": {"page": page, "status": status},
        "components": {"page": page, "components": components},
        "incidents": {"page": page, "incidents": incidents},
        "incidents/unresolved": {"page": page, "incidents": unresolved},
        "scheduled-maintenances": {"page": page, "scheduled_maintenances": []},
        "scheduled-maintenances/upcoming": {"page": page, "scheduled_maintenances": []},
        "scheduled-maintenances/active": {"page": page, "scheduled_maintenances": []},
    }
    for incident in incidents:
        bodies[f"incidents/{incident['id']}"] = {"page": page, "incident": incident}
    return {f"/api/v2/{name}.json": _bytes(body) for name, body in bodies.items()}


def _bytes(document: Document) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _page(reader: Reader) -> Document:
    operator = reader.view.operator
    return {
        "id": operator.page_id,
        "name": operator.name,
        "url": operator.base_url.rstrip("/"),
        "time_zone": operator.time_zone,
        "updated_at": stamp(reader.view.updated_at),
    }


def _status(reader: Reader) -> Document:
    indicator = overall(reader.view)
    return {"indicator": indicator.value, "description": DESCRIPTION[indicator]}


def _components(reader: Reader) -> list[Document]:
    rows: list[Document] = []
    for group, members in reader.view.grouped():
        if group is not None:
            rows.append(_group(reader, group, members))
        rows.extend(_component(reader, one) for one in members)
    return rows


def _group(reader: Reader, group: GroupView, members: tuple[ComponentView, ...]) -> Document:
    state = worst(one.state for one in members)
    return _row(reader, group.id, reader.say(group.name), state.value, group) | {
        "description": None,
        "group_id": None,
        "group": True,
        "components": [one.id for one in members],
    }


def _component(reader: Reader, component: ComponentView) -> Document:
    return _row(reader, component.id, reader.say(component.name), component.state.value, component) | {
        "description": reader.say(component.description) if component.description else None,
        "group_id": component.group_id,
        "group": False,
    }


def _row(reader: Reader, row_id: str, name: str, status: str, of: ComponentView | GroupView) -> Document:
    grouped = isinstance(of, GroupView)
    return {
        "id": row_id,
        "name": name,
        "status": status,
        "created_at": stamp(of.created_at),
        "updated_at": stamp(of.updated_at),
        "position": of.position,
        "showcase": not grouped,
        "start_date": None if grouped else of.created_at.date().isoformat(),
        "page_id": reader.view.operator.page_id,
        "only_show_if_degraded": False,
    }


def _incident(reader: Reader, incident: IncidentView) -> Document:
    named = [one for one in reader.view.components if one.id in incident.component_ids]
    return {
        "id": incident.id,
        "name": reader.say(incident.title),
        "status": OUTSIDE_STATE[incident.state],
        "created_at": stamp(incident.created_at),
        "updated_at": stamp(incident.updated_at),
        "monitoring_at": maybe(incident.monitoring_at or incident.restored_at),
        "resolved_at": maybe(incident.resolved_at),
        "impact": incident.impact.value,
        "shortlink": reader.absolute(f"/incidents/{incident.id}"),
        "started_at": stamp(incident.started_at),
        "page_id": reader.view.operator.page_id,
        "incident_updates": [_update(reader, incident, one) for one in incident.updates],
        "components": [_component(reader, one) for one in named],
        "reminder_intervals": None,
    }


def _update(reader: Reader, incident: IncidentView, update: UpdateView) -> Document:
    return {
        "id": update.id,
        "status": OUTSIDE_STATE[update.state],
        "body": reader.say(update.body),
        "incident_id": incident.id,
        "created_at": stamp(update.created_at),
        "updated_at": stamp(update.updated_at),
        "display_at": stamp(update.at),
        "affected_components": _changes(reader, update) or None,
        "deliver_notifications": True,
        "custom_tweet": None,
        "tweet_id": None,
    }


def _changes(reader: Reader, update: UpdateView) -> list[Document]:
    groups = {group.id: reader.say(group.name) for group in reader.view.groups}
    rows: list[Document] = []
    for change in update.changes:
        component = reader.view.component(change.component_id)
        if component is not None:
            group = groups.get(component.group_id or "")
            name = reader.say(component.name)
            rows.append(
                {
                    "code": component.id,
                    "name": f"{group} - {name}" if group else name,
                    "old_status": change.old.value,
                    "new_status": change.new.value,
                }
            )
    return rows
