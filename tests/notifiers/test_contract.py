"""What every notifier promises, asked of each of them over real sockets on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from notifiers.base import (
    Accepted,
    BadSignature,
    CallbackRequest,
    Channel,
    Failure,
    Message,
    Notifier,
    NotifierError,
    Query,
    text_hash,
)
from notifiers.console import ConsoleOutbox
from notifiers.fake import FakeNotifier
from tests.notifiers.letters import NOW, Outcome, errors, mail, opened, send, sms, smtp, twilio
from tests.notifiers.running import Running
from tests.waiting import until

Make = Callable[[Path, ExitStack, str], Notifier]


def _twilio(directory: Path, stack: ExitStack, faults: str) -> Notifier:
    options = ("--faults", faults, "--slow-seconds", "30")
    return twilio(stack.enter_context(Running("twilio", directory / "twilio.jsonl", *options)).url, answer_seconds=30)


def _smtp(directory: Path, stack: ExitStack, faults: str) -> Notifier:
    options = ("--faults", faults, "--slow-seconds", "30")
    return smtp(stack.enter_context(Running("smtp", directory / "smtp.jsonl", *options)).url, answer_seconds=30)


def _smtp_without_pipelining(directory: Path, stack: ExitStack, faults: str) -> Notifier:
    options = ("--faults", faults, "--slow-seconds", "30", "--no-pipelining")
    return smtp(stack.enter_context(Running("smtp", directory / "smtp.jsonl", *options)).url, answer_seconds=30)


def _console(directory: Path, _stack: ExitStack, _faults: str) -> Notifier:
    return ConsoleOutbox(Channel.SMS, directory, now=lambda: NOW)


def _fake(_directory: Path, _stack: ExitStack, faults: str) -> Notifier:
    return FakeNotifier(Channel.EMAIL, delay=30.0 if "slow" in faults else 0.0)


MAKERS: dict[str, Make] = {
    "twilio_sms": _twilio,
    "smtp_email": _smtp,
    "smtp_email step by step": _smtp_without_pipelining,
    "console": _console,
    "fake": _fake,
}
HOLDING = ("twilio_sms", "smtp_email", "smtp_email step by step", "fake")


@pytest.fixture(params=sorted(MAKERS))
def notifier(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Notifier]:
    with ExitStack() as stack:
        yield MAKERS[request.param](tmp_path, stack, "")


@pytest.fixture(params=HOLDING)
def holding(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Notifier]:
    """A notifier whose provider takes a message and does not answer for it."""
    with ExitStack() as stack:
        yield MAKERS[request.param](tmp_path, stack, "slow=1")


def _taken(directory: Path) -> bool:
    """Whether a stand-in has written a message down."""
    return any(ledger.stat().st_size for ledger in directory.glob("*.jsonl"))


def _messages(notifier: Notifier, number: int) -> list[Message]:
    make = sms if notifier.channel is Channel.SMS else mail
    return [make(delivery_id) for delivery_id in range(1, number + 1)]


def test_every_message_settles_exactly_once(notifier: Notifier) -> None:
    """A window's messages are each accepted once, under a provider's id of their own."""
    settled = send(notifier, _messages(notifier, 50))
    accepted = [outcome for outcome in settled.values() if isinstance(outcome, Accepted)]
    assert len(accepted) == 50
    assert len({outcome.provider_id for outcome in accepted}) == 50
    assert {outcome.provider for outcome in accepted} == {notifier.name}


def test_nothing_to_send_is_nothing_done(notifier: Notifier) -> None:
    """An empty window settles nothing and does not fail."""
    assert send(notifier, []) == {}


def test_opens_and_closes_more_than_once(notifier: Notifier) -> None:
    """A notifier that was closed can be opened again, also in another event loop."""
    first = send(notifier, _messages(notifier, 2))
    second = send(notifier, _messages(notifier, 2))
    assert not errors(first)
    assert not errors(second)


def test_two_windows_may_be_under_way(notifier: Notifier) -> None:
    """Two calls of send at the same time each settle their own."""
    messages = _messages(notifier, 20)
    halves: list[list[int]] = [[], []]

    async def both(each: Notifier) -> None:
        await asyncio.gather(
            each.send(messages[:10], lambda message, _outcome: halves[0].append(message.delivery_id)),
            each.send(messages[10:], lambda message, _outcome: halves[1].append(message.delivery_id)),
        )

    asyncio.run(opened(notifier, both))
    assert [sorted(half) for half in halves] == [list(range(1, 11)), list(range(11, 21))]


@pytest.mark.parametrize("name", sorted(MAKERS.keys() - {"fake"}))
def test_sending_before_opening_is_a_mistake(name: str, tmp_path: Path) -> None:
    """Whoever forgets to open gets an error and no message is lost without a word."""
    with ExitStack() as stack:
        notifier = MAKERS[name](tmp_path, stack, "")
        with pytest.raises(RuntimeError, match=r"open\(\)"):
            asyncio.run(notifier.send(_messages(notifier, 1), lambda _message, _outcome: None))


def test_a_cancelled_window_is_settled_to_the_last_message(holding: Notifier, tmp_path: Path) -> None:
    """When the sender is stopped mid-way, what was handed over is unknown and the rest is known to be unsent."""
    settled: dict[int, Outcome] = {}
    messages = _messages(holding, 40)

    def settle(message: Message, outcome: Outcome) -> None:
        assert message.delivery_id not in settled
        settled[message.delivery_id] = outcome

    async def stop_midway(each: Notifier) -> None:
        task = asyncio.create_task(each.send(messages, settle))
        if not isinstance(each, FakeNotifier):
            await asyncio.to_thread(until, lambda: _taken(tmp_path), "the provider takes one")
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(opened(holding, stop_midway))
    assert set(settled) == set(range(1, 41))
    unknown = [error for error in errors(settled) if error.sent == "unknown"]
    unsent = [error for error in errors(settled) if error.reason is Failure.NOT_STARTED]
    assert len(unknown) + len(unsent) == 40
    assert len(unknown) <= holding.window
    assert isinstance(holding, FakeNotifier) or unknown


def test_a_stranger_is_not_believed(notifier: Notifier) -> None:
    """A callback without a signature is refused on every path the notifier has, and on any other."""
    for path in [*notifier.callbacks, "/callbacks/elsewhere"]:
        request = CallbackRequest(path, "d=1&a=1", {}, b"MessageSid=SM1&MessageStatus=delivered", NOW)
        with pytest.raises(BadSignature):
            notifier.parse_callback(request)


def test_asking_about_strangers_finds_nothing(notifier: Notifier) -> None:
    """A provider that never saw an attempt is silent about it."""
    found: list[object] = []

    async def ask(each: Notifier) -> None:
        query = Query(999, 1, "+79009999999", text_hash("never sent"), NOW)
        found.extend(await each.reconcile([query]))

    asyncio.run(opened(notifier, ask))
    assert found == []


def test_no_number_reaches_the_log(notifier: Notifier, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is logged while sending, at any level, holds neither an address nor a word of the text."""
    caplog.set_level("DEBUG")
    messages = _messages(notifier, 3)
    send(notifier, messages)

    async def ask(each: Notifier) -> None:
        await each.reconcile([Query(1, 1, messages[0].to, text_hash(messages[0].body), NOW)])

    asyncio.run(opened(notifier, ask))
    for message in messages:
        assert message.to not in caplog.text
        assert message.to.removeprefix("+") not in caplog.text
        assert message.body[:20] not in caplog.text


@pytest.mark.parametrize(
    "make", [lambda: twilio("http://127.0.0.1:9"), lambda: smtp("smtp://127.0.0.1:9")], ids=["twilio", "smtp"]
)
def test_a_closed_door_is_tried_once_per_window(make: Callable[[], Notifier]) -> None:
    """Where nobody listens every message is provably unsent, and may be tried again."""
    notifier = make()
    failed = errors(send(notifier, _messages(notifier, 30)))
    assert len(failed) == 30
    assert {(error.reason, error.sent, error.permanent) for error in failed} == {(Failure.NO_CONNECTION, "no", False)}


def test_an_error_says_its_reason_and_no_address() -> None:
    """The text of an error is made of codes."""
    error = NotifierError(Failure.OPTED_OUT, permanent=True, code="21610")
    assert str(error) == "opted_out code=21610 sent=no permanent=True"
