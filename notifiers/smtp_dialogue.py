"""The talk of one SMTP connection once it is open: many mails, one round trip each where the server can PIPELINING.

`aiosmtplib` opens the connection (TLS, log-in); it cannot pipeline and does not tell a connection lost before the
message's final dot from one lost after it, which decides whether a mail is unsent or unknown.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import NamedTuple

from notifiers.base import Failure, NotifierError
from notifiers.envelope import Letter
from notifiers.smtp_codes import Stage, refusal
from notifiers.window import no_answer

LONGEST_REPLY = 32768
LEAVE_SECONDS = 5.0
_STAGES = (Stage.SENDER, Stage.RECIPIENT, Stage.DATA)


class Reply(NamedTuple):
    code: int
    text: str


class ConnectionEnded(Exception):
    """The server is gone, or speaks no SMTP."""


class SmtpDialogue(asyncio.Protocol):
    """Writes commands and pairs the replies with them, in order."""

    def __init__(self, transport: asyncio.Transport, *, pipelining: bool, answer_seconds: float) -> None:
        self._transport = transport
        self._pipelining = pipelining
        self._answer_seconds = answer_seconds
        self._buffer = bytearray()
        self._lines: list[str] = []
        self._replies: deque[Reply] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._ended: ConnectionEnded | None = None
        self._lost = asyncio.Event()
        self.letters = 0

    @property
    def usable(self) -> bool:
        return self._ended is None and not self._transport.is_closing()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end]).rstrip(b"\r").decode("utf-8", "replace")
            del self._buffer[: end + 1]
            if not line[:3].isdigit():
                return self._end("unreadable")
            self._lines.append(line[4:])
            if line[3:4] != "-":
                self._replies.append(Reply(int(line[:3]), " ".join(self._lines)))
                self._lines.clear()
        if len(self._buffer) + sum(map(len, self._lines)) > LONGEST_REPLY:
            return self._end("reply_too_long")
        self._wake()
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(type(exc).__name__ if exc else "closed")
        self._lost.set()

    def propose(self, letter: Letter) -> None:
        """Sends the envelope ahead of the server's replies, where it allows that."""
        if self._pipelining:
            self._transport.write(_envelope(letter))

    async def agreed(self, letter: Letter) -> NotifierError | None:
        """Completes the envelope. None when the server waits for the mail, else its refusal: then nothing was sent."""
        try:
            refused = await self._agree(letter)
            if refused is not None and self.usable:
                # An envelope that was half agreed would refuse the next one.
                self._transport.write(b"RSET\r\n")
                await self._reply()
        except (TimeoutError, ConnectionEnded) as error:
            self.abort()
            return NotifierError(Failure.TEMPORARY, sent="no", code=_named(error))
        return refused

    def hand_over(self, letter: Letter, following: Letter | None) -> None:
        """Sends the mail itself, in one write with the next envelope; until the reply its fate is unknown."""
        self.letters += 1
        ahead = following is not None and self._pipelining
        self._transport.write(letter.body + _envelope(following) if ahead and following else letter.body)

    async def taken(self) -> NotifierError | None:
        """The server's word on what was handed over: None when it took it."""
        try:
            reply = await self._reply()
        except (TimeoutError, ConnectionEnded) as error:
            self.abort()
            return no_answer(_named(error))
        if reply.code == 421:
            self._end("421")
        return None if reply.code < 300 else refusal(Stage.DATA, reply.code, reply.text)

    def quit(self) -> None:
        """Takes leave without waiting for the answer: everything has been answered for."""
        if self.usable:
            self._transport.write(b"QUIT\r\n")
        self._transport.close()

    async def left(self) -> None:
        """Waits until the connection is closed, which under TLS takes the server's word too; cut off after
        `LEAVE_SECONDS`."""
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                await self._lost.wait()
        except TimeoutError:
            self._transport.abort()

    def abort(self) -> None:
        self._end("aborted")
        self._transport.abort()

    async def _agree(self, letter: Letter) -> NotifierError | None:
        refused: NotifierError | None = None
        for stage, command in zip(_STAGES, _commands(letter), strict=True):
            if not self._pipelining:
                if refused is not None:
                    break
                self._transport.write(command)
            reply = await self._reply()
            if reply.code == 421:
                self._end("421")
                return refused or refusal(stage, reply.code, reply.text)
            if reply.code >= 400 or (stage is Stage.DATA and reply.code != 354):
                refused = refused or refusal(stage, reply.code, reply.text)
            elif stage is Stage.DATA and refused is not None:
                # The server took DATA although nobody is to get it: an empty mail ends it.
                self._transport.write(b".\r\n")
                await self._reply()
        return refused

    async def _reply(self) -> Reply:
        """The next reply. Raises `TimeoutError` after `answer_seconds` of silence, `ConnectionEnded` after the last."""
        while not self._replies:
            if self._ended is not None:
                raise self._ended
            self._waiter = asyncio.get_running_loop().create_future()
            async with asyncio.timeout(self._answer_seconds):
                await self._waiter
        return self._replies.popleft()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _end(self, why: str) -> None:
        self._ended = self._ended or ConnectionEnded(why)
        self._wake()


def _commands(letter: Letter) -> tuple[bytes, bytes, bytes]:
    return b"MAIL FROM:<%b>\r\n" % letter.sender.encode(), b"RCPT TO:<%b>\r\n" % letter.recipient.encode(), b"DATA\r\n"


def _envelope(letter: Letter) -> bytes:
    return b"".join(_commands(letter))


def _named(error: Exception) -> str:
    return str(error) if isinstance(error, ConnectionEnded) else "timeout"
