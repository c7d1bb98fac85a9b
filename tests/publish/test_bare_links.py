"""Addresses that people write into an update as they are."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from statuspage.publish import feeds
from statuspage.publish.html import page
from statuspage.publish.prose import prose
from statuspage.publish.reader import Reader
from tests.publish import views


def links(text: str) -> list[tuple[str, str]]:
    """Where each link of the text's HTML leads, and what it shows."""
    return re.findall(r'<a href="([^"]*)" rel="nofollow noopener noreferrer">([^<]*)</a>', prose(text))


def host_of(address: str) -> str:
    """Its host in the letters of its script."""
    labels = (urlsplit(address).hostname or "").split(".")
    return ".".join(
        one[4:].encode().decode("punycode") if one.startswith("xn--") and one.isascii() else one for one in labels
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("See https://a.example/x_y_z?n=1, then wait.", ["https://a.example/x_y_z?n=1"]),
        ("(https://a.example/x) and https://b.example.", ["https://a.example/x", "https://b.example"]),
        ("- **https://a.example/**;", ["https://a.example/"]),
        ("详见https://a.example/pay，或https://b.example。", ["https://a.example/pay", "https://b.example"]),
        ("| News |\n|---|\n| http://localhost:8080/ru/ |", ["http://localhost:8080/ru/"]),
        (
            "https://a.example/a_b_c?x=_y_ or https://a.example/a*b*c, *now*",
            ["https://a.example/a_b_c?x=_y_", "https://a.example/a*b*c"],
        ),
        ("https://a.example/wiki/A_(b) (https://a.example/b)", ["https://a.example/wiki/A_(b)", "https://a.example/b"]),
        ("**See https://a.example/x.** Then **详见https://a.example/x**请", ["https://a.example/x"] * 2),
        ("详见https://a.example请，https://a.example/pay请", ["https://a.example", "https://a.example/pay"]),
        (
            "“https://a.example/x”（https://a.example/y）、https://b.example",
            ["https://a.example/x", "https://a.example/y", "https://b.example"],
        ),
        ("Dial *100# or https://a.example/?x=*105*2#", ["https://a.example/?x=*105*2#"]),
        ("https://xn--80ak6aa92e.example/%D0%BF", ["https://xn--80ak6aa92e.example/%D0%BF"]),
    ],
)
def test_an_address_becomes_a_link_without_the_sentences_marks(text: str, found: list[str]) -> None:
    """The stop, comma or bracket after it stays outside, and it shows the whole of where it leads."""
    assert links(text) == [(one, one) for one in found]


@pytest.mark.parametrize(
    ("text", "shown", "leads"),
    [
        ("https://a.example/счёт.", "https://a.example/счёт", "https://a.example/%D1%81%D1%87%D1%91%D1%82"),
        ("见https://a.example/支付。", "https://a.example/支付", "https://a.example/%E6%94%AF%E4%BB%98"),
        ("https://Пример.рф/x", "https://Пример.рф/x", "https://xn--e1afmkfd.xn--p1ai/x"),
        ("https://exämple.com/x", "https://exämple.com/x", "https://xn--exmple-cua.com/x"),
        ("https://例子.中国/", "https://例子.中国/", "https://xn--fsqu00a.xn--fiqs8s/"),
        ("https://a.exampleбанк", "https://a.exampleбанк", "https://a.xn--example-8fgi5g6a"),
    ],
)
def test_an_address_in_another_script_keeps_its_letters(text: str, shown: str, leads: str) -> None:
    """Path and host are shown as written and followed as encoded."""
    assert links(text) == [(leads, shown)]


@pytest.mark.parametrize(
    "text",
    [
        "https://bank.example@evil.example/x",
        "https://bank.example:80@evil.example",
        "https://user:word@evil.example/",
        r"https://bank.example\@evil.example/",
        "https://a.example:99999/ [x](https://a.example:99999/)",
        "https://1.2.3.4.5/ https://a..b/ https://xn--a/ https://a.example%00/ https://a=b.example/",
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


PIECES = (
    "https://", "http://", "HTTPS://", "javascript:", "data:", "ftp://", "mailto:", "//", "a.example", "пример.рф",
    "ДОМ.рф", "exämple.com", "支付", "xn--a", "1.2.3.4", "@", ":", "99999", "80", "/", "\\", "?", "#", "&", "&amp;",
    "=", "*", "**", "_", "`", "(", ")", "[", "{", "<b>", '"', "'", "|", "%2F", "%", ".", "..", "-", "。", "，", "”",
    "\u202e", "\u00ad", "\n", " ", "*100#", "😀",
)  # fmt: skip


@given(st.lists(st.sampled_from(PIECES) | st.characters(exclude_characters="<]", codec="utf-8"), max_size=25))
@example(["https://", "a.example", "/", "&amp;", "_", "80", "_"])
def test_whatever_is_written_a_link_shows_where_it_leads(pieces: list[str]) -> None:
    """It is the web's, names nobody before the host, is a whole that a browser can follow, and stands as written."""
    text = "".join(pieces)
    assert prose(text).count("<a ") == len(links(text))
    for href, shown in ((unescape(href), unescape(shown)) for href, shown in links(text)):
        leads, reads = urlsplit(href), urlsplit(shown)
        assert leads.scheme in ("http", "https")
        assert "@" not in leads.netloc
        assert "\\" not in unquote(leads.netloc)
        assert leads.port == reads.port
        assert shown in text
        assert host_of(href) == host_of(shown)
        assert unquote(href[len(f"{leads.scheme}://{leads.netloc}") :]) == unquote(
            shown[len(f"{reads.scheme}://{reads.netloc}") :]
        )


def test_the_page_and_the_feeds_link_what_an_update_names() -> None:
    """Readers of both can follow it."""
    body = views.words("См. https://a.example/x.", "见 https://a.example/x。", "See https://a.example/x.")
    incident = replace(views.INCIDENT, updates=(replace(views.UPDATES[0], body=body),))
    reader = Reader(replace(views.OUTAGE, incidents=(incident,)), "en")
    assert 'href="https://a.example/x"' in feeds.history(reader)[0].html
    assert 'href="https://a.example/x"' in page(reader, "status", "/").decode()
