"""What a campaign's people get is shown as they get it, and who has to agree is said as it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select

from statuspage.db import Sessions, transaction
from statuspage.models import Campaign, Installation
from tests.web.site import MANY, Browser, Build, declare

pytestmark = pytest.mark.usefixtures("told_people")
LogIn = Callable[[str], Browser]


def _draft(browser: Browser) -> str:
    public_id = declare(browser)
    browser.get(f"/console/campaigns/new?incident={public_id}")
    form = {**browser.filled("/console/campaigns/new"), "template": "outage", "channels": ["sms", "email"]}
    answer = browser.post("/console/campaigns/new", form)
    assert answer.status_code == 303, answer.text
    return answer.location


@pytest.mark.parametrize("asked", [False, True])
def test_a_mail_is_shown_in_both_parts_and_never_as_its_source(engineer: Browser, *, asked: bool) -> None:
    """In the preview of a draft and on the page of what goes out, in each language: SMS with segments, subject, text
    part without marks, HTML part in a frame that may do nothing."""
    address = _draft(engineer)
    engineer.get(f"{address}/preview")
    if asked:
        assert engineer.post(f"{address}/request-approval").status_code == 303
    shown = engineer.get(address if asked else f"{address}/preview").text
    samples = shown[shown.index('class="tongues"'): shown.index("</section>", shown.index('class="tongues"'))]
    assert "**" not in samples
    assert "No line is suspended for non-payment until" in samples
    assert "/unsubscribe/…" in samples
    for tongue in ("ru", "zh", "en"):
        assert '<iframe class="letter" sandbox title=' in samples
        assert f"{address}/letter/{tongue}" in samples
        part = engineer.get(f"{address}/letter/{tongue}")
        assert (part.status_code, part.headers["X-Frame-Options"]) == (200, "SAMEORIGIN")
        assert "sandbox" in part.headers["Content-Security-Policy"]
        assert "<strong>" in part.text
        assert "unsubscribe_url" not in part.text
    assert engineer.get(f"{address}/letter/de").status_code == 404


def test_where_every_campaign_needs_two_people_no_number_is_named(build: Build, person: Callable[..., str]) -> None:
    """With the setting that asks for a second person always, the preview says that and not "above 500"."""
    browser = Browser(build(approval_always=True).test_client())
    browser.log_in(person("engineer"))
    page = browser.get(f"{_draft(browser)}/preview").text
    assert "every campaign, however small, needs the approval of a second person" in page
    assert "Above 500 messages" not in page
    assert "Ask for approval:" in page


def test_a_rate_too_slow_for_the_time_is_said_before_and_after_asking(
    build: Build, person: Callable[..., str], sessions: Sessions
) -> None:
    """On the preview and on the page where one approves: how long it takes, and what it is worth sending for."""
    browser = Browser(build(sms_rate=1).test_client())
    browser.log_in(person("engineer"))
    address = _draft(browser)
    assert "would be left unsent" not in browser.get(f"{address}/preview").text
    with transaction(sessions) as session:
        session.scalars(select(Campaign)).one().validity_seconds = 2
    assert "the last ones would be left unsent" in browser.get(f"{address}/preview").text
    assert browser.post(f"{address}/request-approval").status_code == 303
    assert "would be left unsent" in browser.get(address).text


def test_the_console_says_how_many_were_counted_and_how_many_it_would_be_now(
    log_in: LogIn, sessions: Sessions
) -> None:
    """After a newer file the page of an approved campaign says that its people are not in it, the preview both figures,
    and asking again makes it wait for the approver anew."""
    engineer, approver = log_in("engineer"), log_in("approver")
    address = _draft(engineer)
    engineer.get(f"{address}/preview")
    engineer.post(f"{address}/request-approval")
    approver.get(address)
    assert approver.post(f"{address}/approve", approver.filled(f"{address}/approve")).status_code == 303
    assert "newer subscriber file" not in engineer.get(address).text
    with transaction(sessions) as session:
        session.get_one(Installation, 1).generation += 1
    assert "newer subscriber file" in engineer.get(address).text
    preview = engineer.get(f"{address}/preview").text
    assert f"<b>{2 * MANY}</b>messages, as counted for the approval" in preview
    assert "messages, if it were asked for now" in preview
    assert engineer.post(f"{address}/request-approval").status_code == 303
    assert "waits for approval" in engineer.get(address).text


def test_the_list_names_each_value_for_a_narrow_screen(engineer: Browser) -> None:
    """On a phone, where a row is a block, every value stands with its name."""
    _draft(engineer)
    page = engineer.get("/console/campaigns").text
    assert 'role="table"' in page
    assert '="State">' in page


def test_only_a_second_person_lets_sms_out_at_night(log_in: LogIn) -> None:
    """The author sees that SMS wait; who may approve decides, by name, and then approves what the page shows anew."""
    engineer, approver = log_in("engineer"), log_in("approver")
    address = _draft(engineer)
    engineer.get(f"{address}/preview")
    engineer.post(f"{address}/request-approval")
    page = engineer.get(address).text
    assert "SMS wait from 22:00 to 08:00" in page
    assert "override-quiet" not in page
    assert engineer.post(f"{address}/override-quiet").status_code == 403
    approver.get(address)
    before = approver.filled(f"{address}/approve")
    assert approver.post(f"{address}/override-quiet").status_code == 303
    page = approver.get(address).text
    assert "Not kept:" in page
    after = approver.filled(f"{address}/approve")
    assert approver.post(f"{address}/approve", before).status_code == 422
    approver.get(address)
    assert approver.post(f"{address}/approve", {**after, "once": "c" * 24}).status_code == 303
