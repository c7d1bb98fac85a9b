"""`statuspage incident`: what it warns of, and what it changes beside the words."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from statuspage.clock import FrozenClock
from statuspage.db import transaction
from statuspage.models import Incident
from tests.commands.conftest import Run
from tests.databases import fill_disk
from tests.services.world import World


def declared(run: Run, *options: str) -> str:
    code, out, err = run("incident", "declare", "--template", "billing_outage", *options, "--json")
    assert code == 0, err
    return str(json.loads(out)["id"])


@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
def test_a_full_disk_is_named(world: World, run: Run) -> None:
    """What is missing and what to do is said; the same command works once there is room, and declares one incident."""
    engine = world.sessions.kw["bind"]
    room, long = fill_disk(engine), ("--text", f"ru={'слово ' * 1000}")
    code, out, err = run("incident", "declare", "--template", "billing_outage", *long, "--json")
    assert (code, out) == (1, "")
    assert "The disk is full" in err
    assert "STATUSPAGE_DATA_DIR" in err
    room()
    declared(run, *long)
    with transaction(world.sessions, read_only=True) as session:
        assert session.scalar(select(func.count()).select_from(Incident)) == 1


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


def test_the_cause_is_said_when_it_is_known(run: Run, clock: FrozenClock) -> None:
    """--cause changes it and says so in every language of the words; found but not said is warned of."""
    public_id = declared(run)
    clock.advance(timedelta(minutes=1))
    texts = ("--text", "ru=Нашли.", "--text", "en=Found it.")
    warned = run("incident", "update", public_id, "--state", "identified", *texts)
    assert (warned[0], "cause is found" in warned[2]) == (0, True)
    clock.advance(timedelta(minutes=1))
    code, out, err = run("incident", "update", public_id, "--cause", "database", *texts, "--json")
    assert (code, err) == (0, "")
    said = json.loads(out)
    assert said["cause"] == "database"
    assert said["updates"][0]["body"] == {
        "ru": "Нашли.\n\nПричина: сбой базы данных.",
        "en": "Found it.\n\nCause: a database fault.",
    }
    again = run("incident", "update", public_id, "--cause", "database", "--text", "ru=Чиним.", "--json")
    assert json.loads(again[1])["updates"][0]["body"] == {"ru": "Чиним."}


def test_the_texts_of_other_channels_are_printed(run: Run) -> None:
    """All of them as JSON, one by name as text; they tell the outage and its promise."""
    declared(run)
    code, out, _ = run("incident", "texts", "--json")
    rows = json.loads(out)
    assert code == 0
    assert [(row["channel"], row["locale"]) for row in rows] == [
        (channel, locale) for channel in ("sms", "ussd", "ivr", "shop") for locale in ("ru", "zh", "en")
    ]
    code, out, _ = run("incident", "texts", "--channel", "ivr", "--locale", "en")
    assert code == 0
    assert out.startswith("ivr (en)\n")
    assert next(row["text"] for row in rows if (row["channel"], row["locale"]) == ("ivr", "en")) in out
