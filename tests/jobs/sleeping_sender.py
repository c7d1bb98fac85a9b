"""A real sender that stops itself (SIGSTOP) between marking a window and handing it over. Run by test_crash.py.

    python -m tests.jobs.sleeping_sender DATABASE_URL DATA_DIR LEDGER
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from notifiers.base import Channel
from statuspage.clock import FrozenClock
from statuspage.db import make_engine, make_sessions
from statuspage.jobs import lane
from statuspage.jobs.sender import Sender
from tests.databases import NOW
from tests.jobs.crashing_sender import OPTIONS, TOOK_BEFORE_DEATH, Ledger
from tests.outbox import settings


def main() -> None:
    url, folder, ledger = sys.argv[1:]
    notifier = Ledger(Channel.SMS, Path(ledger))
    clock = FrozenClock(NOW)
    original = lane.Lane._hand_over

    def sleepy(self: lane.Lane, following: Any, begun: float) -> None:
        if notifier.taken >= TOOK_BEFORE_DEATH and following.messages and not (Path(folder) / "asleep").exists():
            (Path(folder) / "asleep").touch()
            os.kill(os.getpid(), signal.SIGSTOP)
            clock.advance(timedelta(minutes=32))
        original(self, following, begun)

    patched: Any = lane.Lane
    patched._hand_over = sleepy
    options = replace(OPTIONS, send_lease=timedelta(seconds=1))
    sessions = make_sessions(make_engine(url))
    sender = Sender(settings(Path(folder)), sessions, {Channel.SMS: [notifier]}, clock, options=options)
    asyncio.run(sender.run())


if __name__ == "__main__":
    main()
