"""Open SMTP connections, kept between mails and between windows."""

from __future__ import annotations

import asyncio
import ipaddress
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import unquote, urlsplit

from notifiers.base import Failure, NotifierError
from notifiers.smtp_codes import Stage, refusal
from notifiers.smtp_dialogue import SmtpDialogue

if TYPE_CHECKING:
    import aiosmtplib

CONNECTIONS = 8
LETTERS_PER_CONNECTION = 200
CONNECT_SECONDS = 10.0


class SmtpServer(NamedTuple):
    """Where mail goes. `start_tls` None takes TLS when it is offered; a certificate is always checked."""

    host: str
    port: int
    use_tls: bool
    start_tls: bool | None
    username: str | None
    password: str | None

    @classmethod
    def parse(cls, url: str) -> SmtpServer:
        """Reads `smtp[s]://user:password@host:port`. A password leaves the machine under TLS only.

        Raises `ValueError`, which does not repeat the URL: it may hold a password.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
            raise ValueError("SMTP_URL is not smtp[s]://[user:password@]host[:port]")
        username = unquote(parts.username) if parts.username else None
        password = unquote(parts.password) if parts.password else None
        secure = parts.scheme == "smtps"
        port = parts.port or (465 if secure else 587 if username else 25)
        if secure or _is_loopback(parts.hostname):
            start_tls: bool | None = False
        else:
            start_tls = True if username else None
        return cls(parts.hostname, port, secure, start_tls, username, password)


class SmtpPool:
    """At most `connections` at a time; each is left after `LETTERS_PER_CONNECTION`, as relays like it."""

    def __init__(self, server: SmtpServer, client_name: str, connections: int, answer_seconds: float) -> None:
        self._server = server
        self._client_name = client_name
        self._answer_seconds = answer_seconds
        self._places = asyncio.Semaphore(connections)
        self._idle: list[SmtpDialogue] = []

    async def borrow(self) -> SmtpDialogue:
        """A dialogue ready for a mail. Raises `NotifierError` when none can be opened."""
        await self._places.acquire()
        try:
            return self._kept() or await self._open()
        except BaseException:
            self._places.release()
            raise

    def give_back(self, dialogue: SmtpDialogue) -> None:
        """Keeps it for the next mail unless it has ended or done its share."""
        self._places.release()
        if tired(dialogue):
            dialogue.quit()
        else:
            self._idle.append(dialogue)

    async def close(self) -> None:
        idle, self._idle = self._idle, []
        for dialogue in idle:
            dialogue.quit()
        await asyncio.gather(*(dialogue.left() for dialogue in idle))

    def _kept(self) -> SmtpDialogue | None:
        while self._idle:
            dialogue = self._idle.pop()
            if dialogue.usable:
                return dialogue
        return None

    async def _open(self) -> SmtpDialogue:
        import aiosmtplib

        server = self._server
        client = _client()(
            hostname=server.host,
            port=server.port,
            use_tls=server.use_tls,
            start_tls=server.start_tls,
            username=server.username,
            password=server.password,
            local_hostname=self._client_name,
            timeout=CONNECT_SECONDS,
        )
        try:
            await client.connect()
            if client.is_ehlo_or_helo_needed:
                await _greet(client)
        except aiosmtplib.SMTPAuthenticationError as error:
            raise _login_refused(error) from error
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            client.close()
            code = error.code if isinstance(error, aiosmtplib.SMTPResponseException) else type(error).__name__
            raise NotifierError(Failure.NO_CONNECTION, sent="no", code=str(code)) from error
        transport = cast(asyncio.Transport, client.transport)
        pipelining = client.supports_extension("pipelining")
        dialogue = SmtpDialogue(transport, pipelining=pipelining, answer_seconds=self._answer_seconds)
        transport.set_protocol(dialogue)
        return dialogue


@cache
def _client() -> type[aiosmtplib.SMTP]:
    # Imported on first use, and its class made then.
    import aiosmtplib

    class Client(aiosmtplib.SMTP):
        """Opens connections. One that could not be opened is cut off: under TLS its `close` would wait for the server's
        word, and outlive the pool."""

        def close(self) -> None:
            transport = self.transport
            super().close()
            if transport is not None:
                cast(asyncio.Transport, transport).abort()

    return Client


def tired(dialogue: SmtpDialogue) -> bool:
    """Whether no further mail is to begin on it."""
    return not dialogue.usable or dialogue.letters >= LETTERS_PER_CONNECTION


async def _greet(client: aiosmtplib.SMTP) -> None:
    """EHLO, or HELO to a relay that refuses it (RFC 5321, 4.1.1.1)."""
    import aiosmtplib

    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError:
        await client.helo()


def _login_refused(error: aiosmtplib.SMTPAuthenticationError) -> NotifierError:
    return refusal(Stage.CONNECT, error.code, error.message)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
