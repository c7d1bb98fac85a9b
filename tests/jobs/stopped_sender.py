"""A real sender process that stops itself (SIGSTOP) at one step of a delivery, in both channels at once.

Run by tests/jobs/stage.py, which kills it there or lets it go on later, never by the product:

    python -m tests.jobs.stopped_sender

What it is to do comes as one line of JSON on its standard input, so that it can be started ahead of its test. To be
there sooner, it imports the ledger alone of all that the tests have.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from notifiers.base import Channel
from statuspage.config import Settings
from statuspage.db import make_engine, make_sessions
from statuspage.jobs import gatherer, recheck, sender, turn, wake, window
from statuspage.jobs.options import EngineOptions
from statuspage.jobs.sender import Sender
from statuspage.services import expansion
from tests.jobs.ledger import Ledger

STEPS = ("claimed", "marked", "half", "taken", "marking", "settled")
"""Both channels stop there; at "marking" the SMS do so in the open transaction that writes down what became of the
first window and marks the second, while the mails are "taken"."""
EXPANDING = "expanding"
"""The step of the expansion at which the whole process stops: the first stretch is stored, the cursor not yet moved."""
WINDOW, CLAIM, STRETCH = 8, 20, 16
OPTIONS = EngineOptions(
    window=WINDOW,
    claim_size=CLAIM,
    poll_seconds=0.02,
    idle_poll_seconds=0.05,
    flush_seconds=0.01,
    quiet_start=time(0),
    quiet_end=time(0),
)


class Job(NamedTuple):
    """Where to work and at which of `STEPS`, or `EXPANDING`, to stop."""

    url: str
    folder: str
    secret_key: str
    ledger: str
    clock: str
    step: str
    lease_seconds: float


class FileClock:
    """Reads the time from a file, so that the test moves it while this process sleeps."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def now(self) -> datetime:
        return datetime.fromisoformat(self._path.read_text())


class Halt:
    """Stops the process once both channels have come to the step; afterwards nobody is held up any more.

    It goes on with SIGCONT and a byte on its standard input, and dies when whoever should send that is gone.
    """

    def __init__(self) -> None:
        self.there = {channel: threading.Event() for channel in Channel}
        self._guard = threading.Lock()
        self._over = threading.Event()

    def wait(self, channel: Channel) -> None:
        """Of a thread."""
        if self._last(channel):
            self.stop()
        self._over.wait()

    async def wait_in_loop(self, channel: Channel) -> None:
        if self._last(channel):
            self.stop()
        await asyncio.to_thread(self._over.wait)

    def _last(self, channel: Channel) -> bool:
        with self._guard:
            self.there[channel].set()
            return all(one.is_set() for one in self.there.values()) and not self._over.is_set()

    def stop(self) -> None:
        os.kill(os.getpid(), signal.SIGSTOP)
        if not os.read(sys.stdin.fileno(), 1):
            os._exit(3)
        self._over.set()


def arm(step: str, halt: Halt) -> None:
    """Wrap the step's own method; what it wraps is the committed work of one transaction."""
    patched: Any = turn.Turn
    whole_take, whole_claim = turn.Turn.take, turn.Turn._claim

    def claim(self: turn.Turn) -> turn.InHand | None:
        hand = whole_claim(self)
        if hand is not None:
            halt.wait(self._channel)
        return hand

    def take(self: turn.Turn, settled: Sequence[Any], room: int) -> turn.Next:
        following = whole_take(self, settled, room)
        if settled if step == "settled" else following.messages:
            halt.wait(self._channel)
        return following

    if step == "claimed":
        patched._claim = claim
    elif step in ("marked", "settled"):
        patched.take = take
    elif step == "marking":
        arm_marking(halt)
    elif step == EXPANDING:
        arm_expanding(halt)


def arm_marking(halt: Halt) -> None:
    """The mails have to be where they stop before SQLite's one writer stops in its transaction."""
    whole_take, whole_recheck = turn.Turn.take, recheck.recheck
    second = threading.Event()

    def take(self: turn.Turn, settled: Sequence[Any], room: int) -> turn.Next:
        if settled:
            halt.there[Channel.EMAIL].wait()
            second.set()
        return whole_take(self, settled, room)

    def rechecked(*given: Any, **named: Any) -> Any:
        found = whole_recheck(*given, **named)
        if second.is_set():
            halt.wait(Channel.SMS)
        return found

    patched: Any = turn.Turn
    patched.take = take
    patched = window
    patched.recheck = rechecked


def arm_expanding(halt: Halt) -> None:
    whole = expansion.advance

    def advance(*given: Any) -> None:
        whole(*given)
        halt.stop()

    patched: Any = expansion
    patched.advance = advance
    patched = gatherer
    patched.STRETCHES = (STRETCH,)


def hurry() -> None:
    """Sleep less between looking for work: the process shall end in a moment when it is told to."""
    patched: Any = sender
    patched.RECONCILE_SECONDS = 0.05
    patched = wake
    patched.LISTEN_SECONDS = 0.05


def main() -> None:
    words = os.read(sys.stdin.fileno(), 4096)
    if not words:
        return
    job = Job(*json.loads(words))
    halt = Halt()
    arm(job.step, halt)
    hurry()
    on_half = halt.wait_in_loop if job.step == "half" else None
    stops_when_taken = {"taken": tuple(Channel), "marking": (Channel.EMAIL,)}.get(job.step, ())
    on_taken = dict.fromkeys(stops_when_taken, halt.wait_in_loop)
    notifiers = {one: [Ledger(one, Path(job.ledger), on_half=on_half, on_taken=on_taken.get(one))] for one in Channel}
    one = Sender(
        Settings.model_validate({"data_dir": Path(job.folder), "secret_key": job.secret_key}),
        make_sessions(make_engine(job.url)),
        notifiers,
        FileClock(Path(job.clock)),
        options=replace(OPTIONS, send_lease=timedelta(seconds=job.lease_seconds)),
    )

    async def run() -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, one.stop)
        await one.run()

    asyncio.run(run())


if __name__ == "__main__":
    main()
