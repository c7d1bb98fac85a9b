"""Prometheus metrics, read from the database at the scrape: any process answers for all and forgets nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from statuspage.db import Sessions, transaction
from statuspage.domain.incident import Publication
from statuspage.models import Campaign, CampaignCount, Incident, Lease, PageState, Receipt
from statuspage.services import clock_facts
from statuspage.services.operator_facts import OperatorFacts
from statuspage.services.receipts import FOREIGN

_UP = "statuspage_database_up"


def render(sessions: Sessions, operator: OperatorFacts, now: datetime) -> bytes:
    """The exposition text; with the database gone, `statuspage_database_up 0` and this process's own figures."""
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    registry.register(_Scrape(sessions, operator, now))
    return generate_latest(registry)


class _Scrape(Collector):
    def __init__(self, sessions: Sessions, operator: OperatorFacts, now: datetime) -> None:
        self._sessions = sessions
        self._operator = operator
        self._now = now

    def collect(self) -> Iterable[Metric]:
        try:
            with transaction(self._sessions, read_only=True) as session:
                families = [read(session, self._now) for read in _FAMILIES]
                families.append(_overdue(session, self._operator, self._now))
        except DBAPIError:
            return [GaugeMetricFamily(_UP, "Whether the database answered this scrape.", value=0)]
        return [GaugeMetricFamily(_UP, "Whether the database answered this scrape.", value=1), *families]

    def describe(self) -> Iterator[Metric]:
        return iter(())


def _deliveries(session: Session, _now: datetime) -> Metric:
    # The counts move with each batch, so a scrape never walks a million deliveries.
    keys = (CampaignCount.channel, CampaignCount.state, CampaignCount.reason)
    rows = session.execute(select(*keys, func.sum(CampaignCount.n)).group_by(*keys))
    return _gauge(
        "deliveries", "Deliveries of all campaigns, by what became of them.", rows, "channel", "state", "reason"
    )


def _campaigns(session: Session, _now: datetime) -> Metric:
    rows = session.execute(select(Campaign.state, func.count()).group_by(Campaign.state))
    return _gauge("campaigns", "Campaigns by state.", rows, "state")


def _break_glass(session: Session, _now: datetime) -> Metric:
    alone = select(func.count()).select_from(Campaign).where(Campaign.break_glass_reason.is_not(None))
    meaning = "Campaigns that one person released alone; every increase should be looked at by another."
    return _gauge("break_glass_campaigns", meaning, session.execute(alone))


def _incidents(session: Session, _now: datetime) -> Metric:
    keys = (Incident.publication, Incident.state)
    rows = session.execute(select(*keys, func.count()).where(Incident.drill.is_(False)).group_by(*keys))
    return _gauge("incidents", "Incidents, drills apart.", rows, "publication", "state")


def _overdue(session: Session, operator: OperatorFacts, now: datetime) -> Metric:
    query = select(Incident).where(Incident.publication == Publication.PUBLISHED, Incident.resolved_at.is_(None))
    due = [clock_facts.next_update(session, one, operator) for one in session.scalars(query.where(~Incident.drill))]
    late = sum(one is not None and one.due_at is not None and one.due_at < now for one in due)
    meaning = "Open incidents on the page whose update is late, by the promise or by the clock profile's cadence."
    return _gauge("updates_overdue", meaning, [(late,)])


def _receipts(session: Session, _now: datetime) -> Metric:
    waiting = Receipt.applied_at.is_(None) & Receipt.effect.is_(None)
    rows = session.execute(select(func.count()).select_from(Receipt).where(waiting))
    return _gauge("receipts_waiting", "Callbacks that were stored and not yet applied.", rows)


def _foreign(session: Session, _now: datetime) -> Metric:
    laid_aside = Receipt.applied_at.is_(None) & (Receipt.effect == FOREIGN)
    rows = session.execute(select(func.count()).select_from(Receipt).where(laid_aside))
    meaning = "Signed callbacks of the last 72 hours about another message than their delivery's; believed in nothing."
    return _gauge("receipts_foreign", meaning, rows)


def _behind(session: Session, _now: datetime) -> Metric:
    rows = session.execute(select(PageState.wanted - PageState.published))
    return _gauge("page_behind", "Changes that the published page does not show yet.", rows)


def _leases(session: Session, now: datetime) -> Metric:
    rows = session.execute(select(Lease.name, Lease.until))
    left = [(name, (until - now).total_seconds()) for name, until in rows]
    return _gauge("lease_left_seconds", "Left of each lease; below 0 nobody holds it.", left, "name")


def _gauge(name: str, meaning: str, rows: Iterable[Sequence[Any]], *labels: str) -> Metric:
    """One gauge of `rows`, whose last column is the number and whose others are the values of `labels`."""
    family = GaugeMetricFamily(f"statuspage_{name}", meaning, labels=labels)
    for *values, number in rows:
        family.add_metric([str(value) for value in values], float(number))
    return family


_FAMILIES: tuple[Callable[[Session, datetime], Metric], ...] = (
    _deliveries,
    _campaigns,
    _break_glass,
    _incidents,
    _receipts,
    _foreign,
    _behind,
    _leases,
)
