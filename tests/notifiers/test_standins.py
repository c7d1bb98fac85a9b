"""The stand-ins themselves: where they must be as their originals are, the originals' clients say so."""

from __future__ import annotations

import json
import stat
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from twilio.rest import Client  # type: ignore[import-untyped]

from notifiers.base import Failure, Inbound, Keyword, Receipt
from tests.notifiers.letters import ACCOUNT_SID, NO_ANSWER_SECONDS, TOKEN, VERP, errors, mail, send, sms, smtp, twilio
from tests.notifiers.listening import Listener
from tests.notifiers.running import Running
from tests.waiting import PATIENCE


def _client(url: str) -> Any:
    client = Client(ACCOUNT_SID, TOKEN)
    client.api.base_url = url
    return client


def _post(url: str, fields: dict[str, str]) -> None:
    body = json.dumps(fields).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - loopback
    urllib.request.urlopen(request, timeout=PATIENCE).close()  # noqa: S310 - loopback


def test_the_list_pages_and_filters_as_twilios_does(tmp_path: Path) -> None:
    """The SDK's own list walks the pages, newest first, by number and by the time of sending."""
    with Running("twilio", tmp_path / "ledger", "--step-seconds", "0.001") as standin:
        send(twilio(standin.url), [sms(number, to="+79000000001", body=f"N {number}") for number in range(1, 13)])
        send(twilio(standin.url), [sms(20)])
        messages = _client(standin.url).messages
        assert len(messages.list(page_size=5)) == 13
        mine = messages.list(to="+79000000001", page_size=5)
        assert len(mine) == 12
        assert [each.date_created for each in mine] == sorted((each.date_created for each in mine), reverse=True)
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        assert messages.list(date_sent_after=tomorrow) == []
        assert len(messages.list(date_sent_before=tomorrow)) == 13
        assert messages(mine[0].sid).fetch().body == mine[0].body


def test_a_queued_message_escapes_the_filter_by_sending_time(tmp_path: Path) -> None:
    """As at Twilio, a message that is still queued has no DateSent: a search by it would miss it."""
    with Running("twilio", tmp_path / "ledger", "--step-seconds", "60") as standin:
        send(twilio(standin.url), [sms(1)])
        messages = _client(standin.url).messages
        assert len(messages.list()) == 1
        assert messages.list(date_sent_after=datetime.now(UTC) - timedelta(days=1)) == []


def test_a_person_who_says_stop_is_blocked_until_start(tmp_path: Path, listener: Listener) -> None:
    """The word arrives signed, and the next message is refused as opted out."""
    person = {"from": sms(1).to, "to": "+15550001111", "url": f"{listener.url}/callbacks/twilio/inbound"}
    with Running("twilio", tmp_path / "ledger") as standin:
        notifier = twilio(standin.url, public=listener.url)
        _post(f"{standin.url}/standin/inbound", {**person, "body": "СТОП", "opt_out_type": "STOP"})
        standin.drained()
        (error,) = errors(send(notifier, [sms(1)]))
        _post(f"{standin.url}/standin/inbound", {**person, "body": "старт"})
        standin.drained()
        assert not errors(send(notifier, [sms(1)]))
        standin.drained()
    assert error.reason is Failure.OPTED_OUT
    heard = [each for request in listener.received for each in notifier.parse_callback(request)]
    words = [each for each in heard if isinstance(each, Inbound)]
    assert [word.keyword for word in words] == [Keyword.STOP, Keyword.START]
    assert {word.sender for word in words} == {sms(1).to}


@pytest.mark.parametrize(
    ("fault", "reason"), [("bounce", Failure.INVALID_ADDRESS), ("bounce_full", Failure.MAILBOX_FULL)]
)
def test_the_relay_bounces_what_it_took(tmp_path: Path, listener: Listener, fault: str, reason: Failure) -> None:
    """A bounce is posted to the address the relay's pipe would call and leads back to its delivery."""
    options = ("--faults", fault, "--bounce-url", f"{listener.url}/callbacks/mail/bounce")
    with Running("smtp", tmp_path / "ledger", *options) as relay:
        notifier = smtp(relay.url)
        assert not errors(send(notifier, [mail(1), mail(2)]))
    receipts = [each for request in listener.received for each in notifier.parse_callback(request)]
    assert {each.delivery_id for each in receipts if isinstance(each, Receipt)} == {1, 2}
    assert {each.reason for each in receipts if isinstance(each, Receipt)} == {reason}


def test_ledgers_are_their_owners_only(tmp_path: Path) -> None:
    """Numbers and addresses, even made-up ones, are not for everybody to read."""
    with Running("twilio", tmp_path / "one") as standin, Running("smtp", tmp_path / "two") as relay:
        for running in (standin, relay):
            assert stat.S_IMODE(running.ledger.stat().st_mode) == 0o600


def test_a_mail_is_written_down_before_it_is_answered_for(tmp_path: Path) -> None:
    """The ledger of a relay that is killed at once holds everything it said yes to."""
    with Running("smtp", tmp_path / "ledger") as relay:
        settled = send(smtp(relay.url), [mail(number) for number in range(1, 30)])
        relay.kill()
        named = {VERP.read_sender(entry["sender"]) for entry in relay.taken()}
    assert named == {(number, 1) for number in settled}


def test_a_stand_in_stops_when_told(tmp_path: Path) -> None:
    """SIGTERM ends it, also while an answer is owed that would come an hour later."""
    options = ("--faults", "slow", "--slow-seconds", "3600")
    with Running("twilio", tmp_path / "ledger", *options) as standin:
        send(twilio(standin.url, answer_seconds=NO_ANSWER_SECONDS), [sms(1)])
        assert len(standin.taken()) == 1


def test_counts_tell_when_everything_is_over(tmp_path: Path, listener: Listener) -> None:
    """Whoever waits for the callbacks asks the stand-in, not the clock."""
    with Running("twilio", tmp_path / "ledger") as standin:
        notifier = twilio(standin.url, public=listener.url)
        send(notifier, [sms(number) for number in range(1, 6)])
        counts = standin.drained()
    assert (counts["taken"], counts["answered"], counts["waiting"]) == (5, 10, 0)
