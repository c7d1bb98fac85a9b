"""The preview says what the expansion then does: whom, whom not and why, in how many segments, at what cost."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from notifiers.base import Channel
from statuspage.config import Settings
from statuspage.db import Sessions, transaction
from statuspage.domain.audience import AudienceFacts, matches, parse, print_audience
from statuspage.domain.consent import SuppressionReason
from statuspage.services import approval, campaigns, preview, suppressions
from statuspage.services.campaigns import Edit
from statuspage.services.preview import Preview
from statuspage.services.quiet_wait import ZoneWait
from statuspage.services.suppressions import Refused
from tests.databases import NOW
from tests.outbox import KEY, Person, World, settings
from tests.services.test_quiet_wait import MORNINGS, NIGHT

PEOPLE = (
    Person(1),
    Person(2, language="zh"),
    Person(3, language="de"),
    Person(4, sms=False),
    Person(5, email=False, sms_state="refused"),
    Person(6, address=1),
    Person(7, segment="pos_m2m", region="far_east"),
    Person(8),
    Person(9, address=10, sms_state="refused"),
    Person(10),
)


@pytest.fixture
def world(sessions: Sessions) -> World:
    made = World(sessions)
    made.people(*PEOPLE)
    made.sign_up(500)
    made.sign_up(501, state="pending")
    made.sign_up(8)
    with transaction(sessions) as session:
        suppressions.add(
            session, [Refused("sms", KEY.hash(Person(8).msisdn), SuppressionReason.OPT_OUT, "fake")], now=NOW
        )
    return made


@pytest.fixture
def configured(tmp_path: Path) -> Settings:
    return settings(tmp_path)


def looked(world: World, configured: Settings, public_id: str) -> Preview:
    with transaction(world.sessions, read_only=True) as session:
        return preview.preview(session, campaigns.get_campaign(session, public_id), configured, now=NOW)


def test_it_counts_people_by_language_and_reason(world: World, configured: Settings) -> None:
    """Recipients by channel and language, everybody left out with the reason, one message to a shared address."""
    found = looked(world, configured, world.draft(world.incident()))
    sms, email = found.channels
    assert sms.by_locale == {"ru": 4, "zh": 1}
    assert sms.left_out == {"no_address": 1, "no_consent": 1, "opted_out": 1}
    assert sms.merged == 2
    assert email.recipients == 8
    assert email.by_locale["zh"] == 1
    assert email.left_out == {"no_address": 1}
    assert email.merged == 3
    assert sms.segments_each == {"ru": 1, "zh": 1, "en": 1}
    assert found.cost == Decimal("0.05") * sms.segments
    assert found.recipients == 13


def test_it_says_whose_sms_would_wait(world: World, configured: Settings) -> None:
    """At night, by the zone of those who may be told; nothing once a second person lets them be woken."""
    public_id = world.draft(world.incident())
    with transaction(world.sessions, read_only=True) as session:
        campaign = campaigns.get_campaign(session, public_id)
        found = preview.preview(session, campaign, configured, now=NIGHT)
    assert found.channels[0].by_zone == {"Asia/Vladivostok": 1, "Europe/Moscow": 4}
    assert found.quiet is not None
    assert found.quiet.zones == (
        ZoneWait("Asia/Vladivostok", 1, MORNINGS[0]),
        ZoneWait("Europe/Moscow", 4, MORNINGS[1]),
    )
    assert (found.quiet.messages, found.quiet.expired) == (5, 0)
    by_day = looked(world, configured, public_id).quiet
    assert by_day is not None
    assert by_day.zones == ()


def test_it_says_when_the_last_sms_would_be_too_late(world: World, configured: Settings) -> None:
    """Where the rate lets fewer segments through than there are while they are worth sending; no rate is no limit."""
    public_id = world.draft(world.incident())
    with transaction(world.sessions) as session:
        campaign = campaigns.get_campaign(session, public_id)
        for rate, seconds, slow in ((1, 2, True), (1, 3600, False), (10_000, 60, False), (0, 2, False)):
            campaign.validity_seconds = seconds
            settings = configured.model_copy(update={"sms_rate": rate})
            found = preview.preview(session, campaign, settings, now=NOW)
            takes, worth = timedelta(seconds=found.channels[0].segments), timedelta(seconds=seconds)
            expected = preview.TooSlow(takes, worth) if slow else None
            assert found.too_slow == expected
            assert preview.too_slow(campaign, found.channels, settings) == expected


def test_the_approver_sees_the_count_of_the_author(world: World, configured: Settings) -> None:
    """What was counted when approval was asked is kept whole, whatever has changed since."""
    public_id = world.draft(world.incident())
    with transaction(world.sessions) as session:
        campaign = campaigns.get_campaign(session, public_id)
        assert preview.counted(campaign) == ()
        found = approval.request_approval(session, world.author, campaign, settings=configured, now=NOW)
    world.people(Person(11))
    assert preview.counted(world.campaign(public_id)) == found.channels


def test_the_expansion_does_what_the_preview_says(world: World, configured: Settings) -> None:
    """The outbox holds exactly the previewed recipients and reasons."""
    incident = world.incident()
    found = looked(world, configured, world.draft(incident))
    public_id = world.start(incident, configured)
    world.expand(public_id, configured)
    rows = world.deliveries(public_id)
    for one in found.channels:
        mine = [row for row in rows if row.channel == one.channel]
        assert sum(row.state == "pending" for row in mine) == one.recipients
        reasons = [str(row.reason) for row in mine if row.state == "suppressed"]
        assert {reason: reasons.count(reason) for reason in reasons} == one.left_out
    assert world.counted(public_id) == world.states(public_id)


def test_the_audience_begins_with_the_incident(world: World, configured: Settings) -> None:
    """The incident's scope and the template's own audience both narrow the draft."""
    public_id = world.draft(world.incident(regions=["far_east"]), "merchants")
    assert world.campaign(public_id).audience == "region = far_east and segment = pos_m2m"
    found = looked(world, configured, public_id)
    assert [one.recipients for one in found.channels] == [1, 1]


def test_an_unknown_value_is_refused(world: World) -> None:
    """A typing error in the audience is refused by name, so that it tells neither nobody nor everybody."""
    public_id = world.draft(world.incident())
    with pytest.raises(Exception, match="prepaid"), transaction(world.sessions) as session:
        campaign = campaigns.get_campaign(session, public_id)
        change = Edit(audience="segment = prepayd")
        campaigns.edit_campaign(session, world.author, campaign, change, version=1, now=NOW)


_VALUES = {
    "segment": ("prepaid", "business", "pos_m2m"),
    "region": ("moscow", "far_east"),
    "language": ("ru", "zh", "de"),
}
_COMPARE = st.sampled_from([f"{field} = {value}" for field, values in _VALUES.items() for value in values])
_EXPRESSION = st.recursive(
    _COMPARE,
    lambda inner: st.one_of(
        inner.map(lambda one: f"not ({one})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda one: f"({one[0]}) {one[1]} ({one[2]})"),
    ),
    max_leaves=5,
)


@given(expression=_EXPRESSION)
@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_sql_agrees_with_the_rule(world: World, configured: Settings, expression: str) -> None:
    """The audience in SQL means what the domain's own reading of it means."""
    node = parse(expression)
    public_id = world.draft(world.incident(), channels=(Channel.EMAIL,))
    with transaction(world.sessions) as session:
        campaign = campaigns.get_campaign(session, public_id)
        campaign.audience, campaign.purpose = print_audience(node), "merchants"
    wanted = {
        person.mail
        for person in PEOPLE
        if person.email and matches(node, AudienceFacts(person.segment, person.region, person.language))
    }
    assert looked(world, configured, public_id).channels[0].recipients == len(wanted)
