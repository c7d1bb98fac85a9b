"""A small operator whose page is published, with one open incident."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from statuspage.clock import FrozenClock
from statuspage.config import Settings
from statuspage.db import Sessions, transaction
from statuspage.domain.component import ComponentState
from statuspage.domain.grace import GraceMode, GraceState
from statuspage.domain.incident import CauseCategory, IncidentState, Publication
from statuspage.domain.route import Behaviour, RouteKind, RouteState
from statuspage.models import (
    Component,
    ComponentChange,
    ComponentGroup,
    GracePolicy,
    Incident,
    IncidentComponent,
    IncidentUpdate,
    PageState,
    Region,
    Route,
    Segment,
)
from statuspage.publish.mirror import Mirror
from statuspage.publish.publisher import PUBLIC_FOLDER, publish
from statuspage.services import page, texts
from tests.databases import NOW


@dataclass(frozen=True)
class World:
    sessions: Sessions
    settings: Settings
    clock: FrozenClock

    @property
    def mirror(self) -> Mirror:
        return Mirror(self.settings.data_dir / PUBLIC_FOLDER)

    def publish(self) -> bool:
        return publish(self.sessions, self.settings, self.clock)

    def shown(self, path: str) -> str:
        mirror = self.mirror
        return mirror.read(mirror.manifest().entries[path].sha256).decode()

    def state(self) -> PageState:
        with transaction(self.sessions, read_only=True) as session:
            return session.get_one(PageState, 1)

    def change(self) -> None:
        with transaction(self.sessions) as session:
            page.bump(session)


@pytest.fixture
def world(sessions: Sessions, clock: FrozenClock, tmp_path: Path) -> World:
    settings = Settings(data_dir=tmp_path / "var", base_url="https://status.example.com", support_phone="0500")
    with transaction(sessions) as session:
        session.add(Region(key="msk", time_zone="Europe/Moscow"))
        session.add(Segment(key="prepaid"))
        group = ComponentGroup(key="billing")
        session.add(group)
        session.flush()
        component = Component(
            key="top_up",
            group_id=group.id,
            state=ComponentState.MAJOR_OUTAGE,
            provides="billing_core",
            created_at=NOW - timedelta(days=100),
            updated_at=NOW,
        )
        calls = Component(key="calls", created_at=NOW - timedelta(days=100), updated_at=NOW - timedelta(days=100))
        session.add_all([component, calls])
        session.flush()
        incident = incident_of(NOW)
        session.add(incident)
        session.flush()
        told = IncidentUpdate(incident_id=incident.id, state=IncidentState.INVESTIGATING, at=NOW, created_at=NOW)
        session.add_all([told, route_of("bank_app", NOW), policy_of(incident, NOW)])
        major = ComponentState.MAJOR_OUTAGE
        session.add(IncidentComponent(incident_id=incident.id, component_id=component.id, state=major, current=major))
        session.flush()
        session.add(
            ComponentChange(
                component_id=component.id,
                update_id=told.id,
                at=NOW,
                old_state=ComponentState.OPERATIONAL,
                new_state=major,
            )
        )
        _name(session, component, calls, incident, told)
    return World(sessions, settings, clock)


def _name(session: Session, component: Component, calls: Component, incident: Incident, told: IncidentUpdate) -> None:
    for entity, entity_id, field, bodies in (
        ("component", component.id, "name", {"ru": "Пополнение", "zh": "充值", "en": "Top-up"}),
        ("component", calls.id, "name", {"ru": "Звонки", "zh": "通话", "en": "Calls"}),
        ("incident", incident.id, "title", {"ru": "Не работает пополнение", "en": "Top-up is down"}),
        ("incident_update", told.id, "body", {"ru": "Выясняем.", "zh": "正在排查。", "en": "We are looking."}),
    ):
        texts.write(session, entity, entity_id, field, bodies, "ru", NOW)


def incident_of(now: datetime) -> Incident:
    return Incident(
        state=IncidentState.INVESTIGATING,
        publication=Publication.PUBLISHED,
        cause=CauseCategory.DATABASE,
        profile="default_billing",
        segments=["prepaid"],
        regions=["msk"],
        not_affected=["calls"],
        started_at=now,
        declared_at=now,
        published_at=now,
        next_update_at=now + timedelta(hours=1),
        created_at=now,
        updated_at=now,
    )


def route_of(key: str, now: datetime) -> Route:
    return Route(
        key=key,
        kind=RouteKind.PAYMENT,
        set_state=RouteState.WORKS,
        state_since=now,
        checked_at=now,
        depends_on=["bank", "billing_core"],
        behaviour=Behaviour.QUEUES,
        regions=[],
        segments=[],
        pay_types=[],
        updated_at=now,
    )


def policy_of(incident: Incident, now: datetime) -> GracePolicy:
    return GracePolicy(
        incident_id=incident.id,
        state=GraceState.ACTIVE,
        mode=GraceMode.FOLLOWS_INCIDENT,
        segments=["prepaid"],
        regions=[],
        excluded=[],
        actions=["no_suspend"],
        starts_at=now,
        rolling_hours=72,
        tail_days=3,
        time_zone="Europe/Moscow",
        hard_cap_days=14,
        release={},
        published_until=now + timedelta(days=3),
        created_at=now,
    )
