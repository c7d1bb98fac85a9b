"""From an audience to the outbox: in steps that can be repeated, each person once, each reason kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from notifiers.base import Channel
from statuspage.clock import FrozenClock
from statuspage.config import Settings
from statuspage.db import Sessions, transaction
from statuspage.domain.campaign import CampaignState
from statuspage.jobs import gatherer, walk
from statuspage.jobs.expander import Expander
from statuspage.jobs.turnstile import Turnstile
from statuspage.models import Campaign, Contact, Installation, Line
from statuspage.services import expansion
from tests.databases import NOW
from tests.outbox import Person, World, settings


@pytest.fixture
def world(sessions: Sessions) -> World:
    return World(sessions)


@pytest.fixture
def configured(tmp_path: Path) -> Settings:
    return settings(tmp_path)


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gatherer, "STRETCHES", (7, 20))
    monkeypatch.setattr(walk, "STORED_AT_ONCE", 6)


def an_expander(world: World, configured: Settings) -> Expander:
    return Expander(world.sessions, FrozenClock(NOW), configured, "test", Turnstile(world.sessions))


def to_the_end(expander: Expander) -> None:
    while expander.run(lambda: False):
        pass
    expander.close()


@pytest.mark.usefixtures("small_steps")
def test_many_small_steps_make_one_outbox(world: World, configured: Settings) -> None:
    """However the audience is cut, everybody is there once, duplicates across cuts merged, counters exact."""
    world.people(*(Person(n) for n in range(100)), *(Person(200 + n, address=n * 9) for n in range(10)))
    public_id = world.start(world.incident(), configured)
    world.expand(public_id, configured)
    rows = world.deliveries(public_id)
    assert len({(row.channel, row.address) for row in rows}) == len(rows) == 200
    assert world.counted(public_id) == world.states(public_id) == {"pending": 200}


@pytest.mark.usefixtures("small_steps")
@pytest.mark.parametrize("deaths", range(1, 12, 3))
def test_a_death_in_the_middle_changes_nothing(
    world: World, configured: Settings, monkeypatch: pytest.MonkeyPatch, deaths: int
) -> None:
    """An expansion that dies at any step is taken up again by the next and ends in the same outbox."""
    world.people(*(Person(n) for n in range(60)))
    public_id = world.start(world.incident(), configured)
    calls = 0
    original = expansion.store

    def dying(*given: object, **named: object) -> int:
        nonlocal calls
        calls += 1
        if calls == deaths:
            raise RuntimeError("died")
        return original(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(expansion, "store", dying)
    first = an_expander(world, configured)
    with pytest.raises(RuntimeError, match="died"):
        to_the_end(first)
    first.close()
    world.expand(public_id, configured)
    assert world.counted(public_id) == world.states(public_id) == {"pending": 120}


@pytest.mark.usefixtures("small_steps")
def test_an_import_in_between_neither_adds_nor_loses_anybody(world: World, configured: Settings) -> None:
    """A campaign sees people as they were when it started, also when another file becomes visible meanwhile."""
    world.people(*(Person(n) for n in range(30)))
    public_id = world.start(world.incident(), configured, channels=(Channel.SMS,))
    first = an_expander(world, configured)
    first.run(lambda: False)
    first.close()
    assert len(world.deliveries()) == 7
    with transaction(world.sessions) as session:
        session.execute(update(Line).values(valid_to=2))
        session.execute(update(Contact).values(valid_to=2))
        session.get_one(Installation, 1).generation = 2
    world.expand(public_id, configured)
    assert world.states(public_id) == {"pending": 30}


def test_a_sign_up_outweighs_a_refusal_in_the_file(world: World, configured: Settings) -> None:
    """Whoever said no in the file and yes on the page is told; who signed up only there too."""
    world.people(Person(1, email_state="refused"), Person(2, email_state="refused"))
    world.sign_up(1)
    world.sign_up(3)
    public_id = world.start(world.incident(), configured, channels=(Channel.EMAIL,))
    world.expand(public_id, configured)
    told = {row.address for row in world.deliveries(public_id) if row.state == "pending"}
    assert told == {"user1@example.test", "user3@example.test"}
    assert world.counted(public_id) == world.states(public_id) == {"pending": 2, "suppressed:no_consent": 1}


def test_a_connection_makes_its_table_once(
    world: World, configured: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many steps the sign-ups take, they use the tables that are there."""
    monkeypatch.setattr(expansion, "SIGN_UPS_AT_ONCE", 2)
    made: list[object] = []
    prepare = expansion.prepare

    def counted(session: Session) -> None:
        made.append(session)
        prepare(session)

    monkeypatch.setattr(expansion, "prepare", counted)
    for number in range(9):
        world.sign_up(number)
    public_id = world.start(world.incident(), configured, channels=(Channel.EMAIL,))
    world.expand(public_id, configured)
    assert world.states(public_id) == {"pending": 9}
    assert len(made) == 2


@pytest.mark.usefixtures("small_steps")
def test_a_lost_connection_loses_nobody(world: World, configured: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between gathering and storing the connection goes, and with it those who were gathered: the step fails, and the
    next run gathers them again."""
    world.people(*(Person(n) for n in range(60)))
    public_id = world.start(world.incident(), configured)
    store = expansion.store

    def lost(session: Session, *given: Any, **named: Any) -> int:
        monkeypatch.setattr(expansion, "store", store)
        session.connection().invalidate()
        session.rollback()
        return store(session, *given, **named)

    monkeypatch.setattr(expansion, "store", lost)
    running = an_expander(world, configured)
    with pytest.raises(DBAPIError):
        running.run(lambda: False)
    to_the_end(running)
    assert world.counted(public_id) == world.states(public_id) == {"pending": 120}


@pytest.mark.usefixtures("small_steps")
def test_a_paused_campaign_stops_growing(world: World, configured: Settings) -> None:
    """While a campaign is paused nobody is added; resumed, it goes on where it was."""
    world.people(*(Person(n) for n in range(40)))
    public_id = world.start(world.incident(), configured, channels=(Channel.SMS,))
    first = an_expander(world, configured)
    first.run(lambda: False)
    before = len(world.deliveries(public_id))
    assert 0 < before < 40
    with transaction(world.sessions) as session:
        session.execute(update(Campaign).values(state=CampaignState.PAUSED))
    assert first.run(lambda: False) is False
    assert len(world.deliveries(public_id)) == before
    with transaction(world.sessions) as session:
        session.execute(update(Campaign).values(state=CampaignState.RUNNING))
    first.close()
    world.expand(public_id, configured)
    assert world.states(public_id) == {"pending": 40}


@pytest.mark.usefixtures("small_steps")
def test_more_people_than_were_paid_for_pause_it(world: World, tmp_path: Path) -> None:
    """When the audience has grown past the approved cost ceiling, the campaign pauses by itself."""
    configured = settings(tmp_path, sms_price="1")
    world.people(*(Person(n) for n in range(10)))
    public_id = world.draft(world.incident(), channels=(Channel.SMS,))
    world.approve_and(public_id, configured)
    world.people(*(Person(n) for n in range(10, 40)))
    world.start_approved(public_id)
    to_the_end(an_expander(world, configured))
    campaign = world.campaign(public_id)
    assert (campaign.state, campaign.pause_reason) == (CampaignState.PAUSED, "cost_ceiling")
    assert len(world.deliveries(public_id)) < 40
