from __future__ import annotations

import asyncio
import json
import os
import stat
from pathlib import Path

import pytest

from notifiers.base import UNSUBSCRIBE_SLOT, Accepted, Channel, Failure, NotifierError, Query, text_hash
from notifiers.console import ConsoleOutbox
from tests.notifiers.letters import NOW, errors, mail, send, sms


def test_a_person_can_read_what_would_have_been_sent(tmp_path: Path) -> None:
    """The file holds each message as its reader would get it, the link filled in, for its owner's eyes only."""
    outbox = ConsoleOutbox(Channel.EMAIL, tmp_path / "var", now=lambda: NOW)
    send(outbox, [mail(1), mail(2)])
    path = tmp_path / "var" / "outbox.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first, second = [json.loads(line) for line in path.read_text().splitlines()]
    assert (first["delivery"], first["to"], first["subject"]) == (1, "person1@example.com", mail(1).subject)
    link = mail(1).unsubscribe_url
    assert link is not None
    assert (first["body"], first["unsubscribe_url"]) == (mail(1).body.replace(UNSUBSCRIBE_SLOT, link), link)
    assert UNSUBSCRIBE_SLOT not in path.read_text()
    assert link in first["body"]
    assert (second["delivery"], second["at"], second["channel"]) == (2, "2026-11-22T11:20:00+00:00", "email")


def test_the_log_has_ids_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One line per message, with its delivery and attempt."""
    caplog.set_level("INFO")
    send(ConsoleOutbox(Channel.SMS, tmp_path, now=lambda: NOW), [sms(7, attempt=2)])
    assert [record.getMessage() for record in caplog.records if record.name == "notifiers.console"] == [
        "outbox delivery=7 attempt=2 channel=sms"
    ]


def test_two_channels_share_the_file(tmp_path: Path) -> None:
    """SMS and mail go to one outbox, and each finds only its own again."""
    short, long = (ConsoleOutbox(channel, tmp_path, now=lambda: NOW) for channel in (Channel.SMS, Channel.EMAIL))
    (outcome,) = send(short, [sms(1, body="я" * 71)]).values()
    send(long, [mail(2)])
    assert isinstance(outcome, Accepted)
    assert outcome.segments == 2
    assert len((tmp_path / "outbox.jsonl").read_text().splitlines()) == 2


def test_what_was_written_before_a_kill_is_found(tmp_path: Path) -> None:
    """A sender that died between writing and settling learns from the file what it wrote."""
    outbox = ConsoleOutbox(Channel.SMS, tmp_path, now=lambda: NOW)
    send(outbox, [sms(1)])
    with (tmp_path / "outbox.jsonl").open("a") as half:
        half.write('{"delivery": 3, "att')
    queries = [Query(number, 1, sms(number).to, text_hash(sms(number).body), NOW) for number in (1, 2, 3)]
    found = asyncio.run(outbox.reconcile(queries))
    assert [(receipt.delivery_id, receipt.state) for receipt in found] == [(1, "sent")]


def test_a_full_disk_is_a_failure_of_each_message(tmp_path: Path) -> None:
    """What could not be written is unsent and may be tried again."""
    outbox = ConsoleOutbox(Channel.SMS, tmp_path, now=lambda: NOW)
    (tmp_path / "outbox.jsonl").symlink_to("/dev/full")
    failed = errors(send(outbox, [sms(1), sms(2)]))
    assert [(error.reason, error.sent) for error in failed] == [(Failure.NO_CONNECTION, "no")] * 2
    assert not any(error.permanent for error in failed)


def test_a_disk_that_fills_up_in_the_middle_tears_one_message_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever's line is whole was told; whoever's was torn is told later, on a line that can be read."""
    outbox = ConsoleOutbox(Channel.SMS, tmp_path, now=lambda: NOW)
    write = os.write
    monkeypatch.setattr("notifiers.console.os.write", lambda to, data: write(to, data[: len(data) * 5 // 6]))
    first, second, third = (sms(number) for number in (1, 2, 3))
    settled = send(outbox, [first, second, third])
    monkeypatch.undo()
    outcomes = [isinstance(settled[one.delivery_id], Accepted) for one in (first, second, third)]
    assert outcomes == [True, True, False]
    send(outbox, [sms(3, attempt=2)])
    queries = [Query(number, attempt, sms(number).to, "", NOW) for number, attempt in ((1, 1), (2, 1), (3, 1), (3, 2))]
    found = asyncio.run(outbox.reconcile(queries))
    assert [(receipt.delivery_id, receipt.attempt) for receipt in found] == [(1, 1), (2, 1), (3, 2)]


def test_an_outbox_that_is_gone_is_asked_again_later(tmp_path: Path) -> None:
    """The fate of its messages stays unknown meanwhile."""
    outbox = ConsoleOutbox(Channel.SMS, tmp_path, now=lambda: NOW)
    with pytest.raises(NotifierError):
        asyncio.run(outbox.reconcile([Query(1, 1, sms(1).to, "", NOW)]))
