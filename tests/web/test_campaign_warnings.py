"""What a campaign's pages say before anybody is told: what must not be said, and what still waits for whom."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

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
