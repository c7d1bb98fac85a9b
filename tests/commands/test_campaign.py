"""The command line of campaigns: from the draft to the deliveries, and what it refuses."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from statuspage.clock import FrozenClock
from statuspage.db import transaction
from statuspage.domain.campaign import CampaignState
from statuspage.models import Delivery
from statuspage.services import campaigns, counts
from tests.commands.conftest import Run
from tests.outbox import Person
from tests.outbox import World as Outbox
from tests.services.world import World


def _json(run: Run, *arguments: str) -> Any:
    code, out, err = run(*arguments, "--json")
    assert code == 0, err
    return json.loads(out)


@pytest.fixture
def incident(run: Run, world: World) -> str:
    """A declared outage that concerns ten people of the sample operator."""
    Outbox.beside(world.sessions).people(*(Person(n, language=("ru", "zh", "en")[n % 3]) for n in range(10)))
    return str(_json(run, "incident", "declare", "--template", "billing_outage")["id"])


@pytest.mark.usefixtures("incident")
def test_whole_campaign_by_command_line(run: Run, world: World, incident: str) -> None:
    """Draft, preview, request, start, pause, resume, cancel; each answer is the campaign as it stands."""
    drafted = _json(run, "campaign", "draft", incident, "--template", "outage", "--channel", "sms")
    public_id = drafted["id"]
    assert drafted["state"] == "draft"
    shown = _json(run, "campaign", "preview", public_id)
    assert shown["missing"] == []
    assert shown["channels"]["sms"]["recipients"] > 0
    code, out, _ = run("campaign", "preview", public_id)
    assert code == 0
    assert "segments each" in out
    assert _json(run, "campaign", "request", public_id)["state"] == "approved"
    assert _json(run, "campaign", "start", public_id)["state"] == "running"
    assert run("campaign", "start", public_id)[0] == 1
    assert run("campaign", "pause", public_id, "--reason", "wait")[0] == 0
    assert _json(run, "campaign", "status", public_id)["pause_reason"] == "wait"
    assert run("campaign", "resume", public_id)[0] == 0
    assert run("campaign", "cancel", public_id)[0] == 0
    assert [one["state"] for one in _json(run, "campaign", "list")] == ["cancelled"]
    assert _json(run, "campaign", "deliveries", public_id) == []
    with transaction(world.sessions, read_only=True) as session:
        assert campaigns.get_campaign(session, public_id).state is CampaignState.CANCELLED


def test_the_second_small_campaign_waits_for_a_person(run: Run, world: World, incident: str) -> None:
    """Preview and request say that a second person is needed because of what went without one, and for which sum."""
    Outbox.beside(world.sessions).people(*(Person(n) for n in range(100, 360)))
    drafts = [_json(run, "campaign", "draft", incident, "--template", "outage", "--channel", "sms") for _ in range(2)]
    first, second = (one["id"] for one in drafts)
    told = _json(run, "campaign", "preview", first)["recipients"]
    assert "not needed: the threshold is 500 messages" in run("campaign", "request", first)[1]
    said = f"needed, because together with the {told} messages that were released without one"
    assert said in " ".join(run("campaign", "preview", second)[1].split())
    assert _json(run, "campaign", "preview", second)["second_person"] == {
        "needed": True,
        "always": False,
        "threshold": 500,
        "released_without": told,
    }
    out = run("campaign", "request", second)[1]
    assert f"{said}, for this incident or in the last 24 hours, it is {2 * told}, above 500" in out
    assert _json(run, "campaign", "status", second)["state"] == "awaiting_approval"


def test_the_preview_names_an_earlier_notice(run: Run, world: World, incident: str) -> None:
    """Of a second campaign of the incident it says which one told how many, as text and as JSON."""
    first, again = (_json(run, "campaign", "draft", incident, "--channel", "sms")["id"] for _ in range(2))
    assert _json(run, "campaign", "request", first)["state"] == "approved"
    assert _json(run, "campaign", "start", first)["state"] == "running"
    with transaction(world.sessions) as session:
        moves = counts.Moves()
        moves.add(counts.place(campaigns.get_campaign(session, first).id, "sms", "delivered"), 872)
        moves.write(session)
    earlier = _json(run, "campaign", "preview", again)["earlier"]
    assert [(one["id"], one["messages"]) for one in earlier] == [(first, 872)]
    assert "Already told by outage, " in run("campaign", "preview", again)[1]


def test_an_end_notice_is_warned_of_while_another_incident_lasts(run: Run, clock: FrozenClock, incident: str) -> None:
    """Preview and request of the end notice, as restoring and resolving, name the other incident on standard error."""
    said = "Do not say that everything works, name what does. It is: "
    notice = _json(run, "campaign", "draft", incident, "--channel", "sms")["id"]
    end = _json(run, "campaign", "draft", incident, "--channel", "sms", "--template", "end", "--told-by", notice)["id"]
    assert said not in run("campaign", "preview", end)[2]
    other = _json(run, "incident", "declare", "--template", "top_up_outage")["id"]
    assert f"{said}{other} (" in run("campaign", "preview", end, "--json")[2]
    assert said not in run("campaign", "preview", notice)[2]
    clock.advance(timedelta(minutes=1))
    assert said not in run("incident", "update", incident, "--text", "ru=Чиним.")[2]
    credited = ("--credited-by", "23:00")
    assert f"{said}{other} (" in run("incident", "restored", incident, "--text", "ru=Работает.", *credited)[2]
    clock.advance(timedelta(minutes=1))
    resolved = run("incident", "resolve", incident, "--text", "ru=Всё.", "--override", "Nobody paid during the outage.")
    assert (resolved[0], f"{said}{other} (" in resolved[2]) == (0, True)


def test_the_validity_is_set_and_the_list_says_what_about(run: Run, incident: str) -> None:
    """Minutes, as the status shows them, within what a provider keeps; the list names incident and kind."""
    public_id = _json(run, "campaign", "draft", incident, "--channel", "sms")["id"]
    assert _json(run, "campaign", "edit", public_id, "--validity", "90")["validity_minutes"] == 90
    code, _, err = run("campaign", "edit", public_id, "--validity", "601")
    assert (code, "601 is not within 1 to 600" in err) == (1, True)
    assert _json(run, "campaign", "edit", public_id, "--audience", "all")["validity_minutes"] == 90
    row = next(line for line in run("campaign", "list")[1].splitlines() if line.startswith(public_id))
    assert row.split()[1:3] == [incident, "incident_notice"]


def test_no_pipe_approves(run: Run, incident: str) -> None:
    """Approval asks a person at a terminal; anything else is wrong use (exit 2)."""
    public_id = _json(run, "campaign", "draft", incident, "--channel", "sms")["id"]
    code, _, err = run("campaign", "approve", public_id)
    assert code == 2
    assert "terminal" in err


def test_a_refusal_names_what_is_wrong(run: Run, incident: str) -> None:
    """An unknown campaign, an audience with a typing error and a missing field end with 1 and say so."""
    public_id = _json(run, "campaign", "draft", incident, "--channel", "sms")["id"]
    for arguments, said in (
        (("status", "zzzzzzzzzzzz"), "zzzzzzzzzzzz"),
        (("edit", public_id, "--audience", "segment = prepayd"), "prepaid"),
        (("edit", public_id, "--text", "sms.ru={nobody}"), "nobody"),
    ):
        code, _, err = run("campaign", *arguments)
        assert code == 1
        assert said in err


def test_an_audience_is_counted_before_it_is_drafted(run: Run, incident: str) -> None:
    """People and addresses, as text and as JSON; a mistake, and a component of no incident, end with 1."""
    found = _json(run, "campaign", "count", "segment = prepaid and language in (ru, en)")
    assert found["audience"] == "segment = prepaid and language in (ru, en)"
    assert (found["people"], found["with_address"]) == (7, {"sms": 7, "email": 7})
    assert "sms 10, email 10" in run("campaign", "count", "all")[1]
    assert _json(run, "campaign", "count", "component = top_up", "--incident", incident)["people"] == 10
    assert _json(run, "campaign", "count", "component = calls", "--incident", incident)["people"] == 0
    for wrong, said in (("segment = prepayd", "prepaid"), ("component = top_up", "Name the incident")):
        code, _, err = run("campaign", "count", wrong)
        assert code == 1
        assert said in err


def test_a_draft_begins_with_what_suits_the_incident(run: Run) -> None:
    """An outage of terminals is told to merchants unless somebody says otherwise."""
    incident = str(_json(run, "incident", "declare", "--template", "data_sim_outage")["id"])
    drafted = _json(run, "campaign", "draft", incident)
    assert (drafted["name"], drafted["audience"]) == ("merchants", "segment = pos_m2m")


def test_the_status_says_what_quiet_hours_hold_back(run: Run, world: World, incident: str) -> None:
    """How many SMS wait and until when, as text and as JSON; null when none does."""
    drafted = _json(run, "campaign", "draft", incident, "--channel", "sms")
    public_id = drafted["id"]
    assert drafted["drafted_by"] == "cli"
    _json(run, "campaign", "request", public_id)
    _json(run, "campaign", "start", public_id)
    assert _json(run, "campaign", "status", public_id)["quiet_hours"] is None
    with transaction(world.sessions) as session:
        row = campaigns.get_campaign(session, public_id).id
        said = {"campaign_id": row, "channel": "sms", "contact_id": 1, "locale": "ru", "state": "pending"}
        morning = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
        for n in range(3):
            session.add(Delivery(**said, address_hash=f"h{n}", time_zone="Europe/Moscow", not_before=morning))
    held = _json(run, "campaign", "status", public_id)["quiet_hours"]
    assert (held["waiting"], held["first"]) == (3, "2026-11-23T05:00:00+00:00")
    assert "3 SMS wait for them to end: 2026-11-23 08:00 MSK" in run("campaign", "status", public_id)[1]
