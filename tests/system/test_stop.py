from __future__ import annotations

import os
import signal

import psutil

from tests.system.place import Place, free_port
from tests.waiting import PATIENCE, until


def test_a_web_process_told_to_stop_while_it_starts_stops(sqlite_place: Place) -> None:
    """No worker is left behind that nobody watches, and nobody waits for one for ever."""
    with sqlite_place.start("web", STATUSPAGE_PORT=str(free_port())) as starting:
        until(lambda: "Spawning worker" in starting.said(), "it starts a worker")
        family = psutil.Process(starting.process.pid).children(recursive=True)
        os.kill(starting.process.pid, signal.SIGTERM)
        assert starting.ended() == 0, starting.said()
    assert not psutil.wait_procs(family, timeout=PATIENCE)[1]
