"""Callbacks of our stand-in for Twilio, checked by both of Twilio's own libraries (Python and npm)."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from notifiers.base import BadSignature, CallbackRequest, Inbound, Receipt
from notifiers.standins.twilio_webhooks import signature
from notifiers.twilio_callbacks import INBOUND_PATH
from tests.notifiers.letters import NOW, NOWHERE, PUBLIC, TOKEN, send, sms, twilio
from tests.notifiers.listening import Listener, listening
from tests.notifiers.running import Running
from tests.proof.peers import ask

LETTERS = 20
REPLIES = ("СТОП", "退订", "How much do I owe? 100% & more + ёж", "😀\r\nтекст", "")


def called(tmp_path: Path) -> tuple[str, list[CallbackRequest]]:
    """What the stand-in posted to a web process at the address returned: receipts of each message, and replies."""
    with listening() as listener, Running("twilio", tmp_path / "ledger", "--step-seconds", "0.01") as standin:
        send(twilio(standin.url, public=listener.url), [sms(number) for number in range(LETTERS)])
        for number, words in enumerate(REPLIES):
            reply(standin, listener, f"+7900{number:07d}", words)
        standin.drained()
        return listener.url, listener.received


def reply(standin: Running, listener: Listener, sender: str, words: str) -> None:
    asked = {"from": sender, "to": "+15005550006", "body": words, "url": listener.url + INBOUND_PATH}
    request = urllib.request.Request(  # noqa: S310 - loopback
        f"{standin.url}/standin/inbound", json.dumps(asked).encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=10).close()  # noqa: S310 - loopback


def python_takes(question: dict[str, Any]) -> bool:
    validator = RequestValidator(question["token"])
    return bool(validator.validate(question["url"], question["fields"], question["signature"]))


def npm_takes(questions: list[dict[str, Any]]) -> list[bool]:
    answers: list[bool] = ask("twilio.mjs", questions)
    return answers


def question(base_url: str, call: CallbackRequest) -> dict[str, Any]:
    url = f"{base_url}{call.path}" + (f"?{call.query}" if call.query else "")
    fields = dict(parse_qsl(call.body.decode(), keep_blank_values=True))
    return {"token": TOKEN, "signature": call.header("X-Twilio-Signature"), "url": url, "fields": fields}


def test_every_callback_is_signed_as_twilio_signs(tmp_path: Path) -> None:
    """Receipts and replies in any alphabet: Twilio's Python and JavaScript libraries and our parser take them all."""
    base_url, calls = called(tmp_path)
    questions = [question(base_url, call) for call in calls]
    assert len(questions) >= LETTERS + len(REPLIES)
    assert [one for one in questions if not python_takes(one)] == []
    assert set(npm_takes(questions)) == {True}
    reader = twilio(NOWHERE, public=base_url)
    read = [event for call in calls for event in reader.parse_callback(call)]
    assert {event.delivery_id for event in read if isinstance(event, Receipt)} == set(range(LETTERS))
    assert sorted(event.body for event in read if isinstance(event, Inbound)) == sorted(REPLIES)


@pytest.mark.parametrize(
    "forge",
    [
        lambda one: one | {"signature": signature("another", one["url"], one["fields"])},
        lambda one: one | {"url": one["url"] + "0"},
        lambda one: one | {"fields": one["fields"] | {"MessageStatus": "failed"}},
        lambda one: one | {"fields": one["fields"] | {"Extra": ""}},
        lambda one: one | {"signature": signature(TOKEN, one["url"], {})},
    ],
    ids=["token", "address", "field", "one more field", "signature"],
)
def test_a_forged_callback_is_refused_by_all(forge: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Whatever was changed on the way, neither library takes it, and neither do we."""
    url = f"{PUBLIC}/callbacks/twilio/status?d=1&a=1"
    fields = {"MessageSid": "SM1", "MessageStatus": "sent", "To": "+79"}
    whole = {"token": TOKEN, "signature": signature(TOKEN, url, fields), "url": url, "fields": fields}
    assert python_takes(whole)
    forged = forge(whole)
    assert not python_takes(forged)
    assert npm_takes([whole, forged]) == [True, False]
    reader = twilio(NOWHERE, public=PUBLIC)
    assert len(reader.parse_callback(received(whole))) == 1
    with pytest.raises(BadSignature):
        reader.parse_callback(received(forged))


def received(one: dict[str, Any]) -> CallbackRequest:
    """As the web process would see it."""
    url = urlsplit(one["url"])
    headers = {"X-Twilio-Signature": one["signature"]}
    return CallbackRequest(url.path, url.query, headers, urlencode(one["fields"]).encode(), NOW)
