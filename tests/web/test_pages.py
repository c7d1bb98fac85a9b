"""Every page of the console, for every role, in every language."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select

from statuspage.db import Sessions, transaction
from statuspage.domain.roles import ROLES
from statuspage.models import Campaign, GracePolicy, IncidentUpdate
from tests.web.site import Browser, declare

pytestmark = pytest.mark.usefixtures("told_people")
KINDS = ("update", "restore", "resolve", "reopen", "postmortem")


def _addresses(engineer: Browser, sessions: Sessions) -> list[str]:
    """One address of every page that is read, with an incident, a campaign and a promise behind them."""
    room = f"/console/incidents/{declare(engineer)}"
    engineer.get(f"/console/campaigns/new?incident={room.rpartition('/')[2]}")
    form = engineer.filled("/console/campaigns/new")
    engineer.post("/console/campaigns/new", {**form, "template": "outage", "channels": ["sms", "email"]})
    with transaction(sessions, read_only=True) as session:
        campaign = f"/console/campaigns/{session.scalars(select(Campaign.public_id)).one()}"
        policy = session.scalars(select(GracePolicy.public_id).where(GracePolicy.incident_id.is_not(None))).one()
        update = session.scalars(select(IncidentUpdate.public_id)).one()
    return [
        "/console/incidents",
        "/console/incidents/new/billing_outage",
        "/console/incidents/new/blank",
        room,
        f"{room}/facts",
        f"{room}/words/title",
        f"{room}/words/{update}",
        *(f"{room}/tell/{kind}" for kind in KINDS),
        f"/console/grace/{policy}",
        f"{room}/report",
        "/console/routes",
        "/console/campaigns",
        f"/console/campaigns/new?incident={room.rpartition('/')[2]}",
        campaign,
        f"{campaign}/preview",
        f"{campaign}/progress",
        f"{campaign}/deliveries",
        "/console/people",
        "/console/people/imports",
        "/console/users",
        "/console/audit",
        "/console/audit?entity=campaign&id=x&before=10",
        "/console/audit/check",
        "/console/password",
    ]


def test_every_page_answers_every_role(log_in: Callable[[str], Browser], sessions: Sessions) -> None:
    """A page is shown or refused by permission, and no page asks for a word, a name or a value that is not there."""
    addresses = _addresses(log_in("engineer"), sessions)
    seen: dict[str, set[int]] = {address: set() for address in addresses}
    for role in sorted(set(ROLES) - {"engineer"}):
        browser = log_in(role)
        for address in addresses:
            seen[address].add(browser.get(address).status_code)
    assert {address: codes for address, codes in seen.items() if not codes <= {200, 403}} == {}
    assert [address for address, codes in seen.items() if 200 not in codes] == []


@pytest.mark.parametrize("locale", ["ru", "zh", "en"])
def test_every_page_is_in_every_language(log_in: Callable[[str], Browser], sessions: Sessions, locale: str) -> None:
    """A manager walks through the console in each language."""
    addresses = _addresses(log_in("engineer"), sessions)
    manager = log_in("manager")
    manager.get("/console/incidents")
    manager.post("/console/language", {"locale": locale})
    answers = {address: manager.get(address) for address in addresses}
    assert {address for address, answer in answers.items() if answer.status_code != 200} == {"/console/users"}
    tag = "zh-Hans" if locale == "zh" else locale
    pages = [answer.text for address, answer in answers.items() if not address.endswith(("progress", "imports"))]
    assert all(f'<html lang="{tag}">' in page for page in pages)
