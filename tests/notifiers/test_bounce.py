from __future__ import annotations

import pytest

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
