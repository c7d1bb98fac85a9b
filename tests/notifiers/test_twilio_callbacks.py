from __future__ import annotations

from urllib.parse import urlencode

import pytest

from notifiers.base import BadSignature, CallbackRequest, Channel, Failure, Inbound, Keyword, Receipt
from notifiers.standins.twilio_webhooks import signature
from notifiers.twilio_account import TwilioAccount
from notifiers.twilio_callbacks import ANSWERS, INBOUND_PATH, STATUS_PATH, TwilioCallbacks
from notifiers.twilio_codes import CODES, STATES, refusal
from tests.notifiers.letters import NOW, PUBLIC, TOKEN

CALLBACKS = TwilioCallbacks("twilio", TwilioAccount("AC1", TOKEN), PUBLIC + "/")
QUERY = "d=41&a=2"


def _request(
    fields: dict[str, str], path: str = STATUS_PATH, query: str = QUERY, signed: str | None = None
) -> CallbackRequest:
    url = PUBLIC + path + (f"?{query}" if query else "")
    headers = {"x-twilio-signature": signature(TOKEN, signed or url, fields)}
    return CallbackRequest(path, query, headers, urlencode(fields).encode(), NOW)


def _status(status: str, **more: str) -> dict[str, str]:
    return {"MessageSid": "SM1", "MessageStatus": status, "To": "+79001234567", "AccountSid": "AC1", **more}


def _receipt(request: CallbackRequest) -> Receipt:
    (receipt,) = CALLBACKS.parse(request)
    assert isinstance(receipt, Receipt)
    return receipt


def test_a_status_becomes_a_receipt() -> None:
    """The delivery and the attempt are those of the signed address, the reason that of the code."""
    receipt = _receipt(_request(_status("undelivered", ErrorCode="30003", RawDlrDate="2611221420")))
    assert receipt == Receipt(
        "twilio", "SM1", 41, 2, "undelivered", "undelivered", NOW, 0, "30003", Failure.UNREACHABLE, False
    )


@pytest.mark.parametrize("status", sorted(STATES))
def test_every_status_of_an_outgoing_message_is_known(status: str) -> None:
    """Each of Twilio's words has one of ours."""
    assert _receipt(_request(_status(status))).state == STATES[status]


def test_a_message_that_waited_too_long_is_expired() -> None:
    """Code 30036 ends a delivery as expired, not as failed."""
    assert _receipt(_request(_status("failed", ErrorCode="30036"))).state == "expired"


def test_a_status_nobody_knows_is_stored_nowhere() -> None:
    """A new word of Twilio's is authentic and without news."""
    assert CALLBACKS.parse(_request(_status("teleported"))) == []


@pytest.mark.parametrize(
    "request_",
    [
        CallbackRequest(STATUS_PATH, QUERY, {}, urlencode(_status("sent")).encode(), NOW),
        CallbackRequest(STATUS_PATH, QUERY, {"X-Twilio-Signature": ""}, b"", NOW),
        _request(_status("sent"), signed="http://status.demo.example" + STATUS_PATH + "?" + QUERY),
        _request(_status("sent"), signed=PUBLIC + STATUS_PATH),
        _request(_status("sent"), signed=PUBLIC + STATUS_PATH + "?d=42&a=2"),
        CallbackRequest(
            STATUS_PATH,
            QUERY,
            {"X-Twilio-Signature": signature(TOKEN, f"{PUBLIC}{STATUS_PATH}?{QUERY}", _status("sent"))},
            urlencode(_status("delivered")).encode(),
            NOW,
        ),
        CallbackRequest(
            STATUS_PATH,
            QUERY,
            {"X-Twilio-Signature": "x", "X-Twilio-Webhooks-Signature-Settings": "key=k,algorithm=HMAC_MD5"},
            urlencode(_status("sent")).encode(),
            NOW,
        ),
    ],
    ids=["no header", "empty", "http", "no query", "another delivery", "another status", "unknown algorithm"],
)
def test_a_forged_status_is_refused(request_: CallbackRequest) -> None:
    """Neither the address, the query, the body nor the algorithm can be changed under a signature."""
    with pytest.raises(BadSignature):
        CALLBACKS.parse(request_)


def test_news_of_another_account_is_refused() -> None:
    """Rightly signed, but not of the account that we send by; without an account's name the signature decides."""
    for path in (STATUS_PATH, INBOUND_PATH):
        with pytest.raises(BadSignature):
            CALLBACKS.parse(_request(_status("sent", AccountSid="AC2"), path))
    assert _receipt(_request({"MessageSid": "SM1", "MessageStatus": "sent"})).state == "sent"


def test_repeated_and_unknown_fields_are_part_of_the_signature() -> None:
    """Fields that Twilio adds without notice, also empty and doubled ones, do not break the check."""
    fields = _status("sent", ChannelPrefix="", Новое="поле")
    assert _receipt(_request(fields)).state == "sent"
    # Twilio's rule for a key with several values: each distinct value in order.
    url = f"{PUBLIC}{STATUS_PATH}?{QUERY}"
    signed = signature(TOKEN, url, {"MessageSid": "SM1", "MessageStatus": "sent", "Tag": "aTagb"})
    body = b"MessageSid=SM1&MessageStatus=sent&Tag=b&Tag=a&Tag=a"
    request = CallbackRequest(STATUS_PATH, QUERY, {"X-Twilio-Signature": signed}, body, NOW)
    assert _receipt(request).provider_id == "SM1"


@pytest.mark.parametrize("query", ["", "d=x&a=1", "d=&a=", "d=-1&a=1", "d=" + "9" * 30])
def test_a_receipt_without_our_names_still_has_its_sid(query: str) -> None:
    """What was sent with another callback address is matched by the provider's id."""
    receipt = _receipt(_request(_status("sent"), query=query))
    assert (receipt.provider_id, receipt.delivery_id) == ("SM1", None)


@pytest.mark.parametrize(
    ("body", "opt_out_type", "meaning"),
    [
        ("СТОП", "", Keyword.STOP),
        ("退订", "", Keyword.STOP),
        ("какое-то слово", "STOP", Keyword.STOP),
        ("START", "START", Keyword.START),
        ("Help", "", Keyword.HELP),
        ("Когда заработает?", "", None),
    ],
)
def test_an_answer_is_read_as_a_word(body: str, opt_out_type: str, meaning: Keyword | None) -> None:
    """What Advanced Opt-Out recognised counts first, our own list of words after it."""
    fields = {"MessageSid": "SM2", "From": "+79001234567", "To": "+79000000000", "Body": body}
    if opt_out_type:
        fields["OptOutType"] = opt_out_type
    (inbound,) = CALLBACKS.parse(_request(fields, path=INBOUND_PATH, query=""))
    assert isinstance(inbound, Inbound)
    assert (inbound.keyword, inbound.sender, inbound.channel) == (meaning, "+79001234567", Channel.SMS)
    assert "body" not in repr(inbound)


def test_an_answer_gets_an_empty_reply() -> None:
    """Twilio has replied to STOP itself; we send it TwiML without a message, and nothing to a status."""
    assert ANSWERS[INBOUND_PATH] == (200, "text/xml; charset=utf-8", b"<Response/>")
    assert ANSWERS[STATUS_PATH].status == 204


@pytest.mark.parametrize("code", sorted(CODES))
def test_only_what_cannot_succeed_is_permanent(code: int) -> None:
    """No refusal of the table is called unknown, and what suppresses an address is always permanent."""
    error = refusal(400, code)
    assert error.sent == "no"
    assert error.permanent or not error.reason.suppresses


@pytest.mark.parametrize(
    ("status", "code", "reason", "sent"),
    [
        (429, None, Failure.RATE_LIMITED, "no"),
        (401, 20003, Failure.UNAUTHORISED, "no"),
        (404, None, Failure.CONFIGURATION, "no"),
        (302, None, Failure.CONFIGURATION, "no"),
        (408, None, Failure.TEMPORARY, "no"),
        (400, 99999, Failure.UNCLASSIFIED, "no"),
        (500, 20500, Failure.NO_ANSWER, "unknown"),
        (503, None, Failure.NO_ANSWER, "unknown"),
    ],
)
def test_a_status_without_a_known_code_is_read_by_itself(
    status: int, code: int | None, reason: Failure, sent: str
) -> None:
    """Answers outside the table are refusals, save 5xx, which prove nothing."""
    error = refusal(status, code)
    assert (error.reason, error.sent) == (reason, sent)
