"""`statuspage incident`: what it warns of, and what it changes beside the words."""

from __future__ import annotations

import json
from datetime import timedelta

from statuspage.clock import FrozenClock
from tests.commands.conftest import Run


def declared(run: Run, *options: str) -> str:
    code, out, err = run("incident", "declare", "--template", "billing_outage", *options, "--json")
    assert code == 0, err
    return str(json.loads(out)["id"])


def test_a_late_promise_is_warned_of_and_kept(run: Run, clock: FrozenClock) -> None:
    """A next update later than the clock profile asks goes out; standard error says by when it counts as late."""
    public_id = declared(run)
    clock.advance(timedelta(minutes=1))
    code, out, err = run("incident", "update", public_id, "--text", "ru=Ищем.", "--next-update", "23:50", "--json")
    assert code == 0
    assert "the clock profile asks for one by" in err
    said = json.loads(out)
    assert said["next_update_due_at"] == said["next_update_asked_at"] < said["next_update_at"]
    assert run("incident", "update", public_id, "--text", "ru=Чиним.", "--next-update", "10:40")[2] == ""
