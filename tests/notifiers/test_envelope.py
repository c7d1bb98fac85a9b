from __future__ import annotations

import email
import email.policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notifiers.base import UNSUBSCRIBE_SLOT, Failure, Message, NotifierError
from notifiers.envelope import Envelopes, Letter
from tests.notifiers.letters import NOW, VERP, mail

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "mail_envelope.eml"
LINE = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=120)
WORDS = st.lists(LINE | st.sampled_from([".", "..", ".x", UNSUBSCRIBE_SLOT, "я" * 200, "=3D", "x" * 2000]), max_size=8)
LINKS = st.from_regex(r"https://[a-z.]{1,60}/[A-Za-z0-9._~/?&=%+-]{0,300}", fullmatch=True)


def _letter(message: Message) -> Letter:
    return Envelopes("status@news.demo.example", "Демо Телеком", VERP).letter(message, NOW)


def _received(letter: Letter) -> EmailMessage:
    """The mail as it reads after the relay has taken away dots and the end mark."""
    assert letter.body.endswith(b"\r\n.\r\n")
    content = letter.body[: -len(b".\r\n")].replace(b"\r\n..", b"\r\n.")
    parsed = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def _text(received: EmailMessage, kind: str) -> str:
    part = received.get_body((kind,))
    assert part is not None
    content = part.get_content()
    assert isinstance(content, str)
    return content.replace("\r\n", "\n")


def test_the_mail_is_the_golden_one() -> None:
    """A change of a single byte of the envelope is reviewed as such."""
    assert _letter(mail(41)).body == GOLDEN.read_bytes()


def test_a_person_finds_name_address_and_link() -> None:
    """What was put in reads back through the email package as it was meant."""
    received = _received(_letter(mail(41)))
    assert not received.defects
    assert received["To"] == "person41@example.com"
    assert received["From"] == "Демо Телеком <status@news.demo.example>"
    assert received["Subject"] == "Сбой в биллинге: оплата временно недоступна"
    assert received["Date"] == "Sun, 22 Nov 2026 11:20:00 +0000"
    assert received["List-Unsubscribe"] == "<https://status.demo.example/unsubscribe/token41>"
    assert received["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert received["Auto-Submitted"] == "auto-generated"
    assert received["Feedback-ID"] == "camp1234abcd:ru:status:news.demo.example"
    assert "Не получать такие письма: https://status.demo.example/unsubscribe/token41" in _text(received, "plain")
    assert 'href="https://status.demo.example/unsubscribe/token41"' in _text(received, "html")


def test_a_mail_sent_again_is_the_same_mail() -> None:
    """The Message-ID is one per delivery; only the return path tells the attempts apart."""
    first, second = _letter(mail(41)), _letter(mail(41, attempt=2))
    assert first.message_id == second.message_id
    assert first.body == second.body
    assert first.sender != second.sender
    assert VERP.read_sender(second.sender) == (41, 2)
    assert VERP.read_message_id(first.message_id) == (41, None)


def test_a_mail_without_a_link_has_no_list_headers() -> None:
    """One-click unsubscribe is only offered where there is an address for it."""
    received = _received(_letter(mail(1)._replace(unsubscribe_url=None, body="Привет", html=None)))
    assert received["List-Unsubscribe"] is None
    assert received["List-Unsubscribe-Post"] is None
    assert received.get_content_type() == "text/plain"


@example([UNSUBSCRIBE_SLOT], [UNSUBSCRIBE_SLOT], "https://status.demo.example/unsubscribe/" + "a" * 99)
@example([UNSUBSCRIBE_SLOT], [UNSUBSCRIBE_SLOT], "https://status.demo.example/?" + "a" * 39 + "==" * 40)
@given(WORDS, WORDS, LINKS)
def test_any_text_survives_the_wire(plain: list[str], markup: list[str], link: str) -> None:
    """Whatever is written arrives: no line over 998 or out of ASCII, no dot lost, every slot filled with the link."""
    body, html = "\n".join(plain), "\n".join(markup)
    letter = _letter(mail(1)._replace(body=body, html=html, unsubscribe_url=link))
    wire = letter.body
    assert wire.isascii()
    assert max(map(len, wire.split(b"\r\n"))) < 998
    assert b"\n" not in wire.replace(b"\r\n", b"")
    assert all(line == b"." or not line.startswith(b".") or line.startswith(b"..") for line in wire.split(b"\r\n"))
    assert wire.count(b"\r\n.\r\n") == 1
    received = _received(letter)
    assert _text(received, "plain").rstrip("\n") == body.replace(UNSUBSCRIBE_SLOT, link).rstrip("\n")
    expected = html.replace(UNSUBSCRIBE_SLOT, link.replace("&", "&amp;"))
    assert _text(received, "html").rstrip("\n") == expected.rstrip("\n")


@pytest.mark.parametrize(
    "address",
    [
        "anna@example.com\r\nBcc: all@example.com",
        "anna@example.com\n",
        "<anna@example.com>",
        "anna@example.com>",
        "anna example@example.com",
        "анна@example.com",
        "anna",
        "@example.com",
        "anna@",
        "",
        "a" * 65 + "@example.com",
    ],
)
def test_an_address_that_could_break_out_is_refused(address: str) -> None:
    """No line break, bracket or space gets into a header or an SMTP command."""
    with pytest.raises(NotifierError) as refused:
        _letter(mail(1)._replace(to=address))
    assert (refused.value.reason, refused.value.permanent) == (Failure.INVALID_ADDRESS, True)


@pytest.mark.parametrize(
    "message",
    [
        mail(1)._replace(unsubscribe_url="https://x.example/\r\nBcc: all@example.com"),
        mail(1)._replace(unsubscribe_url='https://x.example/"onclick="'),
        mail(1)._replace(unsubscribe_url="javascript:alert(1)"),
        mail(1)._replace(unsubscribe_url="https://x.example/>"),
        mail(1)._replace(unsubscribe_url="https://x.example/" + "a" * 900),
        mail(1)._replace(subject="Сбой\r\nBcc: all@example.com"),
        mail(1)._replace(subject="Outage\nX: y"),
        mail(1)._replace(subject="Outage\r\n X: y"),
        mail(1)._replace(body="half a pair \ud83d"),
        mail(1)._replace(campaign="x\r\nBcc: all@example.com"),
        mail(1)._replace(locale="ru\r\n X: y"),
        mail(1)._replace(locale="ru\r\n X: y", html=None),
    ],
)
def test_no_value_begins_a_header(message: Message) -> None:
    """A line break in a subject, a link or a name is refused, not folded away."""
    with pytest.raises(NotifierError) as refused:
        _letter(message)
    assert (refused.value.reason, refused.value.sent) == (Failure.INVALID_MESSAGE, "no")


def test_templates_are_inert() -> None:
    """What looks like a template of some engine is text."""
    text = "{{7*7}} {0.__class__} %(to)s ${x} {to}"
    received = _received(_letter(mail(1)._replace(body=text, html=text, subject=text)))
    assert _text(received, "plain").strip() == text
    assert _text(received, "html").strip() == text
    assert received["Subject"] == text


@given(LINE.map(str.strip))
def test_any_subject_reads_back_whole(subject: str) -> None:
    """A long subject in any script is folded without losing a character, least of all a space."""
    wire = _letter(mail(1)._replace(subject=subject)).body
    head = wire.partition(b"\r\n\r\n")[0]
    assert max(map(len, head.split(b"\r\n"))) <= 78 + 20
    words = email.message_from_bytes(head)["Subject"]
    assert str(make_header(decode_header(words))) == subject


def test_people_of_one_campaign_share_a_template_and_nothing_else() -> None:
    """Two letters made one after another hold each their own address and link."""
    envelopes = Envelopes("status@news.demo.example", "Demo", VERP)
    letters = [envelopes.letter(mail(number), NOW).body for number in (1, 2, 1)]
    assert letters[0] == letters[2] != letters[1]
    assert b"person2@" not in letters[0]
    assert b"token2" not in letters[0]


def test_a_sender_that_is_no_address_is_refused_at_once() -> None:
    """A wrong MAIL_FROM is found when the notifiers are built."""
    with pytest.raises(ValueError, match="MAIL_FROM"):
        Envelopes("Demo Telecom", "Demo", VERP)
