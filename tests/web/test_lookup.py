"""An agent with somebody on the telephone: what the page answers, and in what order."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from statuspage.clock import FrozenClock
from statuspage.config import Settings
from statuspage.db import Sessions, transaction
from statuspage.domain.campaign import CampaignKind, CampaignState
from statuspage.i18n import gettext
from statuspage.models import Campaign, Contact, Delivery, Incident
from statuspage.services import lookups
from statuspage.services.actor import CLI
from statuspage.services.people_import import Source, import_people
from tests.web.site import Browser, declare

LogIn = Callable[[str], Browser]
ICCID = "89701010000000000005"
PEOPLE = f"""account_id,msisdn,email,iccid,contact_msisdn,language,segment,region
A-1,+79161000001,anna@people.example,,,ru,prepaid,moscow
M/7,,shop@people.example,{ICCID},+79162000002,zh,pos_m2m,moscow
"""

pytestmark = pytest.mark.usefixtures("operator")


@pytest.fixture
def agent(log_in: LogIn, sessions: Sessions, settings: Settings, clock: FrozenClock) -> Browser:
    """Somebody of the call centre, and two accounts to be asked about."""
    body = PEOPLE.encode()
    import_people(sessions, CLI, Source(io.BytesIO(body), "people.csv", len(body)), settings, clock)
    browser = log_in("call_centre")
    browser.get("/console/people")
    return browser


def asked(browser: Browser, text: str) -> str:
    return browser.post("/console/people/find", {"address": text}).text


def test_the_answer_stands_first(agent: Browser, log_in: LogIn) -> None:
    """Whether the line is held, until when, because of what, what is not done to it and what is not covered stand
    before anything else that is known of the person."""
    declare(log_in("engineer"))
    page = asked(agent, "8 916 100-00-01")
    order = [
        "Account A-1",
        "Not suspended for non-payment until",
        "no suspension",
        "Not covered",
        "a…@people",
        "Русский</dd>",
    ]
    order += ["What was sent about the open incidents", "nothing was sent about it to this person"]
    places = [page.index(one) for one in order]
    assert places == sorted(places)


def test_without_a_promise_that_is_said_too(agent: Browser) -> None:
    """In peacetime nothing holds the line, and nothing is open."""
    page = asked(agent, "A-1")
    assert "No promise covers this" in page
    assert "No incident is open" in page


def test_a_terminal_leads_to_its_merchant(agent: Browser, log_in: LogIn) -> None:
    """By the number on the card: account, contact and language, masked for the call centre and not for engineers."""
    page = asked(agent, ICCID)
    assert "Account M/7" in page
    assert "a terminal; its contact is told instead" in page
    assert "中文" in page
    assert "+7…0002" in page
    assert "s…@people.example" in page
    assert "+79162000002" not in page
    engineer = log_in("engineer")
    engineer.get("/console/people")
    assert "+79162000002" in asked(engineer, ICCID)


@pytest.mark.parametrize(
    ("state", "reason", "said"), [("delivered", None, "delivered"), ("suppressed", "opted_out", "left out: opted out")]
)
def test_what_was_sent_is_said(
    agent: Browser, log_in: LogIn, sessions: Sessions, clock: FrozenClock, state: str, reason: str | None, said: str
) -> None:
    """Channel, time and what became of it, or why it was not sent; what another person got is not there."""
    declare(log_in("engineer"))
    at = clock.now()
    with transaction(sessions) as session:
        campaign = _running(session.scalars(select(Incident)).one(), at)
        session.add(campaign)
        session.flush()
        for contact in session.scalars(select(Contact)).all():
            one = Delivery(campaign_id=campaign.id, channel="sms", contact_id=contact.id, address=contact.sms)
            one.address_hash, one.locale, one.time_zone = str(contact.sms_hash), contact.language, "UTC"
            one.state, one.reason, one.not_before, one.accepted_at = state, reason, at, at + timedelta(minutes=5)
            session.add(one)
    page = asked(agent, "A-1")
    assert page.count('data-label="Sent"') == 1
    assert f"<span>{said}</span>" in page
    assert "nothing was sent about it" not in page


def test_an_incident_elsewhere_does_not_concern_the_caller(agent: Browser, log_in: LogIn, sessions: Sessions) -> None:
    """Else the agent thinks that a message was missed; whoever has a line in it is still not told of it."""
    declare(log_in("engineer"))
    with transaction(sessions) as session:
        session.scalars(select(Incident)).one().segments = ["pos_m2m"]
    assert "does not concern this person" in asked(agent, "A-1")
    assert "nothing was sent about it to this person" in asked(agent, "M/7")
    with transaction(sessions) as session:
        incident = session.scalars(select(Incident)).one()
        incident.segments, incident.regions = [], ["urals"]
    assert "does not concern this person" in asked(agent, "M/7")


@pytest.mark.parametrize("locale", ["ru", "zh", "en"])
def test_too_many_look_ups_are_refused_in_words(agent: Browser, monkeypatch: pytest.MonkeyPatch, locale: str) -> None:
    """The page says why and that it passes, and shows nobody."""
    monkeypatch.setattr(lookups, "MOST_AN_HOUR", 1)
    agent.post("/console/language", {"locale": locale, "next": "/console/people"})
    agent.get("/console/people")
    asked(agent, "A-1")
    answer = agent.post("/console/people/find", {"address": "A-1"})
    assert answer.status_code == 429
    assert answer.headers["Retry-After"]
    assert gettext(locale, "console.refusal.people_too_many_lookups") in answer.text
    assert "A-1</h2>" not in answer.text


def _running(incident: Incident, at: datetime) -> Campaign:
    campaign = Campaign(incident_id=incident.id, kind=CampaignKind.INCIDENT_NOTICE, purpose="outage", name="outage")
    campaign.state, campaign.priority, campaign.channels, campaign.audience = CampaignState.RUNNING, 20, ["sms"], "all"
    campaign.basis, campaign.validity_seconds, campaign.resend_unknown = "contract", 60, []
    campaign.estimated, campaign.created_at, campaign.updated_at = {}, at, at
    return campaign
