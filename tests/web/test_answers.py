"""Long answers: sent no longer than readers take them, so that no thread waits for whoever has gone or falls asleep."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from statuspage.web.bodies import Limits
from statuspage.web.front import THREADS, Front
from tests.waiting import PATIENCE
from tests.web.test_front import shown

__all__ = ["shown"]

PIECES = 200


class Reader:
    """Asks for a path; takes `takes` pieces of the answer and then none until he `goes_on`."""

    def __init__(self, path: str, takes: int = PIECES * 2) -> None:
        self.scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "query_string": b"",
            "http_version": "1.1",
            "headers": [],
        }
        self.takes = takes
        self.stands, self.goes_on = asyncio.Event(), asyncio.Event()
        self.pieces: list[bytes] = []
        self.whole = False

    async def receive(self) -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, event: Any) -> None:
        if event["type"] != "http.response.body":
            return
        if len(self.pieces) >= self.takes:
            self.stands.set()
            await self.goes_on.wait()
        self.pieces.append(event["body"])
        self.whole = not event.get("more_body", False)

    async def read(self, app: Front) -> None:
        await app(self.scope, self.receive, self.send)


class Shop:
    """A WSGI application with one long answer; it counts how many of these were closed."""

    def __init__(self) -> None:
        self.closed = threading.Semaphore(0)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        start("200 OK", [("content-type", "text/csv")])
        return self._rows() if environ["PATH_INFO"] == "/console/long" else [b"short"]

    def _rows(self) -> Iterator[bytes]:
        try:
            for _ in range(PIECES):
                yield b"row\n"
        finally:
            self.closed.release()


async def asked(app: Front, path: str) -> Reader:
    reader = Reader(path)
    await asyncio.wait_for(reader.read(app), PATIENCE)
    return reader


def test_sleeping_readers_of_long_answers_leave_threads_for_others(shown: Path) -> None:
    """Three times as many readers as there are threads fall asleep; whoever asks for a page gets it."""
    shop = Shop()
    app = Front(shown, shop, Limits(prompt=0.01, pace=PATIENCE, slow=4))

    async def crowd() -> tuple[Reader, int]:
        sleepers = [Reader("/console/long", takes=1) for _ in range(THREADS * 3)]
        tasks = [asyncio.create_task(one.read(app)) for one in sleepers]
        await asyncio.wait_for(asyncio.gather(*(one.stands.wait() for one in sleepers)), PATIENCE)
        short = await asked(app, "/console/short")
        kept = sum(not task.done() for task in tasks)
        for one in sleepers:
            one.goes_on.set()
        await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE)
        return short, kept

    short, kept = asyncio.run(crowd())
    assert short.pieces == [b"short", b""]
    assert kept <= THREADS
    assert all(shop.closed.acquire(timeout=PATIENCE) for _ in range(THREADS * 3))


def test_a_piece_that_is_not_taken_ends_its_answer(shown: Path) -> None:
    """Whoever stands still longer than the limit gets a broken answer, never one that seems whole."""
    shop = Shop()

    async def stand_still() -> Reader:
        reader = Reader("/console/long", takes=3)
        await asyncio.wait_for(reader.read(Front(shown, shop, Limits(prompt=0.01, pace=0.02))), PATIENCE)
        return reader

    reader = asyncio.run(stand_still())
    assert (len(reader.pieces), reader.whole) == (3, False)
    assert shop.closed.acquire(timeout=PATIENCE)


def test_a_slow_reader_who_goes_on_gets_all_of_it(shown: Path) -> None:
    """Slowness alone costs nobody a byte while few are slow."""

    async def slowly() -> Reader:
        reader = Reader("/console/long", takes=3)
        task = asyncio.create_task(reader.read(Front(shown, Shop(), Limits(prompt=0.01, pace=PATIENCE))))
        await asyncio.wait_for(reader.stands.wait(), PATIENCE)
        reader.takes = PIECES * 2
        reader.goes_on.set()
        await asyncio.wait_for(task, PATIENCE)
        return reader

    reader = asyncio.run(slowly())
    assert (b"".join(reader.pieces), reader.whole) == (b"row\n" * PIECES, True)


def test_a_broken_connection_frees_the_thread_and_is_told(shown: Path) -> None:
    """When the server cannot send any more, the rest is not made, and the failure is raised and not swallowed."""
    shop = Shop()

    async def broken(event: Any) -> None:
        if event["type"] == "http.response.body":
            raise ConnectionResetError

    async def read() -> None:
        reader = Reader("/console/long")
        await asyncio.wait_for(Front(shown, shop)(reader.scope, reader.receive, broken), PATIENCE)

    with pytest.raises(ConnectionResetError):
        asyncio.run(read())
    assert shop.closed.acquire(timeout=PATIENCE)
