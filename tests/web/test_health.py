"""What a load balancer and Prometheus see."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

from statuspage.clock import FrozenClock
from statuspage.config import Settings
from statuspage.web import health
from statuspage.web.application import build as build_app
from statuspage.web.wiring import Wiring
from tests.web.site import Browser, Build


def test_alive_and_ready(browser: Browser) -> None:
    """A process with its database and schema is ready; the mirror's age is told when there is one."""
    assert browser.get("/healthz").text == "ok\n"
    ready = browser.get("/readyz")
    assert ready.status_code == 200
    checks = dict.fromkeys(("database", "schema", "data_dir", "disk"), True)
    assert ready.json == {**checks, "mirror_age_seconds": None}


def test_a_full_disk_is_not_ready(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing could be written: neither a page nor, on SQLite, an incident."""
    monkeypatch.setattr(health, "disk_usage", lambda _path: SimpleNamespace(free=health.LEAST_FREE - 1))
    ready = browser.get("/readyz")
    assert ready.status_code == 503
    assert ready.json is not None
    assert (ready.json["database"], ready.json["data_dir"], ready.json["disk"]) == (True, True, False)


def test_without_its_folder_not_ready(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """A DATA_DIR that was taken away or is not mounted is named, not answered with an error of ours."""

    def gone(_path: Path) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(health, "disk_usage", gone)
    ready = browser.get("/readyz")
    assert ready.status_code == 503
    assert ready.json is not None
    assert (ready.json["database"], ready.json["data_dir"]) == (True, False)


def test_without_a_database_alive_but_not_ready(settings: Settings, clock: FrozenClock) -> None:
    """A dead database takes the process out of rotation and gets nobody killed; the log-in says what is the matter."""
    sessions = sessionmaker(create_engine("sqlite:////nowhere/at/all.db"))
    client = build_app(Wiring(settings, sessions, {}, clock, lambda: None)).test_client()
    assert client.get("/healthz").status_code == 200
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert ready.json is not None
    assert ready.json["database"] is False
    assert client.get("/console/login").status_code == 200


def test_metrics_are_for_this_machine_only(browser: Browser, build: Build) -> None:
    """Prometheus text on loopback; from elsewhere, and through any proxy, there is no such page."""
    assert "statuspage_database_up 1.0" in browser.get("/metrics").text
    client = build().test_client()
    assert client.get("/metrics", environ_base={"REMOTE_ADDR": "203.0.113.9"}).status_code == 404
    for header in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "Via", "CF-Connecting-IP", "True-Client-IP"):
        assert client.get("/metrics", headers={header: "127.0.0.1"}).status_code == 404
    proxied = build(trusted_proxies="127.0.0.1").test_client()
    assert proxied.get("/metrics").status_code == 404
    assert proxied.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 404


def test_a_proxy_on_this_machine_may_have_an_address_of_its_own(build: Build) -> None:
    """Then the machine's own scraper is told from the proxy's visitors."""
    client = build(trusted_proxies="127.0.0.2").test_client()
    assert client.get("/metrics").status_code == 200
    visitor = client.get(
        "/metrics", environ_base={"REMOTE_ADDR": "127.0.0.2"}, headers={"X-Forwarded-For": "127.0.0.1"}
    )
    assert visitor.status_code == 404
