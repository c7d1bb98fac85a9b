"""When dunning last asked about holds."""

from __future__ import annotations

from datetime import timedelta

from statuspage.db import transaction
from statuspage.models import GraceInquiry
from statuspage.services import grace_inquiries
from statuspage.services.actor import CLI
from tests.services.world import World

SECOND = timedelta(seconds=1)


def test_the_newest_question_is_known(world: World) -> None:
    """Nobody asked; one asks; another asks later; the first asks again: always the newest is told."""
    now = world.clock.now()
    with transaction(world.sessions) as session:
        assert grace_inquiries.last(session) is None
        for system, at in (("one", now), ("two", now + 5 * SECOND), (" one ", now + 90 * SECOND)):
            assert grace_inquiries.due(session, system, now=at)
            grace_inquiries.note(session, system, now=at)
            session.expire_all()
            newest = grace_inquiries.last(session)
            assert newest is not None
            assert (newest.asker, newest.at) == (system.strip(), at)


def test_a_flood_of_questions_is_kept_once_a_minute(world: World) -> None:
    """A dunning system that asks about millions writes one row a minute."""
    now = world.clock.now()
    with transaction(world.sessions) as session:
        grace_inquiries.note(session, "one", now=now)
        session.expire_all()
        assert not grace_inquiries.due(session, "one", now=now + 59 * SECOND)
        assert grace_inquiries.due(session, "one", now=now + 60 * SECOND)


def test_what_was_kept_of_the_command_line_is_no_dunning(world: World) -> None:
    """An earlier version kept a person's question from a terminal as if dunning had asked."""
    now = world.clock.now()
    with transaction(world.sessions) as session:
        session.add(GraceInquiry(asker=CLI.name, at=now))
        session.flush()
        assert grace_inquiries.last(session) is None
