"""Metrics as a scraper reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from statuspage import metrics
from statuspage.db import Sessions, make_engine, make_sessions, transaction
from statuspage.domain.campaign import CampaignKind, CampaignState
from statuspage.models import Campaign, Lease, Receipt

NOW = datetime(2026, 11, 22, 7, 20, tzinfo=UTC)


def scraped(sessions: Sessions) -> dict[tuple[str, ...], float]:
    text = metrics.render(sessions, NOW).decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(sample.name, *sample.labels.values()): sample.value for sample in samples}


def test_figures_come_from_the_database(sessions: Sessions) -> None:
    """Whoever answers the scrape tells what all processes did."""
    with transaction(sessions) as session:
        session.add(Lease(name="scheduler", owner="a", epoch=1, until=NOW + timedelta(seconds=30)))
        session.add(Receipt(provider="p", provider_id="1", status="sent", part=0, state="sent", received_at=NOW))
    found = scraped(sessions)
    assert found["statuspage_database_up",] == 1
    assert found["statuspage_lease_left_seconds", "scheduler"] == 30
    assert found["statuspage_receipts_waiting",] == 1
    assert found["statuspage_updates_overdue",] == 0
    assert found["statuspage_page_behind",] == 1
    assert found["process_resident_memory_bytes",] > 0
    assert found["statuspage_break_glass_campaigns",] == 0


def test_whoever_releases_alone_raises_a_figure(sessions: Sessions) -> None:
    """An alarm can be set on it: campaigns that nobody else agreed to."""
    with transaction(sessions) as session:
        for reason in (None, "The approver cannot be reached."):
            session.add(
                Campaign(
                    name="x", kind=CampaignKind.INCIDENT_NOTICE, purpose="outage", state=CampaignState.RUNNING,
                    priority=20, audience="", basis="contract", validity_seconds=3600, break_glass_reason=reason,
                    created_at=NOW, updated_at=NOW,
                )
            )  # fmt: skip
    assert scraped(sessions)["statuspage_break_glass_campaigns",] == 1


def test_a_dead_database_is_said_not_raised(tmp_path: Path) -> None:
    """With the database gone the scrape still answers, and says so."""
    sessions = make_sessions(make_engine(f"sqlite:///{tmp_path}/none/there.db"))
    found = scraped(sessions)
    assert found["statuspage_database_up",] == 0
    assert ("statuspage_receipts_waiting",) not in found
