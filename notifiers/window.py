"""Sends with a bounded number in flight: workers that pull from one iterator, no task per message."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence

from notifiers.base import Accepted, Failure, Message, NotifierError, Settle

Deliver = Callable[[Message], Awaitable[Accepted | NotifierError]]
Worker = Callable[["Window"], Coroutine[None, None, None]]


class Window:
    """The messages of one `send` and what is still owed to each: exactly one `settle`, however `send` ends."""

    def __init__(self, messages: Sequence[Message], settle: Settle) -> None:
        self._waiting: Iterator[Message] = iter(messages)
        self._settle = settle
        self._stopped: NotifierError | None = None

    def take(self) -> Message | None:
        """The next message not begun yet; none once the window is stopped."""
        return None if self._stopped is not None else next(self._waiting, None)

    def settle(self, message: Message, outcome: Accepted | NotifierError) -> None:
        """Ends one message. What would stop every other one stops the window: no door is tried a hundred times."""
        if isinstance(outcome, NotifierError) and (outcome.pause_campaign or outcome.reason is Failure.NO_CONNECTION):
            self._stopped = outcome
        self._settle(message, outcome)

    async def run(self, worker: Worker, workers: int) -> None:
        """Runs `worker` that many times over until all is settled; the first failure of one ends all.

        Raises what a worker raised; a worker must settle what it took, also when it is cancelled.
        """
        tasks = [asyncio.create_task(worker(self)) for _ in range(workers)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            self._settle_rest()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _settle_rest(self) -> None:
        """Ends what was not begun: it shares a missing connection, and otherwise it was merely not started."""
        stopped = self._stopped
        lost = stopped is not None and stopped.reason is Failure.NO_CONNECTION
        reason = Failure.NO_CONNECTION if lost else Failure.NOT_STARTED
        code = stopped.code if lost and stopped is not None else None
        for message in self._waiting:
            self._settle(message, NotifierError(reason, sent="no", code=code))


def no_answer(code: str | None = None) -> NotifierError:
    """The outcome of what was begun and never answered."""
    return NotifierError(Failure.NO_ANSWER, sent="unknown", code=code)


async def deliver_each(window: Window, deliver: Deliver) -> None:
    """A worker for media where one message is one exchange."""
    while (message := window.take()) is not None:
        try:
            outcome = await deliver(message)
        except BaseException:
            window.settle(message, no_answer())
            raise
        window.settle(message, outcome)
