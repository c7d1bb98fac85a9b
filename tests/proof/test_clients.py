"""The public API v2 of a running product, read by clients that know only Statuspage's own."""

from __future__ import annotations

import json
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.proof.peers import EXPORTER, PATIENCE, ask, missing
from tests.proof.product import Product


@cache
def answers(url: str) -> dict[str, Any]:
    found: dict[str, Any] = ask("statuspage.mjs", {"url": url})
    return found


def test_the_npm_client_reads_every_public_path(running: Product) -> None:
    """npm statuspage.io reads summary, status, components, incidents and maintenances of the same page."""
    read = answers(running.base_url)
    assert len({json.dumps(one["page"], sort_keys=True) for one in read.values()}) == 1
    assert read["status"]["status"] == read["summary"]["status"]
    assert read["status"]["status"]["indicator"] in {"minor", "major", "critical"}
    assert read["components"]["components"] == read["summary"]["components"]
    assert {"operational", "major_outage"} <= {one["status"] for one in read["components"]["components"]}
    for name in ("maintenances", "active", "upcoming"):
        assert read[name]["scheduled_maintenances"] == []


def test_the_npm_client_tells_what_is_open_from_what_is_over(running: Product) -> None:
    """The open incident is unresolved; the repaired one is listed with its updates, newest first, and resolved."""
    read = answers(running.base_url)
    assert [one["id"] for one in read["unresolved"]["incidents"]] == [running.incident]
    assert [one["id"] for one in read["summary"]["incidents"]] == [running.incident]
    listed = {one["id"]: one for one in read["incidents"]["incidents"]}
    assert set(listed) == {running.incident, running.repaired}
    over = listed[running.repaired]
    assert [one["status"] for one in over["incident_updates"]] == ["resolved", "monitoring", "investigating"]
    assert over["resolved_at"] >= over["monitoring_at"] >= over["started_at"]


@pytest.fixture(scope="module")
def exported(
    running: Product, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[tuple[dict[str, str], float]]]:
    """What statuspage-prometheus-exporter writes after one look: metric → labels and value."""
    if not EXPORTER.exists():
        missing("statuspage-prometheus-exporter")
    folder = tmp_path_factory.mktemp("exporter")
    service = {"telco": {"url": f"{running.base_url}/api/v2/summary.json", "name": "Telco"}}
    (folder / "services.json").write_text(json.dumps(service))
    settings = {"SERVICES_JSON_PATH": "services.json", "RUN_MODE": "once", "METRICS_TEXTFILE_PATH": "out.prom"}
    subprocess.run(
        [EXPORTER], cwd=folder, env={**os.environ, **settings}, check=True, capture_output=True, timeout=PATIENCE
    )
    written = (folder / "out.prom").read_text()
    return {
        family.name: [(sample.labels, sample.value) for sample in family.samples]
        for family in text_string_to_metric_families(written)
    }


def test_the_exporter_sees_the_outage(
    running: Product, exported: dict[str, list[tuple[dict[str, str], float]]]
) -> None:
    """statuspage-prometheus-exporter finds the service down, the one open incident, and no maintenance."""
    assert [value for _, value in exported["statuspage_probe_check"]] == [1.0]
    assert [value for _, value in exported["statuspage_service_status"]] == [0.0]
    open_now = [labels for labels, value in exported["statuspage_incident_info"] if value]
    assert [labels["incident_id"] for labels in open_now] == [running.incident]
    assert open_now[0]["shortlink"] == f"{running.base_url}/incidents/{running.incident}"
    assert [value for _, value in exported["statuspage_maintenance_info"]] == [0.0]


def test_the_exporter_tells_what_works_from_what_does_not(
    running: Product, exported: dict[str, list[tuple[dict[str, str], float]]]
) -> None:
    """It reports each component of the page under its name, up exactly where the page says operational."""
    components = json.loads(running.get("/api/v2/components.json"))["components"]
    wanted = {one["name"]: float(one["status"] == "operational") for one in components}
    assert {labels["component_name"]: value for labels, value in exported["statuspage_component_status"]} == wanted


def test_the_short_link_leads_to_the_incident(running: Product) -> None:
    """The address that clients show people answers with the incident's page."""
    shortlink = answers(running.base_url)["unresolved"]["incidents"][0]["shortlink"]
    path = shortlink.removeprefix(running.base_url)
    assert Path(path).name == running.incident
    assert running.get(path) in running.pages["outage"].values()
