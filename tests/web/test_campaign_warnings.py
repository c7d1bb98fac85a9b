"""What a campaign's pages say before anybody is told: what must not be said, and what still waits for whom."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from html import unescape

import pytest
from sqlalchemy import select

from notifiers.base import Channel
from statuspage.clock import FrozenClock
from statuspage.db import Sessions, transaction
from statuspage.domain.incident import CauseCategory
from statuspage.i18n import gettext
from statuspage.models import Incident
from statuspage.services import campaigns
from statuspage.services.actor import CLI
from tests.web.site import Browser, declare

pytestmark = pytest.mark.usefixtures("operator", "told_people")
LogIn = Callable[[str], Browser]


def _drafted(sessions: Sessions, incident: str, key: str, now: datetime, told_by: str | None = None) -> str:
    with transaction(sessions) as session:
        about = session.scalars(select(Incident).where(Incident.public_id == incident)).one()
        earlier = None if told_by is None else campaigns.get_campaign(session, told_by)
        template = campaigns.get_message_template(session, key)
        return campaigns.draft_campaign(
            session, CLI, about, template, channels=[Channel.SMS], told_by=earlier, now=now
        ).public_id


def test_an_end_notice_is_warned_of_where_it_is_released(
    engineer: Browser, sessions: Sessions, clock: FrozenClock
) -> None:
    """While another incident holds the same services, preview and page name it before the button; no other campaign
    of the incident is warned of."""
    incident = declare(engineer)
    notice = _drafted(sessions, incident, "outage", clock.now())
    end = f"/console/campaigns/{_drafted(sessions, incident, 'end', clock.now(), notice)}"
    warning = gettext("en", "console.tell.still_broken")
    for address in (end, f"{end}/preview"):
        assert warning not in engineer.get(address).text
    other = declare(engineer, "top_up_outage")
    for address, mark in ((end, '<div class="actions">'), (f"{end}/preview", "</main>")):
        page = engineer.get(address).text
        before = page[: page.index(mark)]
        assert warning in before, address
        assert f'href="/console/incidents/{other}"' in before
    for address in (f"/console/campaigns/{notice}", f"/console/campaigns/{notice}/preview"):
        assert warning not in engineer.get(address).text


def test_what_waits_for_legal_is_not_offered_for_release(
    engineer: Browser, sessions: Sessions, clock: FrozenClock
) -> None:
    """The preview says for whom it waits and has no button; a release from a page of before is refused, said once, and
    the form of the campaign still holds what is stored."""
    address = f"/console/campaigns/{_drafted(sessions, declare(engineer), 'outage', clock.now())}"
    release = f'action="{address}/request-approval"'
    assert release in engineer.get(f"{address}/preview").text
    before = engineer.page
    with transaction(sessions) as session:
        session.scalars(select(Incident)).one().cause = CauseCategory.SECURITY
    waits = gettext("en", "console.refusal.campaign_words_not_approved")
    page = engineer.get(f"{address}/preview").text
    assert (release in page, page.count(waits)) == (False, 1)
    engineer.page = before
    refused = engineer.post(f"{address}/request-approval")
    assert (refused.status_code, refused.text.count(waits)) == (403, 1)
    assert engineer.filled(f"{address}/edit")["channels"] == ["sms"]


def test_lists_mark_what_waits_for_legal(log_in: LogIn, sessions: Sessions, clock: FrozenClock) -> None:
    """In the lists of campaigns and incidents and in the room, until it is agreed to; other incidents are not marked.
    Legal reads the words as people would, with the values in them, of each channel of the draft."""
    engineer, legal = log_in("engineer"), log_in("legal")
    incident = declare(engineer)
    address = f"/console/campaigns/{_drafted(sessions, incident, 'outage', clock.now())}"
    declare(engineer, "top_up_outage")
    lists = ("/console/campaigns", "/console/incidents", f"/console/incidents/{incident}")
    mark = gettext("en", "console.campaign.for_legal")
    assert [engineer.get(page).text.count(mark) for page in lists] == [0, 0, 0]
    with transaction(sessions) as session:
        about = session.scalars(select(Incident).where(Incident.public_id == incident)).one()
        about.cause = CauseCategory.SECURITY
    assert [engineer.get(page).text.count(mark) for page in lists] == [1, 1, 1]
    page = legal.get(address).text
    samples = page[page.index('id="samples"') : page.index("</section>", page.index('id="samples"'))]
    assert "{operator}" in page.replace(samples, "")
    assert "{" not in samples
    assert gettext("en", "console.campaign.field_mail") in page[: page.index(samples)]
    agree = f"{address}/words-approval"
    assert legal.post(agree, legal.filled(agree)).status_code == 303
    room = f"/console/incidents/{incident}/words-approval"
    legal.get(f"/console/incidents/{incident}")
    assert legal.post(room, legal.filled(room)).status_code == 303
    assert [engineer.get(page).text.count(mark) for page in lists] == [0, 0, 0]


def test_whoever_asks_learns_whether_somebody_else_is_needed(
    engineer: Browser, log_in: LogIn, sessions: Sessions, clock: FrozenClock
) -> None:
    """After asking, the page says which of both it is: with so many to tell, or where more may be told by one alone."""
    incident = declare(engineer)
    for browser, outcome in ((log_in("manager"), "awaiting_approval"), (engineer, "approved")):
        address = f"/console/campaigns/{_drafted(sessions, incident, 'outage', clock.now())}"
        browser.get(f"{address}/preview")
        said = unescape(browser.post(f"{address}/request-approval", follow=True).text)
        assert gettext("en", f"console.campaign.done_{outcome}") in said
