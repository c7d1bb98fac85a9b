"""The sender: everybody is told once, in his language, and what became of it is written down."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import ModuleType

import pytest
from sqlalchemy import select, update

from notifiers.base import Accepted, Channel, Failure, Message, NotifierError, Receipt
from notifiers.fake import FakeNotifier
from statuspage.clock import FrozenClock
from statuspage.config import Settings
from statuspage.db import transaction
from statuspage.domain.campaign import CampaignState
from statuspage.domain.consent import SuppressionReason
from statuspage.domain.incident import IncidentState
from statuspage.jobs import rate, turn
from statuspage.jobs.options import EngineOptions
from statuspage.models import Attempt, Delivery, Incident, Suppression
from statuspage.services import campaign_course, campaigns, outbox, receipts, suppressions
from statuspage.services.links import confirmation_name
from statuspage.services.outbox import Recipient
from statuspage.services.suppressions import Refused
from tests.databases import NOW
from tests.outbox import FAST, KEY, Person, World, send_until
from tests.waiting import until


def run(
    world: World,
    configured: Settings,
    clock: FrozenClock,
    done: Callable[[], bool],
    *notifiers: FakeNotifier,
    options: EngineOptions = FAST,
) -> None:
    send_until(world.sessions, configured, {one.channel: one for one in notifiers}, clock, done, options=options)


def test_everybody_is_told_once(world: World, configured: Settings, clock: FrozenClock) -> None:
    """A started campaign reaches every address once by each channel, in the person's language."""
    world.people(*(Person(n, language=("ru", "zh", "en")[n % 3]) for n in range(700)))
    campaign = world.start(world.incident(), configured)
    sms, email = FakeNotifier(Channel.SMS), FakeNotifier(Channel.EMAIL)
    run(world, configured, clock, lambda: world.counted(campaign) == {"accepted": 1400}, sms, email)
    assert len({message.to for message in sms.sent}) == len(sms.sent) == 700
    assert len({message.to for message in email.sent}) == len(email.sent) == 700
    assert {message.locale for message in sms.sent} == {"ru", "zh", "en"}
    chinese = next(message for message in sms.sent if message.locale == "zh")
    assert chinese.body == "Demo Telecom：莫斯科时间11月22日10:00起暂时无法缴费，不会停机。"
    assert world.states(campaign) == {"accepted": 1400}
    assert world.campaign(campaign).first_accepted_at is not None


def test_a_mail_carries_its_own_way_out(world: World, configured: Settings, clock: FrozenClock) -> None:
    """Text and HTML of a mail are one a language; the link to get no more is each recipient's own."""
    world.people(Person(1), Person(2))
    campaign = world.start(world.incident(), configured, channels=(Channel.EMAIL,))
    email = FakeNotifier(Channel.EMAIL)
    run(world, configured, clock, lambda: world.counted(campaign) == {"accepted": 2}, email)
    first, second = email.sent
    assert first.body == second.body
    assert "{unsubscribe_url}" in first.body
    assert first.html is not None
    assert "<strong>Связь не отключим.</strong>" in first.html
    assert first.unsubscribe_url != second.unsubscribe_url


def test_after_a_pause_nothing_new_goes_out(
    world: World, configured: Settings, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was in flight comes to its end, and however often the sender looks again it hands nothing over; after
    resuming, everybody else is told."""
    world.people(*(Person(n) for n in range(300)))
    campaign = world.start(world.incident(), configured, channels=(Channel.SMS,))
    sms = FakeNotifier(Channel.SMS, delay=0.05)
    handed: list[int] = []
    looks = _counted(monkeypatch, turn, "claim")

    def steer() -> None:
        until(lambda: len(sms.sent) >= 20, "the first ones have gone")
        with transaction(world.sessions) as session:
            row = campaigns.get_campaign(session, campaign)
            campaign_course.pause_campaign(session, world.author, row, now=NOW)
        until(lambda: not {"claimed", "sending"} & set(world.states(campaign)), "what was in flight is back")
        handed.append(len(sms.sent))
        looked = len(looks)
        until(lambda: len(looks) >= looked + 5, "the sender looks again")
        handed.append(len(sms.sent))
        with transaction(world.sessions) as session:
            row = campaigns.get_campaign(session, campaign)
            campaign_course.resume_campaign(session, world.author, row, now=NOW)

    person = threading.Thread(target=steer)
    person.start()
    options = replace(FAST, window=20, claim_size=64)
    run(world, configured, clock, lambda: world.counted(campaign) == {"accepted": 300}, sms, options=options)
    person.join()
    assert handed[0] == handed[1] < 300
    assert len({message.to for message in sms.sent}) == 300


def test_an_opt_out_counts_until_the_last_moment(world: World, configured: Settings, clock: FrozenClock) -> None:
    """Whoever said STOP after the audience was walked is not sent to, and the reason is kept."""
    world.people(Person(1), Person(2), Person(3))
    campaign = world.start(world.incident(), configured, channels=(Channel.SMS,))
    world.expand(campaign, configured)
    with transaction(world.sessions) as session:
        stop = Refused("sms", KEY.hash(Person(2).msisdn), SuppressionReason.OPT_OUT, "fake")
        suppressions.add(session, [stop], now=NOW)
        session.execute(update(Delivery).where(Delivery.address == Person(3).msisdn).values(address=None))
    sms = FakeNotifier(Channel.SMS)
    run(world, configured, clock, lambda: "pending" not in world.states(campaign), sms)
    assert world.states(campaign) == {"accepted": 1, "suppressed:opted_out": 1, "suppressed:erased": 1}
    assert world.counted(campaign) == world.states(campaign)


def test_restored_stops_what_is_left(world: World, configured: Settings, clock: FrozenClock) -> None:
    """Nobody is told "down" after the restoration, even by a campaign that nobody has cancelled."""
    world.people(*(Person(n) for n in range(50)))
    incident = world.incident()
    campaign = world.start(incident, configured, channels=(Channel.SMS,))
    world.expand(campaign, configured)
    with transaction(world.sessions) as session:
        session.execute(
            update(Incident).where(Incident.id == incident).values(state=IncidentState.RESTORED_CATCHING_UP)
        )
    sms = FakeNotifier(Channel.SMS)
    run(world, configured, clock, lambda: "pending" not in world.counted(campaign), sms)
    assert sms.sent == []
    assert world.states(campaign) == {"cancelled:incident_over": 50}


def test_quiet_hours_follow_the_person(world: World, configured: Settings, clock: FrozenClock) -> None:
    """At 22:20 in Vladivostok an SMS waits for 8:00 there, while Moscow's goes at once and no mail waits."""
    clock.set(datetime(2026, 11, 22, 12, 20, tzinfo=UTC))
    world.people(Person(1), Person(2, region="far_east"))
    campaign = world.start(world.incident(), configured, now=clock.now())
    run(
        world,
        configured,
        clock,
        lambda: world.counted(campaign) == {"accepted": 3, "pending": 1},
        FakeNotifier(Channel.SMS),
        FakeNotifier(Channel.EMAIL),
    )
    waiting = next(one for one in world.deliveries(campaign) if one.state == "pending")
    assert waiting.not_before == datetime(2026, 11, 22, 22, 0, tzinfo=UTC)
    clock.set(waiting.not_before)
    run(world, configured, clock, lambda: world.counted(campaign) == {"accepted": 4}, FakeNotifier(Channel.SMS))


def test_nobody_gets_more_than_the_cap(world: World, configured: Settings, clock: FrozenClock) -> None:
    """Over all incidents a person gets so many notices by SMS in 24 hours and then no more, with the reason kept."""
    world.people(Person(1), Person(2))
    sms = FakeNotifier(Channel.SMS)
    options = replace(FAST, sms_cap=2)
    for expected in ({"accepted": 2}, {"accepted": 2}, {"suppressed:capped": 2}):
        campaign = world.start(world.incident(), configured, channels=(Channel.SMS,), now=clock.now())
        run(world, configured, clock, lambda: world.counted(campaign) == expected, sms, options=options)  # noqa: B023
        clock.advance(timedelta(hours=1))
    clock.advance(timedelta(hours=24))
    campaign = world.start(world.incident(), configured, channels=(Channel.SMS,), now=clock.now())
    run(world, configured, clock, lambda: world.counted(campaign) == {"accepted": 2}, sms, options=options)


def test_a_temporary_failure_is_tried_again(world: World, configured: Settings, clock: FrozenClock) -> None:
    """A refusal that may pass waits as the table says and is then sent; each attempt is kept."""
    world.people(Person(1))
    campaign = world.start(world.incident(), configured, channels=(Channel.SMS,))

    def busy_once(message: Message) -> Accepted | NotifierError:
        if message.attempt == 1:
            return NotifierError(Failure.TEMPORARY, code="30001")
        return Accepted("taken", "fake")

    sms = FakeNotifier(Channel.SMS, script=busy_once)
    run(world, configured, clock, lambda: world.deliveries(campaign)[:1] != [] and _attempts(world) == ["retry"], sms)
    waiting = world.deliveries(campaign)[0]
    assert waiting.state == "pending"
    assert waiting.not_before >= NOW + timedelta(minutes=1)
    clock.advance(timedelta(minutes=2))
    run(world, configured, clock, lambda: world.counted(campaign) == {"accepted": 1}, sms)
    assert [message.attempt for message in sms.sent] == [2]


def test_a_dead_number_is_not_used_again(world: World, configured: Settings, clock: FrozenClock) -> None:
    """A number the provider calls invalid fails with that reason and is suppressed; an opt-out there is one here."""
    world.people(Person(1), Person(2))
    campaign = world.start(world.incident(), configured, channels=(Channel.SMS,))

    def refuse(message: Message) -> Accepted | NotifierError:
        reason = Failure.INVALID_ADDRESS if message.to == Person(1).msisdn else Failure.OPTED_OUT
        return NotifierError(reason, permanent=True, code="21610")

    sms = FakeNotifier(Channel.SMS, script=refuse)
    run(world, configured, clock, lambda: len(world.counted(campaign)) == 2, sms)
    assert world.states(campaign) == {"failed:invalid_address": 1, "failed:opted_out": 1}
    with transaction(world.sessions, read_only=True) as session:
        kept = dict(session.execute(select(Suppression.address_hash, Suppression.reason)).all())
    assert kept == {KEY.hash(Person(1).msisdn): "invalid", KEY.hash(Person(2).msisdn): "opt_out"}


def test_bad_credentials_pause_the_campaign(world: World, configured: Settings, clock: FrozenClock) -> None:
    """What would fail for everybody pauses the campaign with its reason; nobody loses an attempt by it."""
    world.people(*(Person(n) for n in range(40)))
    campaign = world.start(world.incident(), configured, channels=(Channel.SMS,))
    error = NotifierError(Failure.UNAUTHORISED, permanent=True, code="20003", pause_campaign=True)
    sms = FakeNotifier(Channel.SMS, script=lambda _: error)
    run(world, configured, clock, lambda: world.campaign(campaign).state is CampaignState.PAUSED, sms)
    assert world.campaign(campaign).pause_reason == "unauthorised"
    assert {(one.state, one.attempt) for one in world.deliveries(campaign)} == {("pending", 0)}
    with transaction(world.sessions) as session:
        row = campaigns.get_campaign(session, campaign)
        campaign_course.resume_campaign(session, world.author, row, now=NOW)
    run(world, configured, clock, lambda: world.counted(campaign) == {"accepted": 40}, FakeNotifier(Channel.SMS))


def test_most_failing_pauses_the_campaign(world: World, configured: Settings, clock: FrozenClock) -> None:
    """When more than half of the last 200 fail for good, the rest is not tried."""
    world.people(*(Person(n) for n in range(600)))
    campaign = world.start(world.incident(), configured, channels=(Channel.SMS,))
    error = NotifierError(Failure.NOT_ROUTABLE, permanent=True)
    sms = FakeNotifier(Channel.SMS, script=lambda _: error)
    options = replace(FAST, window=50, claim_size=100)
    run(
        world,
        configured,
        clock,
        lambda: world.campaign(campaign).state is CampaignState.PAUSED,
        sms,
        options=options,
    )
    assert world.campaign(campaign).pause_reason == "too_many_failed"
    assert world.counted(campaign)["failed:not_routable"] < 400


def test_an_unknown_one_is_asked_about(world: World, configured: Settings, clock: FrozenClock) -> None:
    """An SMS that nobody answered for stays unknown until the provider, asked, knows it."""
    world.people(Person(1), Person(2))
    campaign = world.start(world.incident(), configured, channels=(Channel.SMS,))
    sms = FakeNotifier(Channel.SMS, script=lambda _: NotifierError(Failure.NO_ANSWER, sent="unknown"))
    run(world, configured, clock, lambda: world.counted(campaign) == {"unknown": 2}, sms)
    known = world.deliveries(campaign)[0]
    sms.receipts = [Receipt("fake", "SM1", known.id, 1, "sent", "sent", NOW)]
    clock.advance(timedelta(minutes=2))

    def applied() -> bool:
        with transaction(world.sessions) as session:
            receipts.apply_receipts(session, now=clock.now())
        return world.counted(campaign) == {"sent": 1, "unknown": 1}

    run(world, configured, clock, applied, sms)
    found = {one.id: one.provider_id for one in world.deliveries(campaign)}
    assert found[known.id] == "SM1"
    clock.advance(timedelta(days=2))
    run(world, configured, clock, applied, sms)
    assert len(sms.sent) == 2


def test_an_unknown_mail_goes_again_by_policy(world: World, configured: Settings, clock: FrozenClock) -> None:
    """A mail of unknown fate is sent again after a while, as the same delivery, and counted as resent."""
    world.people(Person(1))
    campaign = world.start(world.incident(), configured, channels=(Channel.EMAIL,))

    def lost_once(message: Message) -> Accepted | NotifierError:
        lost = message.attempt == 1
        return NotifierError(Failure.NO_ANSWER, sent="unknown") if lost else Accepted("id", "fake", None, "sent")

    email = FakeNotifier(Channel.EMAIL, script=lost_once)
    run(world, configured, clock, lambda: world.counted(campaign) == {"unknown": 1}, email)
    clock.advance(timedelta(minutes=2))
    run(world, configured, clock, lambda: world.counted(campaign) == {"sent": 1}, email)
    assert len({message.delivery_id for message in email.sent}) == 1
    assert _attempts(world) == ["resent"]


def test_a_receipt_before_the_answer_is_kept(world: World, configured: Settings, clock: FrozenClock) -> None:
    """A delivery that a callback has already called delivered stays so when the provider's answer is written down."""
    world.people(Person(1))
    campaign = world.start(world.incident(), configured, channels=(Channel.SMS,))

    def early(message: Message) -> Accepted | NotifierError:
        news = Receipt("fake", "SM1", message.delivery_id, message.attempt, "delivered", "delivered", NOW)
        with transaction(world.sessions) as session:
            receipts.store_receipts(session, [news], NOW)
            receipts.apply_receipts(session, now=NOW)
        return Accepted("SM1", "fake", 2)

    sms = FakeNotifier(Channel.SMS, script=early)
    run(world, configured, clock, lambda: world.counted(campaign) == {"delivered": 1}, sms)
    assert world.states(campaign) == {"delivered": 1}


def test_the_pace_is_kept(
    world: World, configured: Settings, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Senders together hand over no more segments than the rate allows: a second's worth, then only as time passes."""
    world.people(*(Person(n, language="en") for n in range(30)))
    campaign = world.start(world.incident(), configured, channels=(Channel.SMS,))
    sms = FakeNotifier(Channel.SMS)
    options = replace(FAST, sms_rate=10)
    allowed = _counted(monkeypatch, rate, "allow")
    for expected in (10, 20):
        allowed.clear()
        run(world, configured, clock, lambda: allowed.count(0) >= 3, sms, options=options)
        assert len(sms.sent) == expected
        clock.advance(timedelta(seconds=1))
    assert world.counted(campaign)["accepted"] == 20


def test_a_confirmation_goes_first_and_to_its_own_link(world: World, configured: Settings, clock: FrozenClock) -> None:
    """The mail that confirms a sign-up carries its own link, goes even to who opted out, and is not doubled."""
    wording = {"subject": {"ru": "Подтвердите"}, "mail": {"ru": "Откройте {link}"}}
    name = confirmation_name("abc", NOW)
    recipient = Recipient(7, "new@example.test", KEY.hash("new@example.test"), "ru", "Europe/Moscow", name)
    with transaction(world.sessions) as session:
        stop = Refused("email", recipient.address_hash, SuppressionReason.OPT_OUT, "link")
        suppressions.add(session, [stop], now=NOW)
        assert outbox.enqueue_confirmation(session, recipient, wording, "ru", now=NOW)
        assert not outbox.enqueue_confirmation(session, recipient, wording, "ru", now=NOW)
    email = FakeNotifier(Channel.EMAIL)
    run(world, configured, clock, lambda: len(email.sent) == 1, email)
    assert f"https://status.demo.example/confirm/{name}" in email.sent[0].body
    assert email.sent[0].unsubscribe_url is None


def _counted(monkeypatch: pytest.MonkeyPatch, owner: ModuleType, name: str) -> list[object]:
    """What a function of the engine returns from now on, call by call."""
    whole, results = getattr(owner, name), list[object]()

    def counted(*given: object, **named: object) -> object:
        results.append(whole(*given, **named))
        return results[-1]

    monkeypatch.setattr(owner, name, counted)
    return results


def _attempts(world: World) -> list[str]:
    with transaction(world.sessions, read_only=True) as session:
        return list(session.scalars(select(Attempt.outcome).order_by(Attempt.id)))
