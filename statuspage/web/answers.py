"""What readers take, waited for in the event loop: one who takes a long answer slowly, or leaves, keeps no thread.

An answer of one piece is out of the thread's hands at once. One of many pieces (a file, a list) goes at its reader's
speed, and the bridge to WSGI knows no end to that: once its reader has gone it would wait for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator

from statuspage.web.bodies import AsgiApp, Event, Limits, Receive, Scope, Send

WsgiApp = Callable[..., Iterable[bytes]]

KEY = "statuspage.answer"


class Answer:
    """One answer on its way; `given_up` is done when nobody is to get the rest of it, `failure` is why, if it broke."""

    def __init__(self) -> None:
        self.given_up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.failure: BaseException | None = None

    def give_up(self) -> None:
        if not self.given_up.done():
            self.given_up.set_result(None)


class Answers:
    """ASGI application that lets `app` send no longer than readers take.

    A piece that is not taken in `pace` ends its answer, and so does a reader who has gone. Of readers who are slow,
    `slow` are served at a time; one more ends the answer that has been slow for longest.
    """

    def __init__(self, app: AsgiApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits
        self._slow: dict[Answer, None] = {}  # oldest first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = Answer()

        async def sent(event: Event) -> None:
            if not answer.given_up.done() and not await self._taken(answer, send, event):
                answer.give_up()

        try:
            await self._app({**scope, KEY: answer}, receive, sent)
        finally:
            self._slow.pop(answer, None)
        if answer.failure is not None:
            raise answer.failure

    async def _taken(self, answer: Answer, send: Send, event: Event) -> bool:
        """Whether the reader took it in time. A failure is kept until the thread is free: raised at once, it would end
        the bridge's own sending, and the thread would wait for that."""
        taking = asyncio.ensure_future(send(event))
        await asyncio.wait({taking}, timeout=self._limits.prompt)
        if not taking.done():
            self._count(answer)
            waited = {taking, answer.given_up}
            await asyncio.wait(waited, timeout=self._limits.pace, return_when=asyncio.FIRST_COMPLETED)
        if not taking.done():
            taking.cancel()
            return False
        answer.failure = taking.exception()
        return answer.failure is None

    def _count(self, answer: Answer) -> None:
        self._slow.setdefault(answer)
        if len(self._slow) > self._limits.slow:
            oldest = next(iter(self._slow))
            del self._slow[oldest]
            oldest.give_up()


def stoppable(app: WsgiApp) -> WsgiApp:
    """`app`, whose answer ends as soon as nobody is to get the rest of it."""

    def stopping(environ: dict[str, object], start_response: object) -> Iterator[bytes]:
        scope = environ["asgi.scope"]
        answer: Answer = scope[KEY]  # type: ignore[index]
        return _while_wanted(app(environ, start_response), answer)

    return stopping


def _while_wanted(pieces: Iterable[bytes], answer: Answer) -> Iterator[bytes]:
    try:
        for piece in pieces:
            if answer.given_up.done():
                return
            yield piece
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            close()
