from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from notifiers.base import Accepted, CallbackRequest, Failure, Receipt
from notifiers.smtp_pool import LETTERS_PER_CONNECTION, SmtpServer
from notifiers.standins.smtp_bounces import bounce
from tests.notifiers.letters import NO_ANSWER_SECONDS, NOW, VERP, Outcome, errors, mail, send, smtp
from tests.notifiers.running import Running
from tests.waiting import PATIENCE


@pytest.fixture(params=["pipelining", "step by step"])
def manner(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return () if request.param == "pipelining" else ("--no-pipelining",)


def test_the_relay_has_what_was_accepted(tmp_path: Path, manner: tuple[str, ...]) -> None:
    """Each mail is in the relay's ledger once, under its Message-ID, from its signed return path."""
    with Running("smtp", tmp_path / "ledger", *manner) as relay:
        settled = send(smtp(relay.url), [mail(number) for number in range(1, 61)])
        taken = {int(entry["delivery"]): entry for entry in relay.taken()}
        assert len(relay.taken()) == 60
    for number, outcome in settled.items():
        assert isinstance(outcome, Accepted)
        assert (outcome.state, outcome.segments) == ("sent", None)
        assert taken[number]["message_id"] == outcome.provider_id
        assert taken[number]["to"] == taken[number]["recipient"] == f"person{number}@example.com"
        assert VERP.read_sender(taken[number]["sender"]) == (number, 1)


@pytest.mark.parametrize(
    ("fault", "reason", "permanent", "sent", "taken"),
    [
        ("busy", Failure.RATE_LIMITED, False, "no", 0),
        ("refuse", Failure.INVALID_ADDRESS, True, "no", 0),
        ("full", Failure.MAILBOX_FULL, False, "no", 0),
        ("defer", Failure.TEMPORARY, False, "no", 0),
        ("filter", Failure.REPUTATION, True, "no", 0),
        ("drop_before", Failure.NO_ANSWER, False, "unknown", 0),
        ("drop_after", Failure.NO_ANSWER, False, "unknown", 1),
        ("slow", Failure.NO_ANSWER, False, "unknown", 1),
    ],
)
def test_only_what_was_handed_over_and_not_answered_is_unknown(
    tmp_path: Path, manner: tuple[str, ...], fault: str, reason: Failure, permanent: bool, sent: str, taken: int
) -> None:
    """A refusal proves that nothing was sent; a line lost after the mail proves nothing."""
    patience = NO_ANSWER_SECONDS if fault == "slow" else PATIENCE
    slow = ("--slow-seconds", str(PATIENCE))
    with Running("smtp", tmp_path / "ledger", "--faults", fault, *slow, *manner) as relay:
        (error,) = errors(send(smtp(relay.url, answer_seconds=patience), [mail(1)]))
        assert len(relay.taken()) == taken
    assert (error.reason, error.permanent, error.sent) == (reason, permanent, sent)


def test_a_storm_of_faults_loses_and_doubles_nobody(tmp_path: Path, manner: tuple[str, ...]) -> None:
    """Among many faults each message's outcome agrees with the relay's ledger: sent is there, unsent is not."""
    storm = "busy=0.05,refuse=0.1,defer=0.1,filter=0.05,drop_before=0.05,drop_after=0.05"
    with Running("smtp", tmp_path / "ledger", "--faults", storm, "--seed", "5", *manner) as relay:
        settled = send(smtp(relay.url), [mail(number) for number in range(1, 301)])
        taken = Counter(int(entry["delivery"]) for entry in relay.taken())
    assert not taken or max(taken.values()) == 1
    failed = {number: outcome for number, outcome in settled.items() if not isinstance(outcome, Accepted)}
    accepted = settled.keys() - failed
    unknown = {number for number, error in failed.items() if error.sent == "unknown"}
    assert accepted <= set(taken) <= accepted | unknown
    assert len(accepted) > 150
    assert unknown
    reasons = {error.reason for error in errors(settled)}
    assert {Failure.INVALID_ADDRESS, Failure.TEMPORARY, Failure.REPUTATION, Failure.NO_ANSWER} <= reasons


def test_a_connection_is_left_after_its_share(tmp_path: Path, manner: tuple[str, ...]) -> None:
    """More mails than one connection carries go over several, none lost at the change."""
    number = 2 * LETTERS_PER_CONNECTION + 10
    with Running("smtp", tmp_path / "ledger", *manner) as relay:
        settled = send(smtp(relay.url, connections=1), [mail(each) for each in range(1, number + 1)])
        assert len(relay.taken()) == number
    assert not errors(settled)


def test_a_bad_address_among_good_ones_stops_nobody(tmp_path: Path) -> None:
    """An address that cannot be written is refused before the relay sees it."""
    messages = [mail(1), mail(2, to="анна@example.com"), mail(3, to="x@y.example\r\nDATA"), mail(4)]
    with Running("smtp", tmp_path / "ledger") as relay:
        settled = send(smtp(relay.url, connections=1), messages)
        assert [entry["delivery"] for entry in relay.taken()] == ["1", "4"]
    assert [error.reason for error in errors(settled)] == [Failure.INVALID_ADDRESS] * 2


def test_a_bounce_comes_back_as_a_receipt() -> None:
    """What a relay pipes to the bounce address names the delivery it belongs to."""
    notifier = smtp("smtp://127.0.0.1:9")
    sender = VERP.sender(9, 1)
    raw = bounce(sender, "person9@example.com", VERP.message_id(9), "5.1.1", "no such user")
    (receipt,) = notifier.parse_callback(CallbackRequest("/callbacks/mail/bounce", "", {}, raw, NOW))
    assert isinstance(receipt, Receipt)
    assert (receipt.delivery_id, receipt.state, receipt.at) == (9, "undelivered", NOW)


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://127.0.0.1:2525", SmtpServer("127.0.0.1", 2525, False, False, None, None)),
        ("smtp://relay.example", SmtpServer("relay.example", 25, False, None, None, None)),
        ("smtp://me:p%40ss@relay.example", SmtpServer("relay.example", 587, False, True, "me", "p@ss")),
        ("smtps://me:pass@relay.example", SmtpServer("relay.example", 465, True, False, "me", "pass")),
    ],
)
def test_a_password_never_travels_in_the_open(url: str, server: SmtpServer) -> None:
    """With a password TLS is demanded, without one it is taken when offered, on this machine it is not asked for."""
    assert SmtpServer.parse(url) == server


@pytest.mark.parametrize("url", ["http://me:secret@relay.example", "relay.example", "smtp://"])
def test_a_wrong_url_is_refused_without_repeating_it(url: str) -> None:
    """The message names the setting and not the value."""
    with pytest.raises(ValueError, match="SMTP_URL") as refused:
        SmtpServer.parse(url)
    assert "secret" not in str(refused.value)


def test_a_kept_connection_that_the_relay_left_costs_nobody_anything(tmp_path: Path) -> None:
    """A relay that was restarted between two windows is connected to again, without a failure."""
    outcomes: list[Outcome] = []

    async def across_a_restart(stack: ExitStack) -> None:
        relay = stack.enter_context(Running("smtp", tmp_path / "first"))
        port = relay.url.rpartition(":")[2]
        notifier = smtp(relay.url)
        await notifier.open()
        await notifier.send([mail(number) for number in range(1, 9)], lambda _message, each: outcomes.append(each))
        stack.pop_all().close()
        stack.enter_context(Running("smtp", tmp_path / "second", "--port", port))
        await notifier.send([mail(number) for number in range(9, 17)], lambda _message, each: outcomes.append(each))
        await notifier.close()

    with ExitStack() as stack:
        asyncio.run(across_a_restart(stack))
    assert len(outcomes) == 16
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
