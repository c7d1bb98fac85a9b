from __future__ import annotations

import csv
import email
import email.policy
import io
import json
import re
from datetime import timedelta
from html import unescape
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import feedparser
import pytest

from notifiers.base import Channel, Message
from notifiers.envelope import Envelopes
from notifiers.verp import Verp
from statuspage import i18n
from statuspage.clock import FrozenClock, SystemClock
from statuspage.db import transaction
from statuspage.domain import message
from statuspage.domain.errors import RuleError
from statuspage.domain.incident import IncidentState
from statuspage.publish import letter, report
from statuspage.publish.feeds import spelled_for_rss
from statuspage.publish.publisher import current_site
from statuspage.publish.site import Site
from statuspage.services import incidents, lifecycle
from statuspage.services.actor import CLI
from statuspage.services.operator_facts import OperatorFacts
from statuspage.services.updates import NewUpdate
from tests.system.hostile import IN_TITLES_A_SPACE, INERT, REFUSED
from tests.system.page import Page, plain
from tests.system.place import Place
from tests.system.stories import declare

LOCALES = ("ru", "zh", "en")
NOW = SystemClock().now()
ACTIVE = {"iframe", "object", "embed", "base", "form", "img", "svg", "link"}


def said(name: str) -> dict[str, str]:
    return {locale: f"{locale} {INERT[name]}" for locale in LOCALES}


def told_everything(place: Place) -> Site:
    """One incident for each hostile text: in its title, in the first update, and in another one."""
    for step, name in enumerate(INERT):
        now = NOW + timedelta(seconds=step)
        public_id = declare_quietly(place, name, step)
        with transaction(place.sessions) as session:
            found = incidents.get_incident(session, public_id)
            new = NewUpdate(IncidentState.IDENTIFIED, said(name), "ru")
            lifecycle.add_update(session, CLI, found, new, OperatorFacts.of(place.settings), now=now)
    return current_site(place.sessions, place.settings, FrozenClock(NOW + timedelta(minutes=1)))


def declare_quietly(place: Place, name: str, step: int) -> str:
    return declare(place, said(name), said(name), NOW + timedelta(seconds=step), publish=False)


def test_hostile_words_are_inert_wherever_they_are_read(place: Place) -> None:
    """Markup, templates, formulas and separators are shown as they were typed, and run nowhere."""
    calm = current_site(place.sessions, place.settings, FrozenClock(NOW))
    site = told_everything(place)
    for path, artifact in site.artifacts.items():
        text = artifact.body.decode()
        assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]", text), path
        if artifact.content_type.startswith("text/html"):
            check_page(text, calm.artifacts["/en/"].body.decode())
        elif "xml" in artifact.content_type:
            ElementTree.fromstring(artifact.body)  # noqa: S314 -- our own bytes
        elif "json" in artifact.content_type:
            json.loads(artifact.body)
    check_shown(site)
    check_feeds(site)


def check_page(text: str, calm: str) -> None:
    page, before = Page(text), Page(calm)
    assert page.dangers() == []
    for tag in ("script", "style"):
        assert page.tags.count(tag) == before.tags.count(tag), tag
    assert not {"iframe", "object", "embed", "base"} & set(page.tags)


def check_shown(site: Site) -> None:
    """Word for word on the page of each incident and in the JSON: nothing was evaluated, filled or cut."""
    told = {one.title["en"].body: one for one in site.view.incidents}
    for name in INERT:
        title = plain(said(name)["en"])
        incident = told[title]
        assert title in plain(Page(site.artifacts[f"/en/incidents/{incident.id}"].body.decode()).shown), name
    summary = json.loads(site.artifacts["/en/api/v2/incidents.json"].body)
    assert {one["name"] for one in summary["incidents"]} >= {plain(said(name)["en"]) for name in INERT}


def check_feeds(site: Site) -> None:
    """Well-formed for a feed reader, and what it would show runs nothing."""
    wanted = {plain(said(name)["ru"]) for name in INERT}
    for path in ("/history.rss", "/ru/history.atom", "/zh/updates.rss", "/en/updates.atom"):
        feed = feedparser.parse(site.artifacts[path].body)
        assert feed.bozo == 0, (path, feed.get("bozo_exception"))
        assert len(feed.entries) >= len(INERT)
    history = ElementTree.fromstring(site.artifacts["/history.rss"].body)  # noqa: S314 -- our own bytes
    titles = {one.findtext("title") or "" for one in history.iter("item")}
    assert {plain(one) for one in titles} >= {spelled_for_rss(one) for one in wanted}
    assert not [one for one in titles if Page(unescape(one)).tags]
    for described in history.iter("description"):
        assert Page(described.text or "").dangers() == []
        assert not (ACTIVE | {"script", "style"}) & set(Page(described.text or "").tags)
    document = json.loads(site.artifacts["/feed.json"].body)
    assert {one["title"] for one in document["items"]} >= wanted
    assert not any(Page(one["content_html"]).dangers() for one in document["items"])


def test_hostile_words_are_inert_in_the_report(sqlite_place: Place) -> None:
    """The report's page runs nothing, its CSV begins no formula, its JSON says the very words."""
    place = sqlite_place
    for step, name in enumerate(INERT):
        public_id = declare_quietly(place, name, step)
        with transaction(place.sessions, read_only=True) as session:
            now = NOW + timedelta(minutes=5)
            incident = incidents.get_incident(session, public_id)
            built = report.build(session, CLI, incident, OperatorFacts.of(place.settings), now)
            zone = ZoneInfo("Europe/Moscow")
            pages = [(one, Page(report.html(built, i18n.Moments(one, zone, now), "Demo").decode())) for one in LOCALES]
            rows = list(csv.reader(io.StringIO(report.to_csv(built).decode(), newline="")))
            document = json.loads(report.to_json(built))
        for locale, page in pages:
            assert page.dangers() == []
            assert "script" not in page.tags
            assert plain(said(name)[locale]) in plain(page.shown)
        assert document["title"]["en"] == plain(said(name)["en"])
        assert {len(row) for row in rows} == {2}
        assert not [row for row in rows if row[1].startswith(("=", "+", "@", "\t", "\r")) or row[1][:2] == "-1"]


@pytest.mark.parametrize("name", INERT)
def test_hostile_words_are_inert_in_messages(name: str) -> None:
    """As an incident's title, filled into an SMS, a subject and a mail: one line, no header of its own, no script."""
    title = plain(f"Demo {INERT[name]}")
    sms = message.fill("{operator}: {incident}", {"operator": "Demo", "incident": title}, message.for_sms)
    assert "\n" not in sms
    subject = message.fill("{incident}", {"incident": title}, message.for_header)
    body = message.fill("{incident}, {until}", {"incident": title, "until": "22.11"}, message.for_text)
    assert body == f"{title}, 22.11"
    made = letter.notice("en", subject, body, "Demo")
    assert Page(made.html).dangers() == []
    assert "script" not in Page(made.html).tags
    sent = Envelopes("status@demo.example", "Demo", Verp("k" * 32, "demo.example")).letter(
        Message(
            delivery_id=1,
            attempt=1,
            channel=Channel.EMAIL,
            to="reader@example.com",
            locale="en",
            body=made.text,
            subject=made.subject,
            html=made.html,
            campaign="c" * 12,
            unsubscribe_url="https://demo.example/unsubscribe/x",
        ),
        NOW,
    )
    read = email.message_from_bytes(sent.body.removesuffix(b".\r\n"), policy=email.policy.default)
    assert read["Bcc"] is None
    assert read["Set-Cookie"] is None
    assert read["Subject"] == title
    assert read["To"] == "reader@example.com"


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_reader_could_see_is_refused_by_name(sqlite_place: Place, name: str) -> None:
    """Controls, overrides, half characters and endless texts: the verb names the field and keeps nothing."""
    fine = dict.fromkeys(LOCALES, "All is said.")
    hostile = {**fine, "zh": REFUSED[name]}
    for field, title, body in (("title", hostile, fine), ("body", fine, hostile)):
        if field == "title" and name in IN_TITLES_A_SPACE:
            continue
        with pytest.raises(RuleError) as refused:
            declare(sqlite_place, title, body, publish=False)
        assert refused.value.field == f"{field}.zh"
        assert len(refused.value.message) < 300
    with transaction(sqlite_place.sessions, read_only=True) as session:
        assert incidents.list_incidents(session) == []
