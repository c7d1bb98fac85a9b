"""Request bodies: waited for in the event loop, within limits, before a thread is taken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from statuspage.web.bodies import STREAMED, Limits
from statuspage.web.front import Front, make_front
from tests.waiting import PATIENCE
from tests.web.test_front import Answer, shown

__all__ = ["shown"]


class Sender:
    """A reader who posts `chunks` and then, unless the last was `b""`, falls silent until he `goes_on`."""

    def __init__(self, path: str, *chunks: bytes, **headers: str) -> None:
        self.scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "query_string": b"",
            "http_version": "1.1",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        self.chunks = list(chunks)
        self.waits, self.goes_on = asyncio.Event(), asyncio.Event()
        self.sent: list[Any] = []

    async def receive(self) -> dict[str, Any]:
        if not self.chunks:
            self.waits.set()
            await self.goes_on.wait()
        chunk = self.chunks.pop(0) if self.chunks else b""
        return {"type": "http.request", "body": chunk, "more_body": chunk != b""}

    async def send(self, event: Any) -> None:
        self.sent.append(event)

    async def post(self, app: Front) -> Answer:
        await app(self.scope, self.receive, self.send)
        found = {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}
        return Answer(self.sent[0]["status"], found, b"".join(event.get("body", b"") for event in self.sent[1:]))


def posting(path: str, *chunks: bytes, length: int = 100) -> Sender:
    return Sender(path, *chunks, **{"content-length": str(length)})


def echo(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    body = environ["wsgi.input"].read()
    start("200 OK", [("content-type", "text/plain")])
    return [body]


def test_unfinished_bodies_take_no_thread(shown: Path) -> None:
    """With forty bodies that never end, a whole one is answered by Flask at once, and the forty get 408 and go."""
    app = Front(shown, echo, Limits(deadline=PATIENCE))
    late = Front(shown, echo, Limits(deadline=0.05))

    async def crowd() -> tuple[Answer, list[Answer]]:
        idle = [posting("/console/login", b"a") for _ in range(40)]
        tasks = [asyncio.create_task(sender.post(app)) for sender in idle]
        await asyncio.gather(*(sender.waits.wait() for sender in idle))
        whole = await asyncio.wait_for(posting("/console/login", b"who", b"le", b"", length=5).post(app), PATIENCE)
        for task in tasks:
            task.cancel()
        return whole, list(await asyncio.gather(*(posting("/x", b"a").post(late) for _ in range(40))))

    whole, answers = asyncio.run(crowd())
    assert (whole.status, whole.body) == (200, b"whole")
    assert {(answer.status, answer.headers["connection"]) for answer in answers} == {(408, "close")}


def test_a_body_in_drops_is_late_as_a_whole(shown: Path) -> None:
    """The deadline is for the whole body: bytes that keep coming do not extend it."""
    sender = posting("/console/login")

    async def drop() -> dict[str, Any]:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"a", "more_body": True}

    sender.receive = drop  # type: ignore[method-assign]
    assert asyncio.run(sender.post(Front(shown, echo, Limits(deadline=0.1)))).status == 408


def test_the_body_waited_for_longest_gives_way(shown: Path) -> None:
    """When as many are unfinished as may be, the next is taken and the oldest is answered 503."""
    app = Front(shown, echo, Limits(unfinished=2, deadline=PATIENCE))

    async def three() -> tuple[Answer, Answer, bool]:
        idle = [posting("/x", b"a") for _ in range(2)]
        tasks = []
        for sender in idle:
            tasks.append(asyncio.create_task(sender.post(app)))
            await sender.waits.wait()
        whole = await posting("/x", b"new", b"").post(app)
        first = await asyncio.wait_for(tasks[0], PATIENCE)
        waits = not tasks[1].done()
        tasks[1].cancel()
        return first, whole, waits

    first, whole, second_waits = asyncio.run(three())
    assert (first.status, first.headers["retry-after"]) == (503, "10")
    assert whole.body == b"new"
    assert second_waits


@pytest.mark.parametrize("headers", [{"content-length": "2000001"}, {"transfer-encoding": "chunked"}])
def test_a_body_above_the_limit_is_refused(shown: Path, headers: dict[str, str]) -> None:
    """More than 2 MB, announced or counted, is 413; 2 MB is taken."""
    app = make_front(shown, echo)
    answer = asyncio.run(Sender("/console/login", b"a" * 2_000_000, b"a", **headers).post(app))
    assert (answer.status, answer.headers["connection"]) == (413, "close")
    assert len(asyncio.run(posting("/x", b"a" * 2_000_000, b"", length=2_000_000).post(app)).body) == 2_000_000


def test_a_reader_who_goes_away_is_not_handed_on(shown: Path) -> None:
    """Half a request never reaches Flask."""
    sender = posting("/console/login")

    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    sender.receive = gone  # type: ignore[method-assign]
    asyncio.run(make_front(shown, echo)(sender.scope, sender.receive, sender.send))
    assert sender.sent == []


def test_a_file_is_streamed_and_has_a_pace(shown: Path) -> None:
    """The upload may be larger than memory should hold; one that falls silent is 408 and gives its thread back."""
    app = Front(shown, echo, Limits(largest=10, pace=0.05, streams=1))
    for _ in range(12):
        assert asyncio.run(posting(STREAMED, b"silent").post(app)).status == 408
    assert asyncio.run(posting(STREAMED, b"a" * 8, b"b" * 8, b"", length=16).post(app)).body == b"a" * 8 + b"b" * 8


def test_uploads_leave_threads_for_others(shown: Path) -> None:
    """One upload more than may run at once is 503, while other requests are answered."""
    app = Front(shown, echo, Limits(pace=PATIENCE, streams=2))

    async def uploads() -> tuple[int, int, list[int]]:
        slow = [posting(STREAMED, b"a") for _ in range(2)]
        tasks = [asyncio.create_task(sender.post(app)) for sender in slow]
        await asyncio.gather(*(sender.waits.wait() for sender in slow))
        third = await posting(STREAMED, b"a", b"").post(app)
        other = await posting("/console/login", b"a", b"").post(app)
        for sender in slow:
            sender.goes_on.set()
        return third.status, other.status, [answer.status for answer in await asyncio.gather(*tasks)]

    assert asyncio.run(uploads()) == (503, 200, [200, 200])


def test_a_header_with_an_underscore_is_not_taken_for_another(shown: Path) -> None:
    """X_Forwarded_For is dropped before WSGI would read it as X-Forwarded-For."""

    def forwarded(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        start("200 OK", [("content-type", "text/plain")])
        return [environ.get("HTTP_X_FORWARDED_FOR", "none").encode()]

    app = make_front(shown, forwarded)
    both = {"x-forwarded-for": "192.0.2.1", "x_forwarded_for": "203.0.113.9"}
    assert asyncio.run(Sender("/console/", **both).post(app)).body == b"192.0.2.1"
    assert asyncio.run(Sender("/console/", x_forwarded_for="203.0.113.9").post(app)).body == b"none"
