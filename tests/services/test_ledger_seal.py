"""The ledger of what was promised stands in the audit's chain."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from statuspage.db import transaction
from statuspage.models import GracePolicy
from statuspage.services import audit, grace, grace_policies, ledger_seal
from statuspage.services.actor import Actor
from tests.databases import NOW
from tests.services.world import World

END = datetime(2026, 11, 25, 21, tzinfo=UTC)


def _promised(world: World, session: Session) -> tuple[Actor, GracePolicy]:
    engineer = world.actor(session, "engineer")
    (policy,) = grace_policies.policies_of(session, world.declare(session, engineer))
    return engineer, policy


def _behind_the_triggers(session: Session) -> None:
    names = ("update", "delete", "replace") if session.get_bind().dialect.name == "sqlite" else ("change",)
    for name in names:
        on = "" if len(names) > 1 else " ON grace_ledger"
        session.execute(text(f"DROP TRIGGER grace_ledger_no_{name}{on}"))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE grace_ledger SET new_until = old_until WHERE revision = 2",
        "UPDATE grace_ledger SET actor = 'somebody' WHERE revision = 2",
        "DELETE FROM grace_ledger WHERE revision = 2",
        "INSERT INTO grace_ledger (policy_id, revision, at, actor, cause, state, new_until) "
        "SELECT policy_id, 3, at, actor, cause, state, new_until FROM grace_ledger WHERE revision = 2",
    ],
)
def test_a_changed_ledger_is_found_by_the_audit(world: World, statement: str) -> None:
    """A row changed, taken away or put in behind the triggers' back: the chain holds and names the row all the same."""
    with transaction(world.sessions) as session:
        engineer, policy = _promised(world, session)
        grace.extend(session, engineer, policy, END + timedelta(days=1), now=NOW + timedelta(microseconds=123_457))
        place = policy.public_id
    with transaction(world.sessions) as session:
        count, broken = audit.verify(session)
        assert broken is None
        _behind_the_triggers(session)
        session.execute(text(statement))
    with transaction(world.sessions, read_only=True) as session:
        found = audit.verify(session)[1]
        assert audit.verify(session)[0] == count
    assert found is not None
    inserted = statement.startswith("INSERT")
    assert found.ledger == (place, 3 if inserted else 2)
    assert (found.entry_id is None) == inserted


def test_entries_of_before_the_digests_hold(world: World) -> None:
    """A ledger that was written without digests is not called changed."""
    with transaction(world.sessions) as session, pytest.MonkeyPatch.context() as before:
        before.setattr(ledger_seal, "SEAL", "unused")
        _promised(world, session)
    with transaction(world.sessions, read_only=True) as session:
        assert audit.verify(session)[1] is None
