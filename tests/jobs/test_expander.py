"""Campaigns take turns on their way into the outbox, and what must not be done at once is done one after the other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text, update
from sqlalchemy.orm import Session

from notifiers.base import Channel
from statuspage.clock import FrozenClock
from statuspage.config import Settings
from statuspage.db import Sessions, make_engine, make_sessions, transaction
from statuspage.domain.campaign import CampaignKind, priority
from statuspage.jobs import gatherer
from statuspage.jobs.expander import Expander
from statuspage.jobs.turnstile import Turnstile
from statuspage.models import Campaign
from statuspage.services import approval, campaigns, expansion
from tests.databases import NOW
from tests.outbox import Person, World, settings
from tests.services.test_clock_facts import MINUTE, release, restore
from tests.services.test_end_told import RESTORED, everybody, narrowed
from tests.waiting import PATIENCE, until

SMS = Channel.SMS
CAP = 10


@pytest.fixture
def configured(tmp_path: Path) -> Settings:
    return settings(tmp_path, break_glass_cap=CAP, sms_price="0")


@pytest.fixture
def beside(database_url: str) -> Iterator[Sessions]:
    """The database as another process sees it: with connections and locks of its own."""
    engine = make_engine(database_url)
    yield make_sessions(engine)
    engine.dispose()


@pytest.fixture
def gathered(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, expansion.Stretch]]:
    """(campaign, stretch) in the order in which they were gathered; stretches are small."""
    monkeypatch.setattr(gatherer, "STRETCHES", (10,))
    seen: list[tuple[int, expansion.Stretch]] = []
    stage = expansion.stage

    def noted(session: Session, campaign: Campaign, channel: Channel, stretch: Any, given: Settings) -> Any:
        seen.append((campaign.id, stretch))
        return stage(session, campaign, channel, stretch, given)

    monkeypatch.setattr(expansion, "stage", noted)
    return seen


def an_expander(sessions: Sessions, configured: Settings, owner: str = "one") -> Expander:
    return Expander(sessions, FrozenClock(NOW + 90 * MINUTE), configured, owner, Turnstile(sessions))


def to_the_end(expander: Expander) -> None:
    while expander.run(lambda: False):
        pass
    expander.close()


def steps(world: World, expander: Expander, public_ids: list[str]) -> list[str]:
    """Whose outbox grew, step by step, until all are expanded."""
    grew: list[str] = []
    before = [len(world.deliveries(one)) for one in public_ids]
    while expander.run(lambda: False):
        now = [len(world.deliveries(one)) for one in public_ids]
        grew += [one for one, old, new in zip(public_ids, before, now, strict=True) if new > old]
        before = now
    expander.close()
    return grew


def test_a_small_campaign_does_not_wait_for_a_large_one(
    world: World, configured: Settings, gathered: list[tuple[int, expansion.Stretch]]
) -> None:
    """Equals take turns, stretch by stretch; what was gathered ahead waits meanwhile and is not gathered again."""
    world.people(*(Person(n, segment="pos_m2m" if n < 15 else "prepaid") for n in range(60)))
    incident = world.incident()
    large, small = (world.start(incident, configured, key, (SMS,)) for key in ("outage", "merchants"))
    grew = steps(world, an_expander(world.sessions, configured), [large, small])
    assert grew == [large, small, large, small, large, large, large, large]
    assert len(set(gathered)) == len(gathered) == 12
    assert world.states(large) == {"pending": 60}
    assert world.states(small) == {"pending": 15}


@pytest.mark.usefixtures("gathered")
def test_the_more_urgent_goes_first(world: World, configured: Settings) -> None:
    """A campaign of higher precedence that is started amid a large one is walked to its end at once."""
    world.people(*(Person(n) for n in range(40)))
    incident = world.incident()
    large = world.start(incident, configured, channels=(SMS,))
    expander = an_expander(world.sessions, configured)
    assert expander.run(lambda: False)
    urgent = world.start(incident, configured, channels=(SMS,))
    with transaction(world.sessions) as session:
        first = update(Campaign).where(Campaign.public_id == urgent)
        session.execute(first.values(priority=priority(CampaignKind.END_NOTICE)))
    assert steps(world, expander, [large, urgent]) == [*[urgent] * 4, *[large] * 3]


def two_ends(world: World, configured: Settings) -> tuple[str, str]:
    """The started end notices for everybody, drafted first, and for merchants, who were told of the outage twice."""
    world.people(Person(1), Person(2), Person(3, segment="pos_m2m"), Person(4, segment="pos_m2m"))
    incident = world.incident()
    all_ = everybody(world, incident, configured)
    some = narrowed(world, incident, "segment = pos_m2m", configured)
    ends = restore(world, incident, RESTORED)
    for one in (all_, some):
        release(world, configured, ends[one], RESTORED)
    return ends[all_], ends[some]


def told(world: World, *ends: str) -> list[tuple[str, str]]:
    return [(row.channel, row.address_hash) for end in ends for row in world.deliveries(end) if row.state == "pending"]


def test_who_is_in_two_audiences_hears_the_end_in_his_own_words(world: World, configured: Settings) -> None:
    """Of two started end notices the one for fewer people is walked first, though the general one was started first."""
    general, merchants = two_ends(world, configured)
    to_the_end(an_expander(world.sessions, configured))
    assert world.states(merchants) == {"pending": 4}
    assert world.states(general) == {"pending": 4, "suppressed:end_told": 4}


def test_two_end_notices_are_never_walked_at_once(
    world: World, configured: Settings, beside: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one process has gathered whom the one tells and not stored them yet, another process begins no other end
    notice of the incident: it would tell the same people."""
    general, merchants = two_ends(world, configured)
    has_gathered, other_is_through = threading.Event(), threading.Event()
    stage = expansion.stage

    def held(*given: Any) -> expansion.Staged:
        staged = stage(*given)
        if not has_gathered.is_set():
            has_gathered.set()
            assert other_is_through.wait(PATIENCE)
        return staged

    monkeypatch.setattr(expansion, "stage", held)
    first, second = an_expander(world.sessions, configured), an_expander(beside, configured, "two")
    walking = threading.Thread(target=to_the_end, args=(first,))
    walking.start()
    assert has_gathered.wait(PATIENCE)
    to_the_end(second)
    other_is_through.set()
    walking.join(PATIENCE)
    to_the_end(second)
    everyone = told(world, general, merchants)
    assert len(everyone) == len(set(everyone)) == 8


def alone(world: World, configured: Settings, incident: int, now: datetime = NOW) -> str:
    """Released by one person to those who are there; not started."""
    public_id = world.draft(incident)
    with transaction(world.sessions) as session:
        campaign = campaigns.get_campaign(session, public_id)
        approval.break_glass(
            session, world.author, campaign, reason="Nobody answers the phone", settings=configured, now=now
        )
    return public_id


@pytest.mark.parametrize("incidents", [1, 2])
def test_the_cap_of_one_person_is_the_days(world: World, configured: Settings, incidents: int) -> None:
    """Two campaigns that one person released within the cap, whose audiences have grown since, do not exceed it
    together, of one incident or of two; what was released more than a day before for another incident counts apart."""
    world.people(Person(1), Person(2))
    other = alone(world, configured, world.incident(), NOW - timedelta(hours=25))
    touched = [world.incident() for _ in range(incidents)]
    first, second = (alone(world, configured, touched[place % incidents]) for place in range(2))
    world.people(*(Person(n) for n in range(3, 6)))
    for one in (first, second, other):
        world.start_approved(one)
    to_the_end(an_expander(world.sessions, configured))
    assert len(told(world, first, second)) == len(told(world, other)) == CAP
    for one in (first, second, other):
        assert world.counted(one) == world.states(one)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_cap_holds_for_two_at_once(
    world: World, configured: Settings, beside: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one process has stored and not yet committed, another one that stores, for another incident too, waits
    for."""
    world.people(Person(1), Person(2))
    both = [alone(world, configured, world.incident()) for _ in range(2)]
    world.people(*(Person(n) for n in range(3, 6)))
    for one in both:
        world.start_approved(one)
    has_stored, other_waits = threading.Event(), threading.Event()
    store = expansion.store

    def held(*given: Any, **named: Any) -> int:
        stored = store(*given, **named)
        if not has_stored.is_set():
            has_stored.set()
            assert other_waits.wait(PATIENCE)
        return stored

    def waits() -> bool:
        with transaction(world.sessions, read_only=True) as session:
            return bool(session.scalar(text(_WAITING)))

    monkeypatch.setattr(expansion, "store", held)
    walking = [
        threading.Thread(target=to_the_end, args=(an_expander(sessions, configured, owner),))
        for sessions, owner in ((world.sessions, "one"), (beside, "two"))
    ]
    walking[0].start()
    assert has_stored.wait(PATIENCE)
    walking[1].start()
    until(waits, "the other one waits")
    other_waits.set()
    for thread in walking:
        thread.join(PATIENCE)
    assert len(told(world, *both)) == CAP


_WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' "
    "AND query LIKE '%advisory%'"
)
