from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from statuspage.clock import FrozenClock
from statuspage.db import transaction
from statuspage.domain.incident import IncidentState
from statuspage.models import GraceLedger, GracePolicy, Incident, PageState
from statuspage.publish.mirror import Mirror
from statuspage.publish.publisher import LEASE, PUBLIC_FOLDER
from statuspage.services import grace, incidents, leases, lifecycle, updates
from statuspage.services.actor import CLI
from statuspage.services.operator_facts import OperatorFacts
from statuspage.services.updates import NewUpdate
from tests.databases import NOW
from tests.system.place import Place
from tests.system.stories import declare

BACK, AHEAD = timedelta(hours=-3), timedelta(days=2)


@dataclass(frozen=True)
class Story:
    place: Place
    clock: FrozenClock
    incident: str

    def tell(self, state: IncidentState, text: str) -> None:
        with transaction(self.place.sessions) as session:
            found = incidents.get_incident(session, self.incident)
            new = NewUpdate(state, {"ru": text}, "ru")
            now = self.clock.now()
            lifecycle.add_update(session, CLI, found, new, OperatorFacts.of(self.place.settings), now=now)

    def tick(self) -> None:
        """What the scheduler does at a tick."""
        with transaction(self.place.sessions) as session:
            grace.tick(session, now=self.clock.now())
        self.place.publish(self.clock)

    def until(self) -> datetime:
        with transaction(self.place.sessions, read_only=True) as session:
            return max(one for one in session.scalars(select(GracePolicy.published_until)) if one is not None)

    def page(self) -> PageState:
        with transaction(self.place.sessions, read_only=True) as session:
            return session.get_one(PageState, 1)

    def shown_as_of(self) -> datetime:
        return Mirror(self.place.folder / PUBLIC_FOLDER).manifest().as_of


@pytest.fixture
def story(place: Place) -> Story:
    """A billing outage with its grace policy, declared and published at NOW."""
    return Story(place, FrozenClock(NOW), declare(place, now=NOW))


def test_a_promise_never_shrinks_whichever_way_the_clock_jumps(story: Story) -> None:
    """Back, ahead and back again, with ticks and updates at each step: `until` only ever grows, as the ledger says."""
    promised = [story.until()]
    for jump in (BACK, -BACK, AHEAD, -AHEAD, BACK):
        story.clock.advance(jump)
        story.tick()
        story.tell(IncidentState.INVESTIGATING, f"После скачка {jump}.")
        promised.append(story.until())
    assert promised == sorted(promised)
    with transaction(story.place.sessions, read_only=True) as session:
        lines = session.scalars(select(GraceLedger).order_by(GraceLedger.policy_id, GraceLedger.revision)).all()
        assert all(line.old_until is None or line.new_until >= line.old_until for line in lines)


def test_updates_keep_their_order_when_the_clock_goes_back(story: Story) -> None:
    """The update written last is the newest one for every reader, and the state is the one it says."""
    story.clock.advance(timedelta(hours=1))
    story.tell(IncidentState.IDENTIFIED, "Нашли причину.")
    story.clock.advance(BACK)
    story.tell(IncidentState.MONITORING, "Проверяем.")
    story.clock.advance(timedelta(minutes=1))
    story.tell(IncidentState.RESTORED_CATCHING_UP, "Работает.")
    with transaction(story.place.sessions, read_only=True) as session:
        incident = session.scalars(select(Incident)).one()
        told = updates.list_updates(session, incident)
        assert [one.state for one in told] == [
            IncidentState.RESTORED_CATCHING_UP,
            IncidentState.MONITORING,
            IncidentState.IDENTIFIED,
            IncidentState.INVESTIGATING,
        ]
        assert [(one.at, one.id) for one in told] == sorted(((one.at, one.id) for one in told), reverse=True)
        assert incident.state is IncidentState.RESTORED_CATCHING_UP


def test_a_page_of_the_future_is_replaced_when_the_clock_is_put_right(story: Story) -> None:
    """Two days ahead the page was rendered; back in the present the next tick renders it anew, as of now."""
    story.clock.advance(AHEAD)
    story.tick()
    assert story.shown_as_of() == story.clock.now()
    story.clock.advance(-AHEAD)
    story.tick()
    assert story.shown_as_of() == story.clock.now()
    boundary = story.page().boundary_at
    assert boundary is not None
    assert boundary - story.clock.now() <= timedelta(minutes=15)
    revision = story.page().revision
    story.tick()
    assert story.page().revision == revision, "and it does so once"


def test_leases_of_the_future_bind_nobody(story: Story) -> None:
    """A publisher and a scheduler that died while the clock was ahead hold nothing up once it is put right."""
    sessions, now = story.place.sessions, story.clock.now()
    with transaction(sessions) as session:
        state = session.get_one(PageState, 1)
        state.lease_owner, state.lease_until, state.wanted = "dead", now + AHEAD + LEASE, state.wanted + 1
        assert leases.take(session, "scheduler", "dead", LEASE, now=now + AHEAD) is not None
    assert story.place.publish(story.clock)
    with transaction(sessions) as session:
        assert leases.take(session, "scheduler", "alive", LEASE, now=now) is not None
        assert leases.take(session, "scheduler", "other", LEASE, now=now + timedelta(seconds=1)) is None
