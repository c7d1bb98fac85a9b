"""A campaign through the console: nobody releases what he wrote himself."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from notifiers.base import Channel
from statuspage.clock import FrozenClock
from statuspage.db import Sessions, transaction
from statuspage.domain.campaign import CampaignState
from statuspage.models import Campaign, Delivery, Incident
from statuspage.models.types import new_public_id
from statuspage.services import campaigns
from statuspage.services.actor import CLI
from statuspage.services.counts import Moves, place
from tests.web.site import MANY, Browser, declare

pytestmark = pytest.mark.usefixtures("operator")
LogIn = Callable[[str], Browser]


def _draft(browser: Browser, template: str = "outage") -> str:
    public_id = declare(browser)
    browser.get(f"/console/campaigns/new?incident={public_id}")
    form = browser.filled("/console/campaigns/new")
    answer = browser.post("/console/campaigns/new", {**form, "template": template, "channels": "sms"})
    assert answer.status_code == 303, answer.text
    return answer.location


def _state(sessions: Sessions) -> CampaignState:
    with transaction(sessions, read_only=True) as session:
        state: CampaignState = session.scalars(select(Campaign.state)).one()
        return state


@pytest.mark.usefixtures("told_people")
def test_a_second_person_approves_and_the_first_starts(log_in: LogIn, sessions: Sessions) -> None:
    """Draft, preview with figures and samples, approval by another log-in, start: each offered only to who may."""
    engineer, approver = log_in("engineer"), log_in("approver")
    address = _draft(engineer)
    preview = engineer.get(f"{address}/preview")
    assert f"Ask for approval: {MANY} messages" in preview.text
    assert engineer.post(f"{address}/request-approval").status_code == 303
    assert "Approve:" not in engineer.get(address).text
    page = approver.get(address).text
    assert f"Approve: {MANY} messages" in page
    assert approver.post(f"{address}/approve", approver.filled(f"{address}/approve")).status_code == 303
    assert approver.post(f"{address}/start").status_code == 403
    engineer.get(address)
    assert engineer.post(f"{address}/start").status_code == 303
    assert _state(sessions) is CampaignState.RUNNING
    assert 'hx-trigger="every 2s"' in engineer.get(address).text


@pytest.mark.usefixtures("told_people")
def test_a_second_notice_says_whom_the_first_has_told(log_in: LogIn, sessions: Sessions) -> None:
    """Preview and approval page name the earlier campaign of the incident and its messages."""
    engineer = log_in("engineer")
    _draft(engineer)
    with transaction(sessions) as session:
        first = session.scalars(select(Campaign)).one()
        incident = session.get_one(Incident, first.incident_id).public_id
        first.started_at = first.created_at
        moves = Moves()
        moves.add(place(first.id, "sms", "delivered"), 872)
        moves.write(session)
    engineer.get(f"/console/campaigns/new?incident={incident}")
    form = {**engineer.filled("/console/campaigns/new"), "template": "outage", "channels": "sms"}
    address = engineer.post("/console/campaigns/new", form).location
    for page in (f"{address}/preview", address):
        assert "872 messages" in engineer.get(page).text


@pytest.mark.usefixtures("told_people")
def test_nobody_approves_his_own_work(log_in: LogIn, sessions: Sessions) -> None:
    """A manager may both write and approve, but not approve what he wrote."""
    manager = log_in("manager")
    address = _draft(manager)
    manager.get(f"{address}/preview")
    manager.post(f"{address}/request-approval")
    assert "somebody else has to approve" in manager.get(address).text
    with transaction(sessions, read_only=True) as session:
        seen = session.scalars(select(Campaign.content_hash)).one()
    assert manager.post(f"{address}/approve", {"seen_hash": seen}).status_code == 403
    assert _state(sessions) is CampaignState.AWAITING_APPROVAL


@pytest.mark.usefixtures("told_people")
def test_an_approval_is_bound_to_what_was_seen(log_in: LogIn, sessions: Sessions) -> None:
    """Who approves a page that has been edited meanwhile is told so, and nothing is approved."""
    engineer, approver = log_in("engineer"), log_in("approver")
    address = _draft(engineer)
    engineer.get(f"{address}/preview")
    engineer.post(f"{address}/request-approval")
    approver.get(address)
    seen = approver.filled(f"{address}/approve")
    engineer.get(address)
    edited = engineer.post(
        f"{address}/edit", {**engineer.filled(f"{address}/edit"), "sms.ru": "Иначе.", "channels": "sms"}
    )
    assert edited.status_code == 303, edited.text
    engineer.get(f"{address}/preview")
    engineer.post(f"{address}/request-approval")
    approver.get(address)
    assert approver.post(f"{address}/approve", seen).status_code == 422
    assert _state(sessions) is CampaignState.AWAITING_APPROVAL


@pytest.mark.usefixtures("told_people")
def test_an_edit_on_a_stale_page_is_refused(engineer: Browser) -> None:
    """Two people who edit at once: the second is told, and loses nothing of what he typed."""
    address = _draft(engineer)
    engineer.get(address)
    form = {**engineer.filled(f"{address}/edit"), "channels": "sms"}
    assert engineer.post(f"{address}/edit", {**form, "sms.en": "One."}).status_code == 303
    engineer.get(address)
    late = engineer.post(f"{address}/edit", {**form, "sms.en": "Another <one>.", "once": "b" * 24})
    assert late.status_code == 422
    assert "Another &lt;one&gt;." in late.text


def test_a_campaign_to_nobody_is_refused(engineer: Browser, sessions: Sessions) -> None:
    """Without recipients there is nothing to approve, and the preview says so."""
    address = _draft(engineer)
    assert "nobody" in engineer.get(f"{address}/preview").text
    assert engineer.post(f"{address}/request-approval").status_code == 422
    assert _state(sessions) is CampaignState.DRAFT


@pytest.mark.usefixtures("told_people")
def test_pause_and_cancel_say_how_many_wait(log_in: LogIn, sessions: Sessions) -> None:
    """The buttons of a running campaign name the messages that they touch."""
    engineer, approver = log_in("engineer"), log_in("approver")
    address = _draft(engineer)
    engineer.get(f"{address}/preview")
    engineer.post(f"{address}/request-approval")
    approver.get(address)
    approver.post(f"{address}/approve", approver.filled(f"{address}/approve"))
    engineer.get(address)
    engineer.post(f"{address}/start")
    with transaction(sessions) as session:
        moves = Moves()
        moves.add(place(session.scalars(select(Campaign.id)).one(), "sms", "pending"), 40)
        moves.write(session)
    engineer.get(address)
    assert engineer.post(f"{address}/pause").status_code == 303
    paused = engineer.get(address).text
    assert "Go on: 40 messages wait" in paused
    assert "40 wait until it goes on" in paused
    assert "on the way" not in paused
    assert "What goes out" in paused
    assert engineer.post(f"{address}/resume").status_code == 303
    assert "Cancel the 40 messages that wait" in engineer.get(address).text
    assert engineer.post(f"{address}/cancel").status_code == 303
    assert _state(sessions) is CampaignState.CANCELLED
    assert "What went out" in engineer.get(address).text
    assert engineer.get(f"{address}/progress").status_code == 200
    assert engineer.get(f"{address}/deliveries?channel=sms&state=pending&reason=").status_code == 200
    assert '<p class="lead">The first 100.</p>' in engineer.get(f"{address}/deliveries").text


def test_an_end_notice_needs_the_campaign_it_follows(engineer: Browser) -> None:
    """The form of a new campaign refuses an end notice to nobody in particular."""
    public_id = declare(engineer)
    engineer.get(f"/console/campaigns/new?incident={public_id}")
    answer = engineer.post(
        "/console/campaigns/new", {"incident": public_id, "template": "end", "channels": "sms", "told_by": ""}
    )
    assert answer.status_code == 422


def test_an_unknown_campaign_is_not_found(engineer: Browser) -> None:
    """An address that is no campaign's answers 404, on every page of it, and calls that not a refusal."""
    for page in ("", "/preview", "/progress", "/deliveries"):
        answer = engineer.get(f"/console/campaigns/{new_public_id()}{page}")
        assert answer.status_code == 404
        assert "<h1>Not found</h1>" in answer.text


def test_the_draft_form_offers_first_what_suits_the_incident(engineer: Browser) -> None:
    """An outage of terminals is told to merchants, in the form as on the command line."""
    incident = declare(engineer, "data_sim_outage")
    engineer.get(f"/console/campaigns/new?incident={incident}")
    assert engineer.filled("/console/campaigns/new")["template"] == ["merchants"]


@pytest.mark.usefixtures("told_people")
def test_campaigns_of_one_name_are_told_apart(engineer: Browser, sessions: Sessions, clock: FrozenClock) -> None:
    """The list says channels, audience and when each was drafted; of one by command line it says who that was."""
    _draft(engineer)
    with transaction(sessions) as session:
        incident = session.scalars(select(Incident)).one()
        template = campaigns.get_message_template(session, "merchants")
        drafted = campaigns.draft_campaign(
            session, CLI, incident, template, channels=[Channel.EMAIL], now=clock.advance(timedelta(minutes=3))
        )
        drafted.name = "outage"
        address = f"/console/campaigns/{drafted.public_id}"
        again = campaigns.draft_campaign(session, CLI, incident, template, now=clock.now())
        assert again.name == "merchants"
        assert campaigns.draft_campaign(session, CLI, incident, template, now=clock.now()).name == "merchants 2"
    listed = engineer.get("/console/campaigns").text
    assert "Outage: to merchants with terminals (2)</a>" in listed
    rows = listed.split("<tbody")[1].split("<tr")
    assert "E-mail · <code>segment = pos_m2m</code> · drafted 22.11 10:23 MSK" in rows[3]
    assert "SMS · <code>not segment = pos_m2m</code> · drafted 22.11 10:20 MSK" in rows[4]
    assert "<dd>command line of the server</dd>" in engineer.get(address).text


@pytest.mark.usefixtures("told_people")
def test_the_page_says_what_quiet_hours_hold_back(engineer: Browser, sessions: Sessions, clock: FrozenClock) -> None:
    """How many SMS wait, that quiet hours are the reason, when they go; a page that waits for morning asks seldom."""
    address = _draft(engineer)
    with transaction(sessions) as session:
        campaign = session.scalars(select(Campaign)).one()
        campaign.state, campaign.started_at = CampaignState.RUNNING, clock.now()
        morning = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
        for n in range(2):
            session.add(
                Delivery(
                    campaign_id=campaign.id,
                    channel="sms",
                    contact_id=n,
                    address=None,
                    address_hash=f"hash{n}",
                    locale="ru",
                    time_zone="Europe/Moscow",
                    state="pending",
                    not_before=morning,
                )
            )
        moves = Moves()
        moves.add(place(campaign.id, "sms", "pending"), 2)
        moves.write(session)
    page = engineer.get(address).text
    assert "Quiet hours hold back 2 SMS: they go 23.11 08:00 MSK." in page
    assert 'hx-trigger="every 30s"' in page
    with transaction(sessions) as session:
        first = session.scalars(select(Delivery).order_by(Delivery.id)).first()
        assert first is not None
        first.time_zone, first.not_before = "Asia/Vladivostok", datetime(2026, 11, 22, 22, 0, tzinfo=UTC)
    shown = engineer.get(f"{address}/progress").text
    assert "the first go 23.11 01:00 MSK, the last 23.11 08:00 MSK" in shown
    assert "messages went out" in shown


@pytest.mark.usefixtures("told_people")
def test_the_approver_sees_what_the_author_saw(log_in: LogIn, clock: FrozenClock) -> None:
    """Languages, the left-out with the reason and what quiet hours would hold back stand on both pages alike."""
    clock.set(datetime(2026, 11, 22, 19, 30, tzinfo=UTC))
    engineer, approver = log_in("engineer"), log_in("approver")
    address = _draft(engineer)
    author = engineer.get(f"{address}/preview").text
    held = re.search(r"If it starts now: quiet hours hold back \d+ SMS[^<]+", author)
    assert held is not None
    people = author[author.index('<section aria-labelledby="c-sms"') :].split('<section aria-labelledby="samples"')[0]
    assert "Left out, and why" in people
    engineer.post(f"{address}/request-approval")
    asked = approver.get(address).text
    assert held[0] in asked
    assert people.strip() in asked
    clock.set(datetime(2026, 11, 23, 5, 0, tzinfo=UTC))
    assert "If it starts now: quiet hours hold back no SMS." in log_in("manager").get(address).text
