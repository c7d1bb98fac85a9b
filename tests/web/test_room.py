"""The incident room: what it shows of promises, clocks, people and other channels."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import inspect, select

from statuspage.clock import FrozenClock
from statuspage.config import Settings
from statuspage.db import Sessions, transaction
from statuspage.domain.campaign import CampaignKind
from statuspage.domain.delivery import DeliveryState
from statuspage.domain.incident import CauseCategory, IncidentState
from statuspage.i18n import gettext
from statuspage.models import AuditEntry, Campaign, Delivery, GracePolicy, Incident, LocalizedText
from statuspage.publish.publisher import current_site
from statuspage.services.counts import Moves, place
from tests.web.site import MANY, Browser, declare

pytestmark = pytest.mark.usefixtures("operator")
LogIn = Callable[[str], Browser]
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def typed(moment: datetime) -> str:
    """As a form's field holds it, in the operator's zone."""
    return f"{moment.astimezone(ZoneInfo('Europe/Moscow')):%Y-%m-%dT%H:%M}"


def test_a_promise_later_than_the_cadence_is_published_and_warned_of(engineer: Browser, clock: FrozenClock) -> None:
    """The form warns and does not block; the room shows both times; the list is late from the earlier one."""
    room = f"/console/incidents/{declare(engineer)}"
    clock.advance(MINUTE)
    form = engineer.get(f"{room}/tell/update").text
    assert "The clock profile asks for it by" in form
    fields = {
        **engineer.filled(f"{room}/tell/update"),
        "body.ru": "Ищем.",
        "next_update_at": typed(clock.now() + 5 * HOUR),
    }
    assert engineer.post(f"{room}/tell/update", fields).status_code == 303
    page = engineer.get(room).text
    assert "but the clock profile asks for one by" in page
    assert "As the clock profile asks. The page promises it later" in page
    assert "but the clock profile asks" not in engineer.get(room).text
    late = f"– {gettext('en', 'console.clock.late')}"
    assert late not in engineer.get("/console/incidents").text
    clock.advance(HOUR + MINUTE)
    assert late in engineer.get("/console/incidents").text


def test_a_promise_within_the_cadence_is_not_warned_of(engineer: Browser, clock: FrozenClock) -> None:
    """Sooner than asked is a promise too: the room counts to it and says what the profile would grant."""
    room = f"/console/incidents/{declare(engineer)}"
    engineer.get(f"{room}/tell/update")
    fields = {
        **engineer.filled(f"{room}/tell/update"),
        "body.ru": "Ищем.",
        "next_update_at": typed(clock.now() + HOUR / 2),
    }
    engineer.post(f"{room}/tell/update", fields)
    page = engineer.get(room).text
    assert "but the clock profile asks" not in page
    assert "As the page promises. The clock profile asks for it by" in page


def test_declaring_with_a_late_promise_is_warned_of(engineer: Browser, clock: FrozenClock) -> None:
    """The declaration is out, and whoever wrote it learns of the earlier time at once."""
    public_id = declare(engineer, next_update_at=typed(clock.now() + 5 * HOUR))
    assert "but the clock profile asks for one by" in engineer.get(f"/console/incidents/{public_id}").text


def test_a_cause_that_is_learned_later_is_said_in_the_update(engineer: Browser, sessions: Sessions) -> None:
    """Chosen in the form of an update it closes the words in their languages, is kept, and stands in the audit."""
    room = f"/console/incidents/{declare(engineer)}"
    address = f"{room}/tell/update"
    engineer.get(address)
    assert '<option value="" selected>unchanged: not known yet</option>' in engineer.page
    fields = {**engineer.filled(address), "body.ru": "Нашли.", "body.en": "Found.", "cause": "network"}
    assert engineer.post(address, {**fields, "state": "identified"}).status_code == 303
    with transaction(sessions, read_only=True) as session:
        assert session.scalars(select(Incident.cause)).one() is CauseCategory.NETWORK
        bodies = select(LocalizedText.body).where(LocalizedText.entity == "incident_update")
        said = set(session.scalars(bodies))
        detail = session.scalars(select(AuditEntry.detail).where(AuditEntry.action == "incident.updated")).one()
    assert {"Нашли.\n\nПричина: неисправность сети.", "Found.\n\nCause: a network fault."} <= said
    assert (detail["cause_was"], detail["cause"]) == ("unknown", "network")
    assert gettext("en", "console.room.cause_unsaid") not in engineer.get(room).text


@pytest.mark.parametrize("kind", ["update", "resolve", "postmortem", "reopen"])
def test_every_later_word_may_bring_the_cause(engineer: Browser, kind: str) -> None:
    """It is often known only at the end: the forms that follow the restoration offer it too."""
    room = f"/console/incidents/{declare(engineer)}"
    assert 'name="cause"' in engineer.get(f"{room}/tell/{kind}").text


def test_found_but_not_said_is_warned_of(engineer: Browser) -> None:
    """Identified with an unknown cause goes out, and whoever wrote it is told what is missing, until it is said."""
    room = f"/console/incidents/{declare(engineer)}"
    said = gettext("en", "console.room.cause_unsaid")
    address = f"{room}/tell/update"
    engineer.get(address)
    engineer.post(address, {**engineer.filled(address), "body.ru": "Нашли.", "state": "identified"})
    assert engineer.get(room).text.count(said) == 2
    assert engineer.get(room).text.count(said) == 1


@pytest.mark.usefixtures("told_people")
def test_what_one_released_alone_is_shown_until_a_second_has_looked(log_in: LogIn) -> None:
    """List and room name who, how many of how many and why; only a second person is offered the look, and ends it."""
    engineer, approver = log_in("engineer"), log_in("approver")
    public_id = declare(engineer)
    room = f"/console/incidents/{public_id}"
    engineer.get(f"/console/campaigns/new?incident={public_id}")
    form = engineer.filled("/console/campaigns/new")
    campaign = engineer.post("/console/campaigns/new", {**form, "channels": "sms"}).location
    engineer.get(f"{campaign}/preview")
    assert engineer.post(f"{campaign}/break-glass", {"reason": "Nobody answers <b>at all</b>."}).status_code == 303
    look, unreviewed = gettext("en", "console.room.review_alone"), gettext("en", "console.room.alone_unreviewed")
    for address in ("/console/incidents", room):
        page = engineer.get(address).text
        assert f"{MANY} of at most 1\u202f000 messages. Why: “Nobody answers &lt;b&gt;at all&lt;/b&gt;.”" in page
        assert unreviewed in page
        assert look not in page
    assert look in approver.get(room).text
    answer = approver.post(f"{room}/released-alone/{campaign.rpartition('/')[2]}")
    assert answer.status_code == 303
    assert unreviewed not in engineer.get(room).text
    assert "A second person has looked at it since: " in engineer.page
    assert unreviewed not in engineer.get("/console/incidents").text


def test_a_review_reads_in_the_room_as_it_does_on_the_page(engineer: Browser) -> None:
    """Headings and lists of an update are rendered below the room's own headings, never printed as # and *."""
    room = f"/console/incidents/{declare(engineer)}"
    address = f"{room}/tell/update"
    engineer.get(address)
    said = "# What happened\n\nA disk **failed**.\n\n- swapped\n- checked <i>twice</i>"
    assert engineer.post(address, {**engineer.filled(address), "body.ru": said, "body.en": said}).status_code == 303
    page = engineer.get(room).text
    assert "<h3>What happened</h3>" in page
    assert "<strong>failed</strong>" in page
    assert "<li>checked &lt;i&gt;twice&lt;/i&gt;</li>" in page
    assert "# What happened" not in page


def test_the_room_leads_to_the_texts_of_the_other_channels(
    engineer: Browser, sessions: Sessions, settings: Settings, clock: FrozenClock
) -> None:
    """Voice menu, USSD, SMS and shop, each in each language, and each of them is published; a draft has none."""
    links = re.compile(r'href="(/text/[^"]+)"')
    draft = declare(engineer, publication="draft")
    assert links.findall(engineer.get(f"/console/incidents/{draft}").text) == []
    found = links.findall(engineer.get(f"/console/incidents/{declare(engineer)}").text)
    assert len(found) == 4 * 3
    assert set(found) == {path for path in current_site(sessions, settings, clock).artifacts if "/text/" in path}


def test_ways_to_pay_are_shown_while_it_is_open(engineer: Browser, sessions: Sessions) -> None:
    """Once it is over nobody checks ways any more, and "unknown" would raise an alarm about nothing."""
    address = f"/console/incidents/{declare(engineer)}"
    ways = [f"<h3>{gettext('en', 'console.room.ways')}", gettext("en", "console.room.uncovered", n=20)]
    room = engineer.get(address).text
    assert all(words in room for words in ways)
    with transaction(sessions) as session:
        session.scalars(select(Incident)).one().state = IncidentState.RESOLVED
    room = engineer.get(address).text
    assert not any(words in room for words in ways)


def test_restoring_one_of_two_names_the_other(engineer: Browser) -> None:
    """On the form, so that nobody says that everything works."""
    first, second = declare(engineer), declare(engineer)
    form = engineer.get(f"/console/incidents/{second}/tell/restore").text
    assert gettext("en", "console.tell.still_broken") in form
    assert f'href="/console/incidents/{first}"' in form


def test_the_menu_folds_without_a_script(engineer: Browser) -> None:
    """A button of the header shows what its menu holds: sections, language, account, log-out."""
    page = engineer.get("/console/incidents").text
    header = page[page.index("<header") : page.index("</header>")]
    button, menu = header.split(' id="menu" popover>')
    assert 'popovertarget="menu"' in button
    assert all(one in menu for one in ("<nav", 'name="locale"', "/console/logout", "/console/password"))


def test_the_same_promise_is_said_once(engineer: Browser, sessions: Sessions) -> None:
    """Two policies of an incident that end in the same moment are one sentence, each with its own dunning."""
    public_id = declare(engineer)
    said = re.compile(r'<p class="promise">')
    assert len(said.findall(engineer.get(f"/console/incidents/{public_id}").text)) == 1
    with transaction(sessions) as session:
        first = session.scalars(select(GracePolicy).where(GracePolicy.incident_id.is_not(None))).one()
        mapper = inspect(GracePolicy)
        values = {one.key: getattr(first, one.key) for one in mapper.column_attrs}
        del values["id"], values["public_id"]
        session.add(GracePolicy(**values))
    page = engineer.get(f"/console/incidents/{public_id}").text
    assert len(said.findall(page)) == 1
    assert page.count('<ul class="dunning">') == 2
    with transaction(sessions) as session:
        newest = session.scalars(select(GracePolicy).order_by(GracePolicy.id.desc())).first()
        assert newest is not None
        assert newest.published_until is not None
        newest.published_until += HOUR
    assert len(said.findall(engineer.get(f"/console/incidents/{public_id}").text)) == 2


def test_words_about_security_go_from_the_form_to_legal_and_back(log_in: LogIn, sessions: Sessions) -> None:
    """Refused, the form keeps what was typed and hands it over; legal agrees in the room; the form has it again."""
    engineer, legal = log_in("engineer"), log_in("legal")
    room = f"/console/incidents/{declare(engineer)}"
    address = f"{room}/tell/update"
    assert 'name="keep"' not in engineer.get(address).text
    typed_words = "Подозреваем мошенничество."
    said = {**engineer.filled(address), "body.ru": typed_words, "cause": "security", "state": "identified"}
    refused = engineer.post(address, said)
    assert (refused.status_code, typed_words in refused.text, 'name="keep"' in refused.text) == (403, True, True)
    assert 'value="security" selected' in refused.text
    assert gettext("en", "console.refusal.incident_words_not_approved") in refused.text
    assert engineer.post(address, {**said, "keep": "1"}).status_code == 303
    agree = gettext("en", "console.room.approve_words")
    assert typed_words in engineer.get(room).text
    assert agree not in engineer.page
    assert agree in legal.get(room).text
    approval = f"{room}/words-approval"
    assert legal.post(approval, {**legal.filled(approval), "read": "other words"}).status_code == 422
    assert legal.post(approval, legal.filled(approval)).status_code == 303
    assert agree not in legal.get(room).text
    again = re.search(r'href="([^"]+tell/update\?state=identified)"', engineer.get(room).text)
    assert again is not None
    assert typed_words in engineer.get(again[1]).text
    assert engineer.post(address, engineer.filled()).status_code == 303
    with transaction(sessions, read_only=True) as session:
        incident = session.scalars(select(Incident)).one()
        assert (incident.cause, incident.state) == (CauseCategory.SECURITY, IncidentState.IDENTIFIED)
    assert gettext("en", "console.room.words_agreed") not in engineer.get(room).text


def test_an_end_notice_that_is_not_sent_stands_before_the_review(
    engineer: Browser, sessions: Sessions, clock: FrozenClock
) -> None:
    """After resolving, the room leads to the draft first; once it is sent, or nobody is owed it, only to the review."""
    public_id = declare(engineer)
    room = f"/console/incidents/{public_id}"
    engineer.get(f"/console/campaigns/new?incident={public_id}")
    form = {**engineer.filled("/console/campaigns/new"), "channels": "sms"}
    assert engineer.post("/console/campaigns/new", form).status_code == 303
    with transaction(sessions) as session:
        notice = session.scalars(select(Campaign)).one()
        notice.started_at = clock.now()
        session.add(_delivered(notice, clock.now()))
        moves = Moves()
        moves.add(place(notice.id, "sms", "delivered"))
        moves.write(session)
    for kind, said in (("restore", {}), ("resolve", {"override": "Nobody paid during the outage."})):
        clock.advance(MINUTE)
        address = f"{room}/tell/{kind}"
        engineer.get(address)
        assert engineer.post(address, {**engineer.filled(address), **said}).status_code == 303
    with transaction(sessions) as session:
        end = session.scalars(select(Campaign).where(Campaign.kind == CampaignKind.END_NOTICE)).one()
        link = f'class="button first" href="/console/campaigns/{end.public_id}"'
    review = gettext("en", "console.room.postmortem_who")
    page = engineer.get(room).text
    assert (link in page, review in page) == (True, False)
    with transaction(sessions) as session:
        session.scalars(select(Campaign).where(Campaign.kind == CampaignKind.END_NOTICE)).one().started_at = clock.now()
    page = engineer.get(room).text
    assert (link in page, review in page) == (False, True)


def _delivered(campaign: Campaign, at: datetime) -> Delivery:
    return Delivery(
        campaign_id=campaign.id,
        channel="sms",
        address="+79161000000",
        address_hash="0" * 40,
        contact_id=1,
        locale="ru",
        time_zone="Europe/Moscow",
        state=DeliveryState.DELIVERED,
        attempt=1,
        not_before=at,
    )
