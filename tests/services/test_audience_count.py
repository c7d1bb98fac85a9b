"""How many people an audience means, asked while somebody types it."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from notifiers.base import Channel
from statuspage.db import Sessions, transaction
from statuspage.domain.audience import AudienceError
from statuspage.domain.errors import NotAllowed
from statuspage.models import Contact, Installation, Line
from statuspage.services import audience_count, campaigns, preview
from statuspage.services.actor import CLI, PUBLIC
from statuspage.services.audience_count import AudienceCount
from tests.databases import NOW
from tests.outbox import Person, World, settings

BOTH = tuple(Channel)


@pytest.fixture
def world(sessions: Sessions) -> World:
    """Six people: with and without addresses, in two regions and three segments."""
    made = World(sessions)
    made.people(
        Person(1),
        Person(2, segment="business", email=False),
        Person(3, segment="business", region="far_east", language="zh"),
        Person(4, segment="pos_m2m", sms=False),
        Person(5, sms=False, email=False),
        Person(6, sms_state="refused"),
    )
    return made


def counted(world: World, expression: str, channels: tuple[Channel, ...] = BOTH) -> AudienceCount:
    with transaction(world.sessions, read_only=True) as session:
        return audience_count.count(session, CLI, expression, None, channels)


@pytest.mark.parametrize(
    ("expression", "people", "sms", "email"),
    [
        ("all", 6, 4, 4),
        ("segment = business", 2, 2, 1),
        ("segment = business and not region = moscow", 1, 1, 1),
        ("language = zh or segment = pos_m2m", 2, 1, 2),
        ("not language in (ru, zh)", 0, 0, 0),
    ],
)
def test_the_count_says_people_and_who_of_them_has_an_address(
    world: World, expression: str, people: int, sms: int, email: int
) -> None:
    """Everybody who is meant counts, whatever he agreed to; an address is one that could be used."""
    found = counted(world, expression)
    assert (found.people, found.reachable) == (people, {Channel.SMS: sms, Channel.EMAIL: email})


def test_only_the_chosen_channels_are_counted(world: World) -> None:
    """Of a campaign by mail nobody asks how many numbers there are."""
    assert counted(world, "all", (Channel.EMAIL,)).reachable == {Channel.EMAIL: 4}


def test_who_has_ten_lines_is_one_person(world: World) -> None:
    """People are counted, not lines; who is erased, and a line that another file has replaced, do not count."""
    with transaction(world.sessions) as session:
        line = session.scalars(select(Line).order_by(Line.id)).first()
        assert line is not None
        columns = ("account_id", "contact_id", "segment_id", "region_id", "valid_from")
        for n in range(10):
            session.add(Line(key=f"+7912{n:07d}", **{name: getattr(line, name) for name in columns}))
        session.get_one(
            Contact, session.scalars(select(Contact.id).order_by(Contact.id.desc())).first()
        ).erased_at = NOW
        gone = session.scalars(select(Line).where(Line.contact_id == line.contact_id + 4)).one()
        gone.valid_to = session.get_one(Installation, 1).generation
    assert counted(world, "all").people == 4


def test_who_shares_an_address_is_one_person(world: World) -> None:
    """A merchant with many terminals is told once, and counts once; so does one who has a mail address alone."""
    world.people(*(Person(n, segment="pos_m2m", address=50) for n in range(50, 60)))
    world.people(*(Person(n, segment="pos_m2m", sms=False, address=60) for n in range(60, 64)))
    found = counted(world, "segment = pos_m2m")
    assert (found.people, found.reachable) == (3, {Channel.SMS: 1, Channel.EMAIL: 3})
    assert not found.about


@pytest.mark.parametrize("sample", [1_000, 150])
def test_many_people_are_counted_by_a_sample(world: World, monkeypatch: pytest.MonkeyPatch, sample: int) -> None:
    """Of many the lines are counted and the shared addresses estimated: exact when all are looked at, else near, and
    said to be about; what is rounded keeps three digits."""
    world.people(*(Person(n, segment="business", address=n - n % 2) for n in range(100, 500)))
    monkeypatch.setattr(audience_count, "EXACTLY", 100)
    monkeypatch.setattr(audience_count, "SAMPLE", sample)
    found = counted(world, "segment = business")
    true = 202
    assert found.about
    assert abs(found.people - true) <= (0 if sample == 1_000 else 30)
    assert abs(found.reachable[Channel.SMS] - true) <= (0 if sample == 1_000 else 30)
    assert not counted(world, "segment = pos_m2m").about


def test_a_mistake_is_told_with_its_place(world: World) -> None:
    """What is being typed is refused with where it went wrong, by name and value."""
    for expression, position in (("segment = ", 11), ("segment = prepayd", 1), ("", 1)):
        with pytest.raises(AudienceError) as refused:
            counted(world, expression)
        assert refused.value.position == position


@pytest.mark.parametrize("exactly", [20_000, 0])
def test_sign_ups_are_in_the_count_of_a_general_notice(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exactly: int
) -> None:
    """Who signed up on the page gets the general notice by mail, whatever the audience says, and counts once also when
    his address is a subscriber's; the preview says the same number of mails. Others are not counted."""
    monkeypatch.setattr(audience_count, "EXACTLY", exactly)
    world.sign_up(70)
    world.sign_up(3)
    world.sign_up(71, state="pending")
    incident = world.incident()
    drafts = world.draft(incident), world.draft(incident, "merchants")
    with transaction(world.sessions, read_only=True) as session:
        general, merchants = (campaigns.get_campaign(session, one) for one in drafts)
        found = audience_count.count_for(session, CLI, general, "segment = business", BOTH)
        assert (found.people, found.sign_ups, found.reachable) == (3, 1, {Channel.SMS: 2, Channel.EMAIL: 2})
        found = audience_count.count_for(session, CLI, general, "segment = business", (Channel.SMS,))
        assert (found.people, found.sign_ups) == (2, 0)
        assert audience_count.count_for(session, CLI, merchants, "all", BOTH).sign_ups == 0
        everybody = audience_count.count_for(session, CLI, general, general.audience, BOTH)
        seen = preview.preview(session, general, settings(tmp_path), now=NOW)
        assert everybody.reachable[Channel.EMAIL] == seen.channels[1].recipients


def test_only_who_may_draft_counts(world: World) -> None:
    """The count is for those who write campaigns."""
    with transaction(world.sessions, read_only=True) as session, pytest.raises(NotAllowed):
        audience_count.count(session, PUBLIC, "all", None, BOTH)
