"""Mail to Postfix's smtp-sink: what it counts is what we say, also while it refuses, drops and says goodbye."""

from __future__ import annotations

import os
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from notifiers.base import Accepted, Failure
from statuspage.demo.processes import free_port
from tests.notifiers.letters import Outcome, send
from tests.proof import letters, peers

LETTERS = 60
MAILBOX_GONE = "550 5.1.1 No such user here"


@contextmanager
def sink(folder: Path, *options: str) -> Iterator[str]:
    """Where an smtp-sink listens that keeps each mail in a file of `folder`."""
    words = [peers.program("smtp-sink", "/usr/sbin"), *options, "-d", "%H%M%S."]
    if os.geteuid() == 0:
        words += ["-u", "root"]
    port = free_port()
    with peers.running([*words, f"127.0.0.1:{port}", "100"], folder):
        deadline = time.monotonic() + peers.PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < deadline, "smtp-sink does not listen"
                time.sleep(0.02)
        yield f"smtp://127.0.0.1:{port}"


def told(settled: dict[int, Outcome]) -> Counter[tuple[str, str, bool]]:
    """Outcomes by (reason or state, whether it was sent, whether trying again is of no use)."""
    return Counter(
        (one.state, "yes", False) if isinstance(one, Accepted) else (one.reason.value, one.sent, one.permanent)
        for one in settled.values()
    )


def kept(folder: Path) -> list[Path]:
    """The mails that the sink took."""
    return [path for path in folder.iterdir() if path.name[:6].isdigit()]


@pytest.mark.parametrize(
    "options", [(), ("-p",), ("-p", "-8", "-E"), ("-e",)], ids=["pipelining", "step by step", "few extensions", "HELO"]
)
def test_the_sink_takes_each_mail_once(tmp_path: Path, options: tuple[str, ...]) -> None:
    """With PIPELINING, without it, and where only HELO is known: every mail once, whole, under its own Message-ID."""
    with sink(tmp_path, *options) as url:
        settled = send(letters.notifier(url), [letters.mail(number) for number in range(LETTERS)])
    assert told(settled) == {("sent", "yes", False): LETTERS}
    files = kept(tmp_path)
    assert len(files) == LETTERS
    assert max(map(letters.longest_line, files)) <= letters.LONGEST_LINE
    read = letters.read(files)
    assert set(read) == set(range(LETTERS))
    for number, seen in read.items():
        letters.check(number, seen)
    named = {seen["messageId"].strip("<>") for seen in read.values()}
    assert named == {one.provider_id for one in settled.values() if isinstance(one, Accepted)}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("-r", "MAIL"), (Failure.TEMPORARY, "no", False)),
        (("-r", "RCPT"), (Failure.TEMPORARY, "no", False)),
        (("-r", "DATA"), (Failure.TEMPORARY, "no", False)),
        (("-r", "."), (Failure.TEMPORARY, "no", False)),
        (("-b", "452 4.2.2 Mailbox full", "-r", "RCPT"), (Failure.MAILBOX_FULL, "no", False)),
        (("-B", MAILBOX_GONE, "-f", "RCPT"), (Failure.INVALID_ADDRESS, "no", True)),
        (("-f", "CONNECT"), (Failure.NO_CONNECTION, "no", False)),
        (("-q", "MAIL"), (Failure.TEMPORARY, "no", False)),
        (("-q", "RCPT"), (Failure.TEMPORARY, "no", False)),
        (("-q", "DATA"), (Failure.TEMPORARY, "no", False)),
        (("-Q", "MAIL"), (Failure.TEMPORARY, "no", False)),
        (("-Q", "DATA"), (Failure.TEMPORARY, "no", False)),
        (("-q", "."), (Failure.NO_ANSWER, "unknown", False)),
    ],
    ids=lambda words: " ".join(words) if isinstance(words[0], str) and words[0].startswith("-") else "",
)
def test_each_refusal_is_read_as_it_is_meant(
    tmp_path: Path, options: tuple[str, ...], expected: tuple[Failure, str, bool]
) -> None:
    """Refused softly or for good, or dropped, at each command: only what was dropped after the dot is unknown."""
    with sink(tmp_path, *options) as url:
        settled = send(letters.notifier(url), [letters.mail(number) for number in range(6)])
    reason, sent, permanent = expected
    assert told(settled) == {(reason.value, sent, permanent): 6}
