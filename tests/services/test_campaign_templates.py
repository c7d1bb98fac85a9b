"""What a campaign begins with suits its incident: the template and the people."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from statuspage.db import transaction
from statuspage.domain.errors import NotFound
from statuspage.domain.incident import IncidentState
from statuspage.models import Campaign, Incident, MessageTemplate
from statuspage.services import campaign_templates, campaigns
from tests.databases import NOW
from tests.outbox import World


@pytest.fixture
def world(sessions: object) -> World:
    """Templates as the sample operator has them: subscribers without machines, merchants with them."""
    made = World(sessions)  # type: ignore[arg-type]
    with transaction(made.sessions) as session:
        for template in session.scalars(select(MessageTemplate)):
            template.audience = {"outage": "not segment = pos_m2m", "merchants": "segment = pos_m2m"}.get(
                template.key, ""
            )
    return made


def offered(world: World, incident: int) -> list[str]:
    with transaction(world.sessions, read_only=True) as session:
        row = session.get_one(Incident, incident)
        return [one.key for one in campaign_templates.fitting(session, row, campaign_templates.told(session, row))]


def begins_with(world: World, incident: int, key: str | None = None) -> tuple[str, str, str | None]:
    """Template, audience, and the template of the campaign it follows."""
    with transaction(world.sessions, read_only=True) as session:
        row = session.get_one(Incident, incident)
        template = None if key is None else campaigns.get_message_template(session, key)
        chosen, told_by = campaign_templates.suiting(session, row, template, None)
        audience = campaign_templates.audience(session, row, chosen)
        return chosen.key, audience, None if told_by is None else told_by.purpose


def started(world: World, incident: int, key: str) -> None:
    public_id = world.draft(incident, key)
    with transaction(world.sessions) as session:
        campaigns.get_campaign(session, public_id).started_at = NOW


def test_an_outage_of_terminals_is_told_to_merchants(world: World) -> None:
    """Where only machines are concerned, their owners are whom one writes to, and nobody is narrowed out twice."""
    incident = world.incident(segments=["pos_m2m"])
    assert offered(world, incident) == ["merchants", "outage", "end", "merchants_end"]
    assert begins_with(world, incident) == ("merchants", "segment = pos_m2m", None)


@pytest.mark.parametrize(
    ("segments", "regions", "audience"),
    [
        ([], [], "not segment = pos_m2m"),
        (["prepaid"], [], "segment = prepaid"),
        (["prepaid", "pos_m2m"], [], "segment in (prepaid, pos_m2m) and not segment = pos_m2m"),
        (["business"], ["moscow"], "segment = business and region = moscow"),
    ],
)  # fmt: skip
def test_an_outage_of_all_is_told_to_subscribers(
    world: World, segments: list[str], regions: list[str], audience: str
) -> None:
    """The general notice comes first, to whom the incident concerns; the template narrows it where it spares some."""
    incident = world.incident(segments=segments, regions=regions)
    assert begins_with(world, incident) == ("outage", audience, None)


def test_the_end_follows_what_was_told(world: World) -> None:
    """Once it works again the end comes first: that of the newest notice, and of no other."""
    incident = world.incident()
    for key in ("outage", "merchants"):
        started(world, incident, key)
    assert offered(world, incident)[:2] == ["outage", "merchants"]
    with transaction(world.sessions) as session:
        session.get_one(Incident, incident).state = IncidentState.RESTORED_CATCHING_UP
    assert offered(world, incident) == ["merchants_end", "end", "outage", "merchants"]
    assert begins_with(world, incident)[0::2] == ("merchants_end", "merchants")
    assert begins_with(world, incident, "end")[0::2] == ("end", "outage")


def test_a_named_campaign_is_followed_by_its_own_end(world: World) -> None:
    """Whoever names the campaign to follow gets the words that tell its end."""
    incident = world.incident()
    started(world, incident, "outage")
    started(world, incident, "merchants")
    with transaction(world.sessions, read_only=True) as session:
        row, first = (
            session.get_one(Incident, incident),
            session.scalars(select(Campaign).order_by(Campaign.id)).first(),
        )
        chosen, told_by = campaign_templates.suiting(session, row, None, first)
        assert (chosen.key, told_by) == ("end", first)


def test_no_template_is_said(world: World) -> None:
    """An operator without templates is told so, not shown a broken page."""
    incident = world.incident()
    with transaction(world.sessions) as session:
        for template in session.scalars(select(MessageTemplate)):
            session.delete(template)
    with pytest.raises(NotFound, match="there is none"):
        begins_with(world, incident)
