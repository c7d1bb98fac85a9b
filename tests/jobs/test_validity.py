"""Old news of an outage is worse than none: what is past its campaign's validity is not handed over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from notifiers.base import Accepted, Channel, Failure, Message, NotifierError
from notifiers.fake import FakeNotifier
from statuspage.clock import FrozenClock
from statuspage.config import Settings
from statuspage.db import transaction
from statuspage.domain.campaign import CampaignState
from statuspage.jobs.options import EngineOptions
from statuspage.services import campaign_course, campaigns, outbox
from statuspage.services.links import CONFIRM_FOR, confirmation_name
from statuspage.services.outbox import Recipient
from tests.databases import NOW
from tests.outbox import FAST, KEY, Person, World, send_until

MINUTE = timedelta(minutes=1)


class Desk:
    """A sender with its two notifiers, run until the campaign's counters say `expected`."""

    def __init__(
        self,
        world: World,
        configured: Settings,
        clock: FrozenClock,
        script: Callable[[Message], Accepted | NotifierError] | None = None,
    ) -> None:
        self._world, self._configured, self._clock = world, configured, clock
        self.sms, self.email = FakeNotifier(Channel.SMS, script=script), FakeNotifier(Channel.EMAIL, script=script)

    def run(self, campaign: str, expected: dict[str, int], options: EngineOptions = FAST) -> None:
        given = {Channel.SMS: self.sms, Channel.EMAIL: self.email}

        def done() -> bool:
            return self._world.counted(campaign) == expected

        send_until(self._world.sessions, self._configured, given, self._clock, done, options=options)
        assert self._world.states(campaign) == expected

    @property
    def left(self) -> set[int | None]:
        return {message.valid_for for message in (*self.sms.sent, *self.email.sent)}


def test_old_news_is_left_unsent(world: World, configured: Settings, clock: FrozenClock) -> None:
    """A minute's news that no sender took in time ends as expired, counted, whatever the pace, and the campaign with
    it."""
    world.people(*(Person(n) for n in range(30)))
    campaign = world.start(world.incident(), configured, validity=MINUTE)
    world.expand(campaign, configured)
    clock.advance(timedelta(seconds=77))
    desk = Desk(world, configured, clock)
    desk.run(campaign, {"expired:past_validity": 60}, replace(FAST, sms_rate=1))
    assert desk.left == set()
    assert all(one.final_at == clock.now() and one.attempt == 0 for one in world.deliveries(campaign))
    with transaction(world.sessions) as session:
        assert campaign_course.finish_done(session, now=clock.now()) == [campaign]


def test_the_provider_gets_what_is_left(world: World, configured: Settings, clock: FrozenClock) -> None:
    """Four minutes after the start of ten it may go on trying for six."""
    world.people(Person(1))
    campaign = world.start(world.incident(), configured, validity=10 * MINUTE)
    clock.advance(4 * MINUTE)
    desk = Desk(world, configured, clock)
    desk.run(campaign, {"accepted": 2})
    assert desk.left == {360}


def test_quiet_hours_stop_the_clock_of_an_sms(world: World, configured: Settings, clock: FrozenClock) -> None:
    """Started 20 seconds before they begin, an SMS put off until the morning still has the other 40 of its minute; one
    that nobody takes within those is left unsent, and so was its mail, which wakes nobody."""
    world.people(Person(1, region="far_east"), Person(2, region="far_east"))
    evening, morning = (datetime(2026, 11, 22, hour, 0, tzinfo=UTC) for hour in (12, 22))
    clock.set(evening - timedelta(seconds=20))
    campaign = world.start(world.incident(), configured, now=clock.now(), validity=MINUTE)
    world.expand(campaign, configured, now=clock.now())
    clock.set(evening + MINUTE)
    desk = Desk(world, configured, clock)
    desk.run(campaign, {"pending": 2, "expired:past_validity": 2})
    clock.set(morning + timedelta(seconds=10))

    def one_passes(_: Message) -> Accepted | NotifierError:
        clock.set(morning + timedelta(seconds=40))
        return Accepted("taken", "fake")

    desk = Desk(world, configured, clock, one_passes)
    desk.run(campaign, {"accepted": 1, "expired:past_validity": 3}, replace(FAST, window=1))
    assert desk.left == {30}


def test_a_pause_counts(world: World, configured: Settings, clock: FrozenClock) -> None:
    """What a person held back for longer than it was worth does not go when he lets it on."""
    world.people(Person(1))
    campaign = world.start(world.incident(), configured, validity=10 * MINUTE)
    world.expand(campaign, configured)
    with transaction(world.sessions) as session:
        campaign_course.pause_campaign(session, world.author, campaigns.get_campaign(session, campaign), now=NOW)
    clock.advance(10 * MINUTE)
    with transaction(world.sessions) as session:
        paused = campaigns.get_campaign(session, campaign)
        campaign_course.resume_campaign(session, world.author, paused, now=clock.now())
    Desk(world, configured, clock).run(campaign, {"expired:past_validity": 2})


def test_nothing_is_tried_again_past_its_time(world: World, configured: Settings, clock: FrozenClock) -> None:
    """A retry that the table puts later than that is none, and what failed says why; an answer that it is too old is
    told as such."""
    world.people(Person(1))

    def busy(message: Message) -> NotifierError:
        too_old = message.channel is Channel.EMAIL
        return NotifierError(Failure.EXPIRED if too_old else Failure.TEMPORARY, permanent=too_old)

    campaign = world.start(world.incident(), configured, validity=MINUTE)
    Desk(world, configured, clock, busy).run(campaign, {"failed:temporary": 1, "expired:past_validity": 1})


def test_a_mail_of_unknown_fate_is_not_sent_again_late(world: World, configured: Settings, clock: FrozenClock) -> None:
    """It stays unknown, since it may have arrived, and keeps its campaign from ending only while it may go again."""
    world.people(Person(1))
    campaign = world.start(world.incident(), configured, channels=(Channel.EMAIL,), validity=MINUTE)
    lost = Desk(world, configured, clock, lambda _: NotifierError(Failure.NO_ANSWER, sent="unknown"))
    lost.run(campaign, {"unknown": 1})
    with transaction(world.sessions) as session:
        assert campaign_course.finish_done(session, now=clock.now()) == []
    clock.advance(2 * MINUTE)
    desk = Desk(world, configured, clock)
    given = {Channel.EMAIL: desk.email}
    due = world.deliveries(campaign)[0].not_before

    def asked() -> bool:
        return world.deliveries(campaign)[0].not_before != due

    send_until(world.sessions, configured, given, clock, asked, options=FAST)
    assert desk.email.sent == []
    assert world.states(campaign) == {"unknown": 1}
    with transaction(world.sessions) as session:
        assert campaign_course.finish_done(session, now=clock.now()) == [campaign]
    assert world.campaign(campaign).state is CampaignState.FINISHED


def test_a_confirmation_is_worth_as_long_as_its_link(world: World, configured: Settings, clock: FrozenClock) -> None:
    """Of two sign-ups, only the one whose link still opens is written to, however old the standing campaign is."""
    wording = {"subject": {"ru": "Подтвердите"}, "mail": {"ru": "Откройте {link}"}}
    for n, issued in enumerate((NOW, NOW + CONFIRM_FOR)):
        name = confirmation_name(f"signup{n}", issued)
        mail = f"new{n}@example.test"
        recipient = Recipient(n, mail, KEY.hash(mail), "ru", "Europe/Moscow", name)
        with transaction(world.sessions) as session:
            assert outbox.enqueue_confirmation(session, recipient, wording, "ru", now=issued)
    clock.advance(CONFIRM_FOR + timedelta(hours=1))
    desk = Desk(world, configured, clock)
    desk.run(outbox.CONFIRMATION_ID, {"accepted": 1, "expired:past_validity": 1})
    assert desk.left == {23 * 3600}
