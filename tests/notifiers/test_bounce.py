from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message as Mail
from types import FrameType

import pytest

from notifiers import bounce as bounce_module
from notifiers.base import BadSignature, Failure, Receipt
from notifiers.bounce import Bounces
from notifiers.standins.smtp_bounces import bounce
from tests.notifiers.letters import NOW, VERP

BOUNCES = Bounces("smtp", VERP)
SENDER = VERP.sender(41, 2)
MESSAGE_ID = VERP.message_id(41)

ARF = f"""From: <abuse@provider.example>
To: <fbl@demo.example>
Subject: FW: complaint
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="part"

--part
Content-Type: text/plain

This is an email abuse report.
--part
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: Provider/1.0
Version: 1
Original-Mail-From: <%s>

--part
Content-Type: message/rfc822

From: status@news.demo.example
To: person41@example.com
Message-ID: <{MESSAGE_ID}>

Text
--part--
"""


def _one(raw: bytes | str) -> Receipt:
    (receipt,) = BOUNCES.parse(raw if isinstance(raw, bytes) else raw.encode(), NOW)
    return receipt


@pytest.mark.parametrize(
    ("status", "reason", "permanent", "suppresses"),
    [
        ("5.1.1", Failure.INVALID_ADDRESS, True, True),
        ("5.1.10", Failure.INVALID_ADDRESS, True, True),
        ("5.1.2", Failure.INVALID_ADDRESS, True, True),
        ("5.2.2", Failure.MAILBOX_FULL, False, False),
        ("5.2.1", Failure.UNREACHABLE, True, False),
        ("5.7.1", Failure.REPUTATION, True, False),
        ("5.7.26", Failure.REPUTATION, True, False),
        ("5.4.4", Failure.NOT_ROUTABLE, True, False),
        ("5.0.0", Failure.UNCLASSIFIED, True, False),
    ],
)
def test_only_a_dead_address_is_suppressed(status: str, reason: Failure, permanent: bool, suppresses: bool) -> None:
    """A full mailbox and a refusal by policy, which libraries call permanent, silence nobody."""
    receipt = _one(bounce(SENDER, "person41@example.com", MESSAGE_ID, status, "no"))
    assert (receipt.delivery_id, receipt.attempt, receipt.provider_id) == (41, 2, MESSAGE_ID)
    assert (receipt.state, receipt.error_code, receipt.reason) == ("undelivered", status, reason)
    assert receipt.permanent is permanent
    assert reason.suppresses is suppresses


def test_a_delay_is_no_end() -> None:
    """ "Delayed" leaves the mail sent."""
    receipt = _one(bounce(SENDER, "person41@example.com", MESSAGE_ID, "4.4.1", "timed out"))
    assert (receipt.state, receipt.permanent) == ("sent", False)


def test_giving_up_on_a_passing_fault_is_not_permanent() -> None:
    """A relay that gave up with 4.4.7 says nothing against the address."""
    raw = bounce(SENDER, "person41@example.com", MESSAGE_ID, "5.4.7", "expired")
    receipt = _one(raw.replace(b"Status: 5.4.7", b"Status: 4.4.7"))
    assert (receipt.state, receipt.reason, receipt.permanent) == ("undelivered", Failure.TEMPORARY, False)


@pytest.mark.parametrize("named_by", [SENDER, "redacted@provider.example"])
def test_a_complaint_is_matched_by_return_path_or_message_id(named_by: str) -> None:
    """A provider that redacts the return path leaves the Message-ID."""
    receipt = _one(ARF % named_by)
    assert (receipt.delivery_id, receipt.state, receipt.reason) == (41, "delivered", Failure.COMPLAINT)
    assert receipt.status == "complaint:abuse"
    assert receipt.permanent
    assert Failure.COMPLAINT.suppresses


def test_a_bounce_whose_report_is_missing_or_broken_is_no_news() -> None:
    """An out-of-office answer and a report without a status leave the mail as it was."""
    away = f"From: anna@example.com\r\nTo: {SENDER}\r\nSubject: Re\r\n\r\nBack on Monday.\r\n"
    assert BOUNCES.parse(away.encode(), NOW) == []
    raw = bounce(SENDER, "person41@example.com", MESSAGE_ID, "5.1.1", "no")
    assert BOUNCES.parse(raw.replace(b"5.1.1", b"none"), NOW) == []
    assert BOUNCES.parse(raw[: raw.index(b"message/delivery-status")], NOW) == []


def test_the_diagnostic_tells_when_the_status_does_not() -> None:
    """Some relays put the code only into the text."""
    raw = bounce(SENDER, "p@example.com", MESSAGE_ID, "5.1.1", "no").replace(b"Status: 5.1.1", b"Status: unknown")
    assert _one(raw).error_code == "5.1.1"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\xff" * 500,
        bounce("bounce+41.2." + "0" * 20 + "@news.demo.example", "p@example.com", "x@y", "5.1.1", "no"),
        bounce("anna@example.com", "p@example.com", "d41." + "0" * 20 + "@news.demo.example", "5.1.1", "no"),
    ],
    ids=["empty", "noise", "forged return path", "forged Message-ID"],
)
def test_a_bounce_of_somebody_elses_mail_is_refused(raw: bytes) -> None:
    """Without an address that we signed nobody can silence a customer."""
    with pytest.raises(BadSignature):
        BOUNCES.parse(raw, NOW)


def _nested(levels: int, size: int, *, to: str) -> bytes:
    opened = "".join(f'Content-Type: multipart/mixed; boundary="b{level}"\n\n--b{level}\n' for level in range(levels))
    return f"To: {to}\n{opened}\n".encode().ljust(size, b"\n")


MULTIPART = f'To: {SENDER}\nContent-Type: multipart/mixed; boundary="b"\n'.encode()
REFUSED = {
    "400 multiparts of nobody": _nested(400, 990_000, to="anna@example.com"),
    "400 multiparts": _nested(400, 990_000, to=SENDER),
    "5,000 multiparts": _nested(5_000, 990_000, to=SENDER),
    "5,000 messages": f"To: {SENDER}\n".encode() + b"Content-Type: message/rfc822\n\n" * 5_000,
    "a Content-Type of semicolons": f'To: {SENDER}\nContent-Type: multipart/mixed; "'.encode() + b";" * 900_000,
    "a folded one": f'To: {SENDER}\nContent-Type: multipart/mixed; "'.encode() + (b";" * 70 + b"\r\n ") * 9_000,
    "forged addresses": f"To: {SENDER[:-40]}\n".encode() + (b"d1." + b"0" * 20 + b"@") * 40_000,
}
HARMLESS = {
    "10 multiparts of empty lines": _nested(10, 990_000, to=SENDER),
    "empty parts": MULTIPART + b"\n" + b"--b\n" * 250_000,
    "empty digest": MULTIPART.replace(b"mixed", b"digest") + b"\n" + b"--b\n\n" * 200_000,
    "10 digests": _nested(10, 500, to=SENDER).replace(b"mixed", b"digest") + b"--b9\n\n" * 100_000,
    "empty reports": f"To: {SENDER}\nContent-Type: message/delivery-status\n\n".encode() + b"a: b\n\n" * 140_000,
    "header fields": MULTIPART + b"To: \xff@\n" * 120_000,
    "one line": f"To: {SENDER}\n\n".encode() + b"d1" * 490_000,
}


MOST_CALLS = 500_000
"""Of functions, Python's and C's: the same on every machine, about 50 ms."""


@contextmanager
def _calls() -> Iterator[Counter[str]]:
    """Counts the calls of functions made within."""
    seen: Counter[str] = Counter()

    def count(_frame: FrameType | None, event: str, _of: object) -> None:
        if event in {"call", "c_call"}:
            seen[event] += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield seen
    finally:
        sys.setprofile(before)


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED)
def test_a_mail_that_is_dear_to_parse_is_refused_unparsed(raw: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody buys seconds of the processor with one mail, not even with an address that we signed."""
    monkeypatch.setattr(bounce_module, "message_from_bytes", None)
    with _calls() as calls, pytest.raises(BadSignature):
        BOUNCES.parse(raw, NOW)
    assert calls.total() < MOST_CALLS


@pytest.mark.parametrize("raw", HARMLESS.values(), ids=HARMLESS)
def test_the_dearest_mail_within_the_bounds_is_cheap(raw: bytes) -> None:
    """What passes the bounds is parsed up to a number of bytes and lines only, and is no news."""
    with _calls() as calls:
        assert BOUNCES.parse(raw, NOW) == []
    assert 0 < calls.total() < MOST_CALLS


def test_nothing_is_parsed_for_a_stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a signed address the parser is not reached."""

    def parsed(*_given: object, **_named: object) -> Mail:
        raise AssertionError("parsed")

    monkeypatch.setattr(bounce_module, "message_from_bytes", parsed)
    with pytest.raises(BadSignature):
        BOUNCES.parse(bounce("anna@example.com", "p@example.com", "x@y", "5.1.1", "no"), NOW)


def test_a_recursion_that_slips_through_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A parser that gives up leaves no traceback of a thousand frames."""

    def parsed(*_given: object, **_named: object) -> Mail:
        raise RecursionError

    monkeypatch.setattr(bounce_module, "message_from_bytes", parsed)
    with pytest.raises(BadSignature):
        BOUNCES.parse(bounce(SENDER, "p@example.com", MESSAGE_ID, "5.1.1", "no"), NOW)


def test_a_report_that_encloses_a_large_mail_is_read() -> None:
    """The report stands before what it encloses, so a mail cut off at 256 kB still tells what happened."""
    raw = bounce(SENDER, "person41@example.com", MESSAGE_ID, "5.1.1", "no") + b"x" * 70 * 10_000
    assert _one(raw).error_code == "5.1.1"


def test_paths_of_links_are_not_levels() -> None:
    """A text that links to many pages named "message" is not taken for a nested mail."""
    away = f"To: {SENDER}\n\n" + "https://example.com/message/1 /message/2\n" * 50
    assert BOUNCES.parse(away.encode(), NOW) == []
