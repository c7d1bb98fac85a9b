from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from statuspage.domain.component import ComponentState, Indicator
from statuspage.domain.incident import IncidentState
from statuspage.publish.reader import Reader
from statuspage.publish.statuspage_v2 import DESCRIPTION, OUTSIDE_STATE, documents
from statuspage.publish.view import PageView
from tests.publish import views

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def read(name: str, view: PageView = views.OUTAGE) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(documents(Reader(view, "en"))[f"/api/v2/{name}.json"])
    return document


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("summary", ["page", "components", "incidents", "scheduled_maintenances", "status", "now"]),
        ("status", ["page", "status"]),
        ("components", ["page", "components"]),
        ("incidents", ["page", "incidents"]),
        ("incidents/unresolved", ["page", "incidents"]),
        ("scheduled-maintenances", ["page", "scheduled_maintenances"]),
        ("scheduled-maintenances/upcoming", ["page", "scheduled_maintenances"]),
        ("scheduled-maintenances/active", ["page", "scheduled_maintenances"]),
    ],
)
def test_each_document_has_the_top_level_keys_clients_know(name: str, keys: list[str]) -> None:
    """The eight documents have exactly the keys that captured pages have, the summary `now` after them."""
    assert list(read(name)) == keys


def test_the_page_and_the_status_have_their_captured_shape() -> None:
    """Page and status are as status-page clients parse them."""
    assert read("status") == {
        "page": {
            "id": "kctbh9vrtdwd",
            "name": "Demo Telecom",
            "url": "https://status.example.com",
            "time_zone": "Europe/Moscow",
            "updated_at": "2026-11-22T10:30:00.000Z",
        },
        "status": {"indicator": "critical", "description": "Major Service Outage"},
    }


def test_an_incident_has_every_field_of_the_captured_shape() -> None:
    """Fields, their names and the times' format are those of the public API v2."""
    incident = read("incidents")["incidents"][0]
    assert set(incident) == {
        *("id", "name", "status", "created_at", "updated_at", "monitoring_at", "resolved_at", "impact", "shortlink"),
        *("started_at", "page_id", "incident_updates", "components", "reminder_intervals"),
    }
    update = incident["incident_updates"][-1]
    assert set(update) == {
        *("id", "status", "body", "incident_id", "created_at", "updated_at", "display_at", "affected_components"),
        *("deliver_notifications", "custom_tweet", "tweet_id"),
    }
    assert update["affected_components"] == [
        {
            "code": "c1x000000001",
            "name": "Payments and account - Top-up",
            "old_status": "operational",
            "new_status": "major_outage",
        }
    ]
    assert all(STAMP.fullmatch(incident[name]) for name in ("created_at", "updated_at", "started_at"))


def test_components_carry_group_rows_with_their_members() -> None:
    """A group is a row of its own, with the ids of its members and the worst of their states."""
    rows = read("components")["components"]
    group = rows[0]
    assert group["group"] is True
    assert group["status"] == "major_outage"
    assert group["components"] == [row["id"] for row in rows if row["group_id"] == group["id"]]
    assert set(group) - set(rows[1]) == {"components"}


def test_unresolved_lists_only_what_is_open() -> None:
    """The summary and `unresolved` leave resolved incidents out; `incidents` keeps them."""
    assert [one["id"] for one in read("incidents/unresolved")["incidents"]] == [views.INCIDENT.id]
    assert [one["id"] for one in read("summary")["incidents"]] == [views.INCIDENT.id]
    assert len(read("incidents")["incidents"]) == 2


def test_catching_up_reads_as_monitoring_outside() -> None:
    """Our extra state is one that clients know, and it no longer counts as an outage of the page."""
    document = read("summary", views.REPAIRED)
    assert document["incidents"][0]["status"] == "monitoring"
    assert document["status"] == {"indicator": "none", "description": "All Systems Operational"}


def test_every_state_and_indicator_is_mapped() -> None:
    """No state of ours is unknown to the table of outside words."""
    assert set(OUTSIDE_STATE) == set(IncidentState)
    assert set(DESCRIPTION) == set(Indicator)


def test_maintenance_never_masks_an_outage() -> None:
    """With both, the page's indicator is the outage's."""
    first = replace(views.COMPONENTS[0], state=ComponentState.UNDER_MAINTENANCE)
    second = replace(views.COMPONENTS[1], state=ComponentState.DEGRADED_PERFORMANCE)
    view = replace(views.CALM, components=(first, second))
    assert read("status", view)["status"]["indicator"] == "minor"
    assert read("status", replace(view, components=(first,)))["status"]["indicator"] == "maintenance"
