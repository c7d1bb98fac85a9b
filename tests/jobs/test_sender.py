"""The sender: everybody is told once, in his language, and what became of it is written down."""

from __future__ import annotations

from pathlib import Path

import pytest

from notifiers.base import Accepted, Channel, Failure, Message, NotifierError
from notifiers.fake import FakeNotifier
from statuspage.clock import FrozenClock
from statuspage.db import Sessions
from statuspage.jobs.options import EngineOptions
from tests.outbox import Person, World, send_until, settings

FAST = EngineOptions(poll_seconds=0.02, idle_poll_seconds=0.05, flush_seconds=0.01)


@pytest.fixture
def world(sessions: Sessions) -> World:
    return World(sessions)


def test_everybody_is_told_once(world: World, tmp_path: Path, clock: FrozenClock) -> None:
    """A started campaign reaches every address once by each channel, in the person's language."""
    world.people(*(Person(n, language=("ru", "zh", "en")[n % 3]) for n in range(700)))
    configured = settings(tmp_path)
    campaign = world.start(world.incident(), configured)
    sms, email = FakeNotifier(Channel.SMS), FakeNotifier(Channel.EMAIL)
    send_until(
        world.sessions,
        configured,
        {Channel.SMS: sms, Channel.EMAIL: email},
        clock,
        lambda: world.counted(campaign) == {"accepted": 1400},
        options=FAST,
    )
    assert len({message.to for message in sms.sent}) == len(sms.sent) == 700
    assert len({message.to for message in email.sent}) == len(email.sent) == 700
    assert {message.locale for message in sms.sent} == {"ru", "zh", "en"}
    chinese = next(message for message in sms.sent if message.locale == "zh")
    assert chinese.body == "Demo Telecom：11月22日 10:00起暂时无法缴费，不会停机。"
    assert world.states(campaign) == {"accepted": 1400}
    assert world.campaign(campaign).first_accepted_at is not None
