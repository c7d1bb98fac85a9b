from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from notifiers.base import (
    Accepted,
    CallbackRequest,
    Failure,
    Notifier,
    Query,
    Receipt,
    text_hash,
    utc_now,
)
from notifiers.twilio_sms import TwilioSms
from tests.notifiers.letters import NO_ANSWER_SECONDS, errors, opened, send, sms, twilio
from tests.notifiers.listening import Listener
from tests.notifiers.running import Running
from tests.waiting import PATIENCE


def _reconcile(notifier: Notifier, queries: list[Query]) -> list[Receipt]:
    found: list[Receipt] = []

    async def ask(each: Notifier) -> None:
        found.extend(await each.reconcile(queries))

    asyncio.run(opened(notifier, ask))
    return found


def _read(notifier: TwilioSms, received: list[CallbackRequest]) -> list[Receipt]:
    parsed = [each for request in received for each in notifier.parse_callback(request)]
    return [each for each in parsed if isinstance(each, Receipt)]


def test_what_is_posted_is_what_was_asked(tmp_path: Path) -> None:
    """One message is one entry in the provider's ledger, with our delivery and attempt in the callback's address."""
    with Running("twilio", tmp_path / "ledger") as standin:
        message = sms(7, attempt=3, body="Связь работает. " * 8)
        (outcome,) = send(twilio(standin.url), [message]).values()
        (entry,) = standin.taken()
    assert isinstance(outcome, Accepted)
    assert (outcome.provider, outcome.segments, outcome.state) == ("twilio", 2, "accepted")
    assert entry["sid"] == outcome.provider_id
    assert (entry["to"], entry["delivery"], entry["attempt"]) == (message.to, "7", "3")
    assert entry["text_hash"] == text_hash(message.body)


@pytest.mark.parametrize(
    ("number", "reason", "permanent", "pauses"),
    [
        ("+15005550001", Failure.INVALID_ADDRESS, True, False),
        ("+15005550002", Failure.NOT_ROUTABLE, True, False),
        ("+15005550003", Failure.CONFIGURATION, True, True),
        ("+15005550004", Failure.OPTED_OUT, True, False),
        ("+15005550009", Failure.INVALID_ADDRESS, True, False),
    ],
)
def test_refusals_are_read_by_code(tmp_path: Path, number: str, reason: Failure, permanent: bool, pauses: bool) -> None:
    """Twilio's magic numbers each fail for their own reason, and provably unsent."""
    with Running("twilio", tmp_path / "ledger") as standin:
        (error,) = errors(send(twilio(standin.url), [sms(1, to=number)]))
        assert standin.taken() == []
    assert (error.reason, error.permanent, error.pause_campaign, error.sent) == (reason, permanent, pauses, "no")


@pytest.mark.parametrize(
    ("fault", "sent", "reason", "taken"),
    [
        ("busy", "no", Failure.RATE_LIMITED, 0),
        ("error", "unknown", Failure.NO_ANSWER, 0),
        ("reset", "unknown", Failure.NO_ANSWER, 0),
        ("reset_after", "unknown", Failure.NO_ANSWER, 1),
        ("error_after", "unknown", Failure.NO_ANSWER, 1),
        ("slow", "unknown", Failure.NO_ANSWER, 1),
        ("refuse", "no", Failure.INVALID_ADDRESS, 0),
    ],
)
def test_one_post_per_attempt_whatever_happens(
    tmp_path: Path, fault: str, sent: str, reason: Failure, taken: int
) -> None:
    """No fault makes the client post twice, and only what is proven unsent is called so."""
    patience = NO_ANSWER_SECONDS if fault == "slow" else PATIENCE
    with Running("twilio", tmp_path / "ledger", "--faults", fault, "--slow-seconds", str(PATIENCE)) as standin:
        (error,) = errors(send(twilio(standin.url, answer_seconds=patience), [sms(1)]))
        assert len(standin.taken()) == taken
    assert (error.reason, error.sent, error.permanent) == (reason, sent, fault == "refuse")
    assert error.retry_after == (1.0 if fault == "busy" else None)


def test_a_wrong_token_pauses_the_campaign_after_few_tries(tmp_path: Path) -> None:
    """When the account is refused, the rest of the window is not started instead of failing one by one."""
    with Running("twilio", tmp_path / "ledger", "--auth-token", "another") as standin:
        settled = send(twilio(standin.url, window=4), [sms(number) for number in range(1, 41)])
    reasons = [error.reason for error in errors(settled)]
    assert set(reasons) == {Failure.UNAUTHORISED, Failure.NOT_STARTED}
    assert 1 <= reasons.count(Failure.UNAUTHORISED) <= 4


def test_a_stale_notice_is_not_sent(tmp_path: Path) -> None:
    """A message with no life left expires here rather than in a queue."""
    with Running("twilio", tmp_path / "ledger") as standin:
        (error,) = errors(send(twilio(standin.url), [sms(1)._replace(valid_for=3)]))
        assert standin.taken() == []
    assert (error.reason, error.permanent, error.sent) == (Failure.EXPIRED, True, "no")


def test_the_environment_cannot_bend_the_stand_ins_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TWILIO_EDGE and TWILIO_REGION, which the SDK would weave into the host name, change nothing."""
    monkeypatch.setenv("TWILIO_EDGE", "dublin")
    monkeypatch.setenv("TWILIO_REGION", "ie1")
    with Running("twilio", tmp_path / "ledger") as standin:
        assert not errors(send(twilio(standin.url), [sms(1)]))


def test_signed_receipts_lead_back_to_the_delivery(tmp_path: Path, listener: Listener) -> None:
    """Every callback of the stand-in, signed by code of its own, is authentic to the SDK's validator."""
    with Running("twilio", tmp_path / "ledger", "--faults", "double=0.5,shuffle=0.5") as standin:
        notifier = twilio(standin.url, public=listener.url)
        settled = send(notifier, [sms(number) for number in range(1, 21)])
        counts = standin.drained()
    receipts = _read(notifier, listener.received)
    assert counts["callbacks_refused"] == counts["callbacks_unreachable"] == 0
    assert len(receipts) > 40, "some come twice"
    for number, outcome in settled.items():
        assert isinstance(outcome, Accepted)
        states = {receipt.state for receipt in receipts if receipt.delivery_id == number}
        sids = {receipt.provider_id for receipt in receipts if receipt.delivery_id == number}
        assert states == {"sent", "delivered"}
        assert sids == {outcome.provider_id}


def test_an_undelivered_message_says_why(tmp_path: Path, listener: Listener) -> None:
    """The error code of a receipt becomes our reason."""
    with Running("twilio", tmp_path / "ledger", "--faults", "undelivered") as standin:
        notifier = twilio(standin.url, public=listener.url)
        send(notifier, [sms(number) for number in range(1, 11)])
        standin.drained()
    last = [receipt for receipt in _read(notifier, listener.received) if receipt.state == "undelivered"]
    assert len(last) == 10
    assert {receipt.reason for receipt in last} <= {
        Failure.UNREACHABLE,
        Failure.NOT_ROUTABLE,
        Failure.FILTERED,
        Failure.UNCLASSIFIED,
    }
    assert all(receipt.error_code for receipt in last)


def test_a_lost_answer_is_found_by_number_text_and_time(tmp_path: Path) -> None:
    """What Twilio took and never answered for is adopted from its list, also while it is queued and has no DateSent."""
    begun = utc_now()
    with Running("twilio", tmp_path / "ledger", "--faults", "reset_after", "--step-seconds", "60") as standin:
        notifier = twilio(standin.url)
        messages = [sms(1), sms(2), sms(3, to="+79000000001", body="Другой текст.")]
        assert {error.sent for error in errors(send(notifier, messages))} == {"unknown"}
        queries = [Query(each.delivery_id, 1, each.to, text_hash(each.body), begun) for each in messages]
        queries.append(Query(4, 1, "+79000000001", text_hash("Такого не было."), begun))
        queries.append(Query(5, 1, "+79000000001", text_hash(messages[0].body), begun + timedelta(hours=1)))
        found = _reconcile(notifier, queries)
        sids = {int(entry["delivery"]): entry["sid"] for entry in standin.taken()}
    assert {receipt.delivery_id: receipt.provider_id for receipt in found} == sids
    assert {receipt.state for receipt in found} == {"accepted"}


def test_after_a_storm_every_unknown_is_told_apart(tmp_path: Path) -> None:
    """Among many faults the ledger has each message at most once, and asking finds exactly those unknown it has."""
    begun = utc_now()
    storm = "busy=0.05,refuse=0.05,error=0.05,reset=0.05,reset_after=0.1,error_after=0.1"
    with Running("twilio", tmp_path / "ledger", "--faults", storm, "--seed", "4") as standin:
        notifier = twilio(standin.url, window=16)
        settled = send(notifier, [sms(number) for number in range(1, 201)])
        taken = Counter(int(entry["delivery"]) for entry in standin.taken())
        failed = {number: outcome for number, outcome in settled.items() if not isinstance(outcome, Accepted)}
        unknown = {number for number, error in failed.items() if error.sent == "unknown"}
        asked = [Query(number, 1, sms(number).to, text_hash(sms(number).body), begun) for number in sorted(unknown)]
        found = {receipt.delivery_id for receipt in _reconcile(notifier, asked)}
    assert max(taken.values()) == 1
    assert settled.keys() - failed <= taken.keys() <= (settled.keys() - failed) | unknown
    assert found == unknown & taken.keys()
    assert found != unknown


def test_two_unknowns_never_adopt_one_message(tmp_path: Path) -> None:
    """Two attempts with one text to one number, of which one arrived, are not both called sent."""
    begun = utc_now()
    with Running("twilio", tmp_path / "ledger", "--faults", "reset_after") as standin:
        notifier = twilio(standin.url)
        send(notifier, [sms(1)])
        query = Query(1, 1, sms(1).to, text_hash(sms(1).body), begun)
        found = _reconcile(notifier, [query, query._replace(attempt=2)])
    assert len(found) == 1


def test_a_known_message_is_asked_for_by_its_sid(tmp_path: Path) -> None:
    """When callbacks were lost the provider's own record tells how it ended."""
    with Running("twilio", tmp_path / "ledger", "--faults", "lost", "--step-seconds", "0.001") as standin:
        notifier = twilio(standin.url)
        (outcome,) = send(notifier, [sms(1)]).values()
        assert isinstance(outcome, Accepted)
        query = Query(1, 1, sms(1).to, text_hash(sms(1).body), utc_now(), outcome.provider_id)
        (receipt,) = _reconcile(notifier, [query])
        assert _reconcile(notifier, [query._replace(provider_id="SM" + "f" * 32)]) == []
    assert (receipt.state, receipt.delivery_id, receipt.provider_id) == ("delivered", 1, outcome.provider_id)


def test_a_busy_provider_is_sent_less_at_a_time_and_more_again_later(tmp_path: Path) -> None:
    """A window refused with 429 halves the number in flight once, and success lets it grow."""
    with Running("twilio", tmp_path / "ledger", "--faults", "busy=0.5", "--seed", "3") as standin:
        notifier = twilio(standin.url, window=16)
        send(notifier, [sms(number) for number in range(1, 17)])
        slowed = notifier.in_flight
        send(notifier, [sms(number) for number in range(100, 300)])
        assert 8 <= slowed <= 12
        assert notifier.in_flight > slowed
