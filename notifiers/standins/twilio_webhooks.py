"""Calls back as Twilio does: form posts signed by HMAC-SHA1 of the URL and the sorted fields.

The signature is written from Twilio's description, not taken from its SDK, so that each checks the other.
Source: https://www.twilio.com/docs/usage/security#validating-requests
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import heapq
import hmac
import itertools
from dataclasses import dataclass, field

import aiohttp

AT_ONCE = 16
ANSWER_SECONDS = 15.0


def signature(auth_token: str, url: str, fields: dict[str, str]) -> str:
    """The value of X-Twilio-Signature. A fragment of the URL is not part of it."""
    text = url.partition("#")[0] + "".join(name + fields[name] for name in sorted(fields))
    return base64.b64encode(hmac.new(auth_token.encode(), text.encode(), hashlib.sha1).digest()).decode()


@dataclass(order=True)
class _Due:
    at: float
    number: int
    url: str = field(compare=False)
    fields: dict[str, str] = field(compare=False)


class Webhooks:
    """Posts each call at its time, once more after a failure, and counts what became of them."""

    def __init__(self, auth_token: str) -> None:
        self._auth_token = auth_token
        self._due: list[_Due] = []
        self._numbers = itertools.count()
        self._changed = asyncio.Event()
        self._workers: list[asyncio.Task[None]] = []
        self._session: aiohttp.ClientSession | None = None
        self.waiting = 0
        self.answered = 0
        self.refused = 0
        self.unreachable = 0

    async def open(self) -> None:
        limits = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        self._session = aiohttp.ClientSession(timeout=limits)
        self._workers = [asyncio.create_task(self._work(self._session)) for _ in range(AT_ONCE)]

    async def close(self) -> None:
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def call(self, url: str, fields: dict[str, str], after: float) -> None:
        """Schedules a call `after` seconds from now."""
        self.waiting += 1
        moment = asyncio.get_running_loop().time() + after
        heapq.heappush(self._due, _Due(moment, next(self._numbers), url, fields))
        self._changed.set()

    async def _work(self, session: aiohttp.ClientSession) -> None:
        while True:
            due = await self._next()
            if not await self._post(session, due) and not await self._post(session, due):
                self.unreachable += 1
            self.waiting -= 1

    async def _next(self) -> _Due:
        clock = asyncio.get_running_loop().time
        while True:
            wait = self._due[0].at - clock() if self._due else None
            if wait is not None and wait <= 0:
                return heapq.heappop(self._due)
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), wait)
            except TimeoutError:
                continue

    async def _post(self, session: aiohttp.ClientSession, due: _Due) -> bool:
        headers = {"X-Twilio-Signature": signature(self._auth_token, due.url, due.fields)}
        try:
            async with session.post(due.url.partition("#")[0], data=due.fields, headers=headers) as answer:
                await answer.read()
        except (aiohttp.ClientError, TimeoutError):
            return False
        if answer.status < 300:
            self.answered += 1
        else:
            self.refused += 1
        return True
