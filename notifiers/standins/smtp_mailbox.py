"""What the stand-in for a relay does with each mail: takes it into the ledger, refuses it, or drops the line."""

from __future__ import annotations

import asyncio
import re
import socket
import struct

from aiosmtpd.smtp import SMTP, Envelope, Session

from notifiers.base import utc_now
from notifiers.standins.chance import Chance
from notifiers.standins.ledger import Ledger
from notifiers.standins.smtp_bounces import BouncePost, bounce

FAULTS = frozenset(
    {
        "busy",  # 421 at MAIL and the connection ends
        "refuse",  # 550 5.1.1 at RCPT
        "full",  # 452 4.2.2 at RCPT
        "defer",  # 451 4.3.0 at RCPT
        "filter",  # 550 5.7.1 after the mail
        "drop_before",  # connection reset after the mail, not taken
        "drop_after",  # taken, connection reset
        "slow",  # taken, answered after --slow-seconds
        "bounce",  # taken, bounces with 5.1.1
        "bounce_full",  # taken, bounces with 5.2.2
    }
)
_VERP = re.compile(r"bounce\+(\d+)\.(\d+)\.")
_MESSAGE_ID = re.compile(rb"(?im)^Message-ID:\s*<([^>\r\n]*)>")
_TO = re.compile(rb"(?im)^To:\s*([^\r\n]*)")


class Mailbox:
    """The handler that aiosmtpd asks at each command; it finds the methods by their names."""

    def __init__(
        self, ledger: Ledger, chance: Chance, *, slow_seconds: float, pipelining: bool, bounces: BouncePost | None
    ) -> None:
        self._ledger = ledger
        self._chance = chance
        self._slow_seconds = slow_seconds
        self._pipelining = pipelining
        self._bounces = bounces

    async def handle_EHLO(  # noqa: N802
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        # aiosmtpd reads from a stream, so it has always been able to; it only does not say so.
        return [*responses[:-1], "250-PIPELINING", responses[-1]] if self._pipelining else responses

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._chance.strikes("busy", address):
            await server.push("421 4.7.0 too many connections")
            _reset(server, hard=False)
            raise asyncio.CancelledError
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        lot = envelope.mail_from or address
        if self._chance.strikes("refuse", address):
            return "550 5.1.1 no such user"
        if self._chance.strikes("full", address):
            return "452 4.2.2 mailbox full"
        if self._chance.strikes("defer", lot):
            return "451 4.3.0 try again later"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        sender = envelope.mail_from or ""
        lot = sender or envelope.rcpt_tos[0]
        if self._chance.strikes("filter", lot):
            return "550 5.7.1 message refused by policy"
        if self._chance.strikes("drop_before", lot):
            _reset(server, hard=True)
            raise asyncio.CancelledError
        self._take(sender, envelope.rcpt_tos[0], envelope.original_content or b"")
        if self._chance.strikes("drop_after", lot):
            _reset(server, hard=True)
            raise asyncio.CancelledError
        if self._chance.strikes("slow", lot):
            await asyncio.sleep(self._slow_seconds)
        return "250 2.0.0 queued"

    def _take(self, sender: str, recipient: str, content: bytes) -> None:
        head = content.partition(b"\r\n\r\n")[0]
        message_id, to = _MESSAGE_ID.search(head), _TO.search(head)
        names = _VERP.match(sender.lower())
        named = message_id[1].decode() if message_id else ""
        self._ledger.write(
            {
                "message_id": named,
                "to": to[1].decode() if to else "",
                "recipient": recipient,
                "sender": sender,
                "delivery": names[1] if names else None,
                "attempt": names[2] if names else None,
                "bytes": len(content),
                "at": utc_now().isoformat(),
            }
        )
        if self._bounces is not None:
            self._bounce(self._bounces, sender, recipient, named)

    def _bounce(self, bounces: BouncePost, sender: str, recipient: str, message_id: str) -> None:
        if self._chance.strikes("bounce", recipient):
            bounces.post(bounce(sender, recipient, message_id, "5.1.1", "no such user"))
        elif self._chance.strikes("bounce_full", recipient):
            bounces.post(bounce(sender, recipient, message_id, "5.2.2", "mailbox full"))


def _reset(server: SMTP, *, hard: bool) -> None:
    """Ends the connection; `hard` with RST, so that nothing more is read."""
    transport = server.transport
    if not isinstance(transport, asyncio.Transport):
        return
    if hard:
        raw: socket.socket = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    else:
        transport.close()
