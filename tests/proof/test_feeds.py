"""Every feed of a running product, read by feedparser, npm rss-parser and npm feedsmith."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from html.parser import HTMLParser
from time import struct_time
from typing import Any

import feedparser
import pytest

from tests.proof.peers import ask
from tests.proof.product import LOCALES, Product

PREFIXES = ("", *(f"/{locale}" for locale in LOCALES))
XML = [f"{prefix}/{unit}.{kind}" for prefix in PREFIXES for unit in ("history", "updates") for kind in ("rss", "atom")]
JSON = [f"{prefix}/feed.json" for prefix in PREFIXES]
ITEMS = {"history": 2, "updates": 4}
TAGS = {"ru": "ru", "zh": "zh-Hans", "en": "en"}


class Paragraphs(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@cache
def read(product_url: str, get: Any) -> dict[str, Any]:
    """By path, what the two npm readers make of it."""
    del product_url
    found: dict[str, Any] = ask("feeds.mjs", {path: get(path) for path in (*XML, *JSON)})
    return found


def language(path: str) -> str:
    return TAGS.get(path.split("/")[1], TAGS["ru"])


def summarised(one: Any, path: str) -> list[tuple[str, str, datetime, str]]:
    """Title, link, time and text of each item that feedsmith found, in one shape for the three formats."""
    feed = one["feedsmith"]["feed"]
    if path.endswith(".json"):
        return [(i["title"], i["url"], moment(i["date_modified"]), i["content_html"]) for i in feed["items"]]
    if path.endswith(".rss"):
        return [(i["title"], i["link"], moment(i["pubDate"]), i["description"]) for i in feed["items"]]
    return [
        (i["title"]["value"], i["links"][0]["href"], moment(i["updated"]), i["content"]["value"])
        for i in feed["entries"]
    ]


def moment(text: str) -> datetime:
    """To the second, which is all that RSS tells."""
    at = parsedate_to_datetime(text) if "," in text else datetime.fromisoformat(text)
    return at.astimezone(UTC).replace(microsecond=0)


def utc(parsed: struct_time) -> datetime:
    return datetime(*parsed[:6], tzinfo=UTC)


@pytest.mark.parametrize("path", XML)
def test_three_readers_find_the_same_items(running: Product, path: str) -> None:
    """feedparser without a complaint, rss-parser and feedsmith: as many items, same titles, links, times and texts."""
    parsed = feedparser.parse(running.get(path).encode())
    assert not parsed.bozo
    one = read(running.base_url, running.get)[path]
    items = summarised(one, path)
    assert len(items) == len(parsed.entries) == ITEMS[path.split("/")[-1].partition(".")[0]]
    for (title, link, at, text), ours, theirs in zip(items, parsed.entries, one["rssParser"]["items"], strict=True):
        assert title == ours.title == theirs["title"]
        assert link == ours.link == theirs["link"]
        assert at == utc(ours.updated_parsed if path.endswith(".atom") else ours.published_parsed)
        # Of Atom's two times rss-parser shows the first publication.
        assert moment(theirs["isoDate"]) == utc(ours.published_parsed)
        assert text == theirs["content"]
        assert link.startswith(f"{running.base_url}/")
    assert len({entry.id for entry in parsed.entries}) == len(items)
    assert [at for _, _, at, _ in items] == sorted((at for _, _, at, _ in items), reverse=True)


@pytest.mark.parametrize("path", XML)
def test_a_feed_names_itself_its_page_and_its_language(running: Product, path: str) -> None:
    """The feed's own address, the page in the same language, and the language itself, as readers see them."""
    parsed = feedparser.parse(running.get(path).encode()).feed
    links = {link["rel"]: link["href"] for link in parsed.links}
    assert links == {
        "self": running.base_url + path,
        "alternate": f"{running.base_url}/{'zh' if language(path) == 'zh-Hans' else language(path)}/",
    }
    assert parsed.language == language(path)
    assert read(running.base_url, running.get)[path]["rssParser"]["link"] == parsed.link == links["alternate"]


@pytest.mark.parametrize("path", JSON)
def test_the_json_feed_says_what_the_others_say(running: Product, path: str) -> None:
    """feedsmith reads JSON Feed 1.1 with the items of the Atom history."""
    one = read(running.base_url, running.get)
    raw = json.loads(running.get(path))
    assert raw["version"] == "https://jsonfeed.org/version/1.1"
    assert one[path]["feedsmith"]["format"] == "json"
    feed = one[path]["feedsmith"]["feed"]
    assert feed["feed_url"] == running.base_url + path
    assert feed["language"] == language(path)
    atom = path.replace("feed.json", "history.atom")
    assert summarised(one[path], path) == summarised(one[atom], atom)


def test_every_item_is_sound_html(running: Product) -> None:
    """What readers put into their own page opens and closes every element, and runs nothing."""
    for path in (*XML, *JSON):
        for _, _, _, text in summarised(read(running.base_url, running.get)[path], path):
            parser = Paragraphs()
            parser.feed(text)
            parser.close()
            assert parser.open == [], path
            assert "<script" not in text
