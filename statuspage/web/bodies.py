"""What readers send, waited for in the event loop: a body that never ends costs a place in a list, never a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

# The one address that takes files larger than memory should hold; Flask reads them as they come.
STREAMED = "/console/people/imports"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much and how long is waited for; sizes in bytes, times in seconds, counts per web process."""

    largest: int = 2_000_000
    deadline: float = 10.0  # for the whole of an ordinary body
    unfinished: int = 64
    pace: float = 10.0  # between two pieces of a streamed body, and of an answer
    streams: int = 4  # each holds a thread, so fewer than there are threads
    prompt: float = 1.0  # whoever takes a piece of an answer later than this is slow
    slow: int = 4  # each holds a thread, too


USUAL = Limits()


class Bodies:
    """ASGI application that hands `app` only requests whose body has come.

    Answers 413 to a body above the limit, 408 to one that is late, and 503 when too many are waited for: to the one
    waited for longest, so that unfinished bodies by the dozen do not keep out whoever sends theirs at once.
    """

    def __init__(self, app: AsgiApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits
        self._waiting: dict[asyncio.Timeout, None] = {}  # oldest first
        self._streams = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # WSGI would merge X_Forwarded_For with X-Forwarded-For, which a proxy in front has not looked at.
        headers = [(name, value) for name, value in scope["headers"] if b"_" not in name]
        scope = {**scope, "headers": headers}
        length = _declared(headers)
        if length == 0:
            await self._app(scope, _whole(b""), send)
        elif scope["path"] == STREAMED and scope["method"] == "POST":
            await self._stream(scope, receive, send)
        elif length is not None and length > self._limits.largest:
            await _refuse(scope, send, 413)
        else:
            await self._collect(scope, receive, send)

    async def _collect(self, scope: Scope, receive: Receive, send: Send) -> None:
        if len(self._waiting) >= self._limits.unfinished:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            if not oldest.expired():
                oldest.reschedule(asyncio.get_running_loop().time())
        timeout = asyncio.timeout(self._limits.deadline)
        body = bytearray()
        late: int | None = None
        try:
            async with timeout:
                self._waiting[timeout] = None
                more = True
                while more and len(body) <= self._limits.largest:
                    event = await receive()
                    if event["type"] == "http.disconnect":
                        return
                    body += event.get("body", b"")
                    more = event.get("more_body", False)
        except TimeoutError:
            late = 408 if timeout in self._waiting else 503
        finally:
            self._waiting.pop(timeout, None)
        if late is not None:
            await _refuse(scope, send, late)
        elif len(body) > self._limits.largest:
            await _refuse(scope, send, 413)
        else:
            await self._app(scope, _whole(bytes(body)), send)

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the body on piece by piece; a sender who falls silent is answered 408, whatever the application says."""
        if self._streams >= self._limits.streams:
            await _refuse(scope, send, 503)
            return
        silent = started = False

        async def received() -> Event:
            nonlocal silent
            try:
                async with asyncio.timeout(self._limits.pace):
                    return await receive()
            except TimeoutError:
                silent = True
                raise  # an OSError, which Flask's stream takes for a reader who has gone

        async def sent(event: Event) -> None:
            nonlocal started
            if started or not silent:
                started = True
                await send(event)

        self._streams += 1
        try:
            await self._app(scope, received, sent)
        except TimeoutError:
            if not silent:
                raise
        finally:
            self._streams -= 1
        if silent and not started:
            await _refuse(scope, send, 408)


async def plain(send: Send, status: int, body: bytes, extra: Headers) -> None:
    """Answer with text that no cache keeps."""
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        *extra,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


_REFUSALS = {
    408: b"The request did not arrive in time. Send it again.\n",
    413: b"The request is larger than this address takes.\n",
    503: b"Too many requests are arriving at once. Send it again in a moment.\n",
}


async def _refuse(scope: Scope, send: Send, status: int) -> None:
    extra = [(b"retry-after", b"10")] if status == 503 else []
    if scope["http_version"].startswith("1"):  # HTTP/2 has no such header (RFC 9113 §8.2.2)
        extra.append((b"connection", b"close"))
    await plain(send, status, _REFUSALS[status], extra)


def _declared(headers: Headers) -> int | None:
    """The length the head announces, 0 when it announces no body at all, None when it does not say how long."""
    found = dict(headers)
    if b"transfer-encoding" in found:
        return None
    length = found.get(b"content-length", b"0").strip()
    return int(length) if length.isdigit() else None


def _whole(body: bytes) -> Receive:
    async def received() -> Event:
        return {"type": "http.request", "body": body, "more_body": False}

    return received
