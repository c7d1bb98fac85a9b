"""Bounces as a relay writes them (RFC 3464), posted to the address its pipe would call."""

from __future__ import annotations

import asyncio

import aiohttp


def bounce(sender: str, recipient: str, message_id: str, status: str, text: str) -> bytes:
    """A delivery status notification to `sender`, the return path, saying `status` (enhanced) of `recipient`."""
    action = "delayed" if status.startswith("4") else "failed"
    domain = sender.rpartition("@")[2]
    report = (
        f"Reporting-MTA: dns; relay.{domain}\r\n\r\nFinal-Recipient: rfc822; {recipient}\r\nAction: {action}\r\n"
        f"Status: {status}\r\nDiagnostic-Code: smtp; 550 {status} {text}\r\n"
    )
    mark = "=_bounce"
    head = (
        f"From: MAILER-DAEMON@relay.{domain}\r\nTo: {sender}\r\nSubject: Undelivered Mail Returned to Sender\r\n"
        "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="{mark}"\r\n\r\n'
    )
    parts = (
        ("text/plain; charset=us-ascii", f"This is the mail system.\r\n\r\n<{recipient}>: {text}\r\n"),
        ("message/delivery-status", report),
        ("text/rfc822-headers", f"Message-ID: <{message_id}>\r\nTo: {recipient}\r\n"),
    )
    body = "".join(f"--{mark}\r\nContent-Type: {kind}\r\n\r\n{content}\r\n" for kind, content in parts)
    return f"{head}{body}--{mark}--\r\n".encode()


class BouncePost:
    """Posts bounces one after another; counts those that nobody took."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue()
        self._worker: asyncio.Task[None] | None = None
        self.lost = 0

    def open(self) -> None:
        self._worker = asyncio.create_task(self._work())

    def post(self, mail: bytes) -> None:
        self._waiting.put_nowait(mail)

    async def close(self) -> None:
        """Posts what is left, five seconds long at most."""
        try:
            await asyncio.wait_for(self._waiting.join(), 5.0)
        except TimeoutError:
            self.lost += self._waiting.qsize()
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)

    async def _work(self) -> None:
        headers = {"Content-Type": "message/rfc822"}
        async with aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=15.0)) as session:
            while True:
                mail = await self._waiting.get()
                try:
                    async with session.post(self._url, data=mail) as answer:
                        self.lost += answer.status >= 300
                except (aiohttp.ClientError, TimeoutError):
                    self.lost += 1
                finally:
                    self._waiting.task_done()
