"""Metrics as a scraper reads them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from prometheus_client.parser import text_string_to_metric_families

from statuspage import metrics
from statuspage.db import Sessions, make_engine, make_sessions, transaction
from statuspage.domain.campaign import CampaignKind, CampaignState
from statuspage.domain.incident import CauseCategory
from statuspage.models import Campaign, Lease, Receipt
from statuspage.services import incidents, sample, templates
from statuspage.services.actor import CLI
from statuspage.services.operator_facts import OperatorFacts

NOW = datetime(2026, 11, 22, 7, 20, tzinfo=UTC)
OPERATOR = OperatorFacts(ZoneInfo("Europe/Moscow"), "0500", ("ru", "zh", "en"))


def scraped(sessions: Sessions, now: datetime = NOW) -> dict[tuple[str, ...], float]:
    text = metrics.render(sessions, OPERATOR, now).decode()
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


def test_an_update_is_late_by_the_earlier_of_promise_and_cadence(sessions: Sessions) -> None:
    """An hour after the news the alarm is up, although the page promises the next for the evening."""
    with transaction(sessions) as session:
        sample.load(session, time_zone="Europe/Moscow", now=NOW)
        outage = templates.declaration(
            session, "billing_outage", profile="default_billing", zone=ZoneInfo("Europe/Moscow"), now=NOW
        )
        evening = replace(outage, next_update_at=NOW + timedelta(hours=8), cause=CauseCategory.NETWORK)
        incidents.declare_incident(session, CLI, evening, now=NOW)
    hour = timedelta(hours=1)
    late = [scraped(sessions, NOW + after)["statuspage_updates_overdue",] for after in (hour, hour * 1.1, hour * 9)]
    assert late == [0, 1, 1]


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
