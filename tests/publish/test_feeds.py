from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from html import unescape

import feedparser
import pytest

from statuspage.i18n import KNOWN_LOCALES
from statuspage.publish import feeds
from statuspage.publish.reader import Reader
from tests.publish import views


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
@pytest.mark.parametrize("kind", ["rss", "atom"])
@pytest.mark.parametrize("unit", ["history", "updates"])
def test_a_feed_is_well_formed_to_a_second_parser(kind: str, unit: str, locale: str) -> None:
    """feedparser finds no fault, the right number of items, and the page as the feed's link."""
    reader = Reader(views.OUTAGE, locale)
    items = feeds.history(reader) if unit == "history" else feeds.updates(reader)
    write = feeds.rss if kind == "rss" else feeds.atom
    parsed = feedparser.parse(write(reader, items, f"/{unit}.{kind}"))
    assert not parsed.bozo
    assert len(parsed.entries) == (2 if unit == "history" else 4)
    assert parsed.feed.link == f"https://status.example.com/{locale}/"
    assert len({entry.id for entry in parsed.entries}) == len(parsed.entries)


def test_a_later_rendering_of_the_same_news_has_the_same_bytes() -> None:
    """Dates are those of real changes, so that an ETag holds until something happens."""
    later = replace(views.OUTAGE, as_of=views.NOON + timedelta(hours=1), revision=8)
    for write, name in ((feeds.rss, "history.rss"), (feeds.atom, "history.atom"), (feeds.json_feed, "feed.json")):
        one, other = Reader(views.OUTAGE, "en"), Reader(later, "en")
        assert write(one, feeds.history(one), name) == write(other, feeds.history(other), name)


def test_an_update_keeps_an_incidents_identity() -> None:
    """The same incident keeps its guid through every update, while each update has its own."""
    before = replace(views.INCIDENT, updates=views.UPDATES[1:])
    old, new = Reader(replace(views.OUTAGE, incidents=(before,)), "en"), Reader(views.OUTAGE, "en")
    assert feeds.history(old)[0].id == feeds.history(new)[0].id
    assert {item.id for item in feeds.updates(old)} < {item.id for item in feeds.updates(new)}


def test_no_item_is_dated_in_the_future() -> None:
    """A promised time never becomes an item's date, which readers would take for an outage."""
    reader = Reader(views.OUTAGE, "en")
    assert all(item.updated <= views.NOON for item in [*feeds.history(reader), *feeds.updates(reader)])


def test_the_json_feed_tells_machines_the_end_of_the_promise() -> None:
    """`_incident` carries state, next update and the exclusive end of grace in UTC."""
    reader = Reader(views.OUTAGE, "en")
    document = json.loads(feeds.json_feed(reader, feeds.history(reader), "/feed.json"))
    assert document["version"] == "https://jsonfeed.org/version/1.1"
    incident = document["items"][0]["_incident"]
    assert incident["grace_until"] == "2026-11-25T21:00:00Z"
    assert incident["next_update_at"] == "2026-11-22T13:00:00Z"
    assert incident["state"] == "identified"
    assert document["items"][1]["_incident"]["grace_until"] is None


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("<script>alert(1)</script> down", "‹script›alert(1)‹/script› down"),
        ("&lt;img src=x onerror=alert(1)&gt;", "＆lt;img src=x onerror=alert(1)＆gt;"),
        ("&amp;amp;lt;b&ampgt; &#x202e;", "＆amp;amp;lt;b＆ampgt; ＆#x202e;"),
        ("Top-up < 100 & AT&T", "Top-up ‹ 100 & AT&T"),
    ],
)
def test_a_title_reads_as_it_was_written(title: str, shown: str) -> None:
    """Atom and JSON Feed call a title text, so it stands there as it is; in RSS, whose readers decode it as often as
    they like, it is spelled so that none finds a tag."""
    view = replace(views.OUTAGE, incidents=(replace(views.INCIDENT, title=views.words(title, title, title)),))
    view = replace(view, operator=replace(views.OPERATOR, name="<b>Demo</b>"))
    reader = Reader(view, "en")
    for items in (feeds.history(reader), feeds.updates(reader)):
        atom = feedparser.parse(feeds.atom(reader, items, "/x.atom"))
        assert (atom.feed.title, atom.feed.title_detail.type) == ("<b>Demo</b>: Service status", "text/plain")
        assert all(entry.title.endswith(title) and entry.title_detail.type == "text/plain" for entry in atom.entries)
        document = json.loads(feeds.json_feed(reader, items, "/feed.json"))
        assert all(item["title"].endswith(title) for item in document["items"])
        rss = feedparser.parse(feeds.rss(reader, items, "/x.rss"))
        assert all(entry.title.endswith(shown) for entry in rss.entries)
        for one in (rss.feed.title, *(entry.title for entry in rss.entries)):
            assert "<" not in one + unescape(one) + unescape(unescape(one))


def test_a_quiet_operator_has_valid_empty_feeds() -> None:
    """Without any incident the feeds are empty, well formed and dated by the last change of the page."""
    reader = Reader(replace(views.CALM, incidents=()), "ru")
    parsed = feedparser.parse(feeds.atom(reader, [], "/history.atom"))
    assert not parsed.bozo
    assert parsed.feed.updated == "2026-11-22T10:30:00+00:00"
