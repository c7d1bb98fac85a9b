"""Mail to a relay of another make (npm smtp-server), which asks for TLS and a log-in, read by npm mailparser."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from notifiers.base import Accepted, Failure
from tests.notifiers.letters import errors, send
from tests.proof import letters, peers

NAME = "relay.demo.example"
USER, PASSWORD = "status", "p@ss:w/rd"
LETTERS = 30


@dataclass
class Relay:
    port: int
    authority: Path
    process: subprocess.Popen[str]
    taken: list[dict[str, Any]] = field(default_factory=list)

    def url(self, password: str = "p%40ss%3Aw%2Frd") -> str:
        return f"smtp://{USER}:{password}@{NAME}:{self.port}"

    def told(self, count: int) -> list[dict[str, Any]]:
        """The next `count` mails that it says it has taken."""
        assert self.process.stdout is not None
        return [json.loads(self.process.stdout.readline()) for _ in range(count)]


def certify(folder: Path) -> tuple[Path, Path, Path]:
    """An authority of this test's own, and a key and certificate for `NAME` that it signed."""
    openssl = peers.program("openssl")
    authority, key, request, certificate = (folder / name for name in ("ca.pem", "key.pem", "csr.pem", "cert.pem"))
    names = folder / "names"
    names.write_text(f"subjectAltName=DNS:{NAME}\n")
    new = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj"]
    root = [*new, "/CN=Proof", "-x509", "-days", "2", "-keyout", str(folder / "ca.key"), "-out", str(authority)]
    asked = [*new, f"/CN={NAME}", "-keyout", str(key), "-out", str(request)]
    signed = ["x509", "-req", "-in", str(request), "-CA", str(authority), "-CAkey", str(folder / "ca.key")]
    signed += ["-CAcreateserial", "-days", "2", "-extfile", str(names), "-out", str(certificate)]
    for words in (root, asked, signed):
        subprocess.run([openssl, *words], check=True, capture_output=True)
    return authority, key, certificate


@pytest.fixture
def relay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    """Reached by a name that is not this machine's own, as a relay is: on loopback no TLS would be asked for."""
    authority, key, certificate = certify(tmp_path)
    resolve = socket.getaddrinfo

    def known(host: Any, *rest: Any, **named: Any) -> Any:
        return resolve("127.0.0.1" if host == NAME else host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", known)
    words = [peers.node(), str(peers.HERE / "relay.mjs"), str(key), str(certificate), USER, PASSWORD, str(tmp_path)]
    with peers.running(words, tmp_path) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().removeprefix("listening "))
        yield Relay(port, authority, process)


def test_mail_over_tls_reads_as_it_was_written(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under STARTTLS and after the log-in each mail arrives once, and both its parts, subject and links are whole."""
    monkeypatch.setenv("SSL_CERT_FILE", str(relay.authority))
    settled = send(letters.notifier(relay.url()), [letters.mail(number) for number in range(LETTERS)])
    taken = relay.told(LETTERS)
    assert {(one["secure"], one["user"]) for one in taken} == {(True, USER)}
    assert len({one["from"] for one in taken}) == LETTERS, "a return path of its own for each"
    files = [Path(one["file"]) for one in taken]
    assert max(map(letters.longest_line, files)) <= letters.LONGEST_LINE
    read = letters.read(files)
    assert set(read) == set(range(LETTERS))
    for number, seen in read.items():
        letters.check(number, seen)
        outcome = settled[number]
        assert isinstance(outcome, Accepted)
        assert seen["messageId"].strip("<>") == outcome.provider_id


def test_a_mail_sent_again_is_the_same_mail(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second attempt has the Message-ID of the first and a return path of its own; another delivery has neither."""
    monkeypatch.setenv("SSL_CERT_FILE", str(relay.authority))
    one = letters.notifier(relay.url())
    for attempt in (1, 2):
        send(one, [letters.mail(1, attempt)])
    send(one, [letters.mail(2)])
    taken = relay.told(3)
    ids = [peers.ask("letters.mjs", [mail["file"]])[0]["messageId"] for mail in taken]
    assert ids[0] == ids[1] != ids[2]
    assert len({mail["from"] for mail in taken}) == 3


def test_a_closed_notifier_has_left_its_relay(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS is closed by both sides before `close` returns: no socket is left for the end of the loop to find."""
    monkeypatch.setenv("SSL_CERT_FILE", str(relay.authority))
    me = psutil.Process()

    async def sockets_left() -> int:
        one, before = letters.notifier(relay.url()), me.num_fds()
        await one.open()
        await one.send([letters.mail(number) for number in range(8)], lambda _message, _outcome: None)
        assert me.num_fds() > before
        await one.close()
        left: int = me.num_fds() - before
        return left

    assert asyncio.run(sockets_left()) == 0


def test_a_relay_that_nobody_vouches_for_gets_nothing(relay: Relay) -> None:
    """Its certificate unknown, neither the password nor a mail leaves; all is proven unsent."""
    settled = send(letters.notifier(relay.url()), [letters.mail(number) for number in range(3)])
    assert {(error.reason, error.sent) for error in errors(settled)} == {(Failure.NO_CONNECTION, "no")}
    assert len(errors(settled)) == 3


def test_a_wrong_password_stops_the_campaign(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    """The relay's 535 is our setting's fault: nothing is sent and the campaign waits."""
    monkeypatch.setenv("SSL_CERT_FILE", str(relay.authority))
    found = errors(send(letters.notifier(relay.url("wrong")), [letters.mail(1)]))
    assert [(error.reason, error.sent, error.pause_campaign) for error in found] == [(Failure.UNAUTHORISED, "no", True)]
