"""Addresses that people write into an update as they are."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from statuspage.publish import feeds
from statuspage.publish.html import page
from statuspage.publish.prose import prose
from statuspage.publish.reader import Reader
from tests.publish import views


def links(text: str) -> list[tuple[str, str]]:
    """Where each link of the text's HTML leads, and what it shows."""
    return re.findall(r'<a href="([^"]*)" rel="nofollow noopener noreferrer">([^<]*)</a>', prose(text))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("See https://a.example/x_y_z?n=1, then wait.", ["https://a.example/x_y_z?n=1"]),
        ("(https://a.example/x) and https://b.example.", ["https://a.example/x", "https://b.example"]),
        ("- **https://a.example/**;", ["https://a.example/"]),
        ("详见https://a.example/pay，或https://b.example。", ["https://a.example/pay", "https://b.example"]),
        ("| News |\n|---|\n| http://localhost:8080/ru/ |", ["http://localhost:8080/ru/"]),
    ],
)
def test_an_address_becomes_a_link_without_the_sentences_marks(text: str, found: list[str]) -> None:
    """The stop, comma or bracket after it stays outside, and it shows the whole of where it leads."""
    assert links(text) == [(one, one) for one in found]


def test_an_address_in_another_script_keeps_its_letters() -> None:
    """A Cyrillic path is shown as written and followed as encoded."""
    assert links("https://a.example/счёт.") == [
        ("https://a.example/%D1%81%D1%87%D1%91%D1%82", "https://a.example/счёт")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "https://bank.example@evil.example/x",
        "https://bank.example:80@evil.example",
        "https://user:word@evil.example/",
        "https://a.exampleбанк",
        "javascript:alert(1) ftp://a.example //a.example www.a.example",
        "`https://a.example`",
        "```\nhttps://a.example\n```",
        "https:// https://. https://[::1]/",
    ],
)
def test_what_hides_its_host_or_is_no_address_stays_text(text: str) -> None:
    """Also code, and schemes a reader should not follow."""
    assert "<a " not in prose(text)


def test_what_follows_an_address_cannot_leave_it() -> None:
    """Quotes and tags end an address and are escaped."""
    html = prose('https://a.example/"onclick=alert(1) https://b.example/<script>')
    assert '"https://a.example/" rel=' in html
    assert "<script" not in html
    assert '"onclick' not in html.replace('</a>"onclick', "")


def test_a_link_that_somebody_made_stays_as_it_is() -> None:
    """No link stands inside another."""
    assert links("[https://a.example/x](https://a.example/x) <https://b.example/>") == [
        ("https://a.example/x", "https://a.example/x"),
        ("https://b.example/", "https://b.example/"),
    ]


def test_the_page_and_the_feeds_link_what_an_update_names() -> None:
    """Readers of both can follow it."""
    body = views.words("См. https://a.example/x.", "见 https://a.example/x。", "See https://a.example/x.")
    incident = replace(views.INCIDENT, updates=(replace(views.UPDATES[0], body=body),))
    reader = Reader(replace(views.OUTAGE, incidents=(incident,)), "en")
    assert 'href="https://a.example/x"' in feeds.history(reader)[0].html
    assert 'href="https://a.example/x"' in page(reader, "status", "/").decode()
