"""The processes of the story: two stand-ins, and the product itself as `serve` runs it."""

from __future__ import annotations

import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from statuspage.demo.browser import StoryError

READY_SECONDS = 60.0
STOP_SECONDS = 20.0


def free_port() -> int:
    """A port of the loopback address that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Processes:
    """All children of the story; `stop` ends those that still run. Their output goes to files in `directory`."""

    directory: Path
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def standin(self, name: str, *options: str) -> str:
        """Start `notifiers.standins.<name>` and return the address it says it listens on."""
        command = [sys.executable, "-m", f"notifiers.standins.{name}", *options]
        path = self.directory / f"{name}.log"
        with path.open("ab") as log:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=self.environment)
        self.running[name] = process
        first = _first_line(process)
        found = re.search(r"listening on (\S+)", first)
        if found is None:
            raise StoryError(f"the stand-in {name} did not start; see {path}")
        return found.group(1)

    def part(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start `statuspage <arguments>` in the background."""
        with (self.directory / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "statuspage", *arguments], stdout=log, stderr=log, env=self.environment
            )
        self.running[name] = process
        return process

    def run(self, *arguments: str) -> str:
        """Run `statuspage <arguments>` to its end and return what it printed; StoryError when it was refused."""
        done = subprocess.run(
            [sys.executable, "-m", "statuspage", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise StoryError(f"statuspage {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def stop(self) -> None:
        """Ask every child to end, then make it."""
        for process in self.running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for process in self.running.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()


def add_settings(environment: Mapping[str, str], **settings: str) -> dict[str, str]:
    """`environment` with STATUSPAGE_ settings put over it."""
    return {**environment, **{f"STATUSPAGE_{name}": value for name, value in settings.items()}}


def _first_line(process: subprocess.Popen[bytes]) -> str:
    if process.stdout is None:
        raise StoryError("the child's output was not taken")
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if not selector.select(READY_SECONDS):
            return ""
    return process.stdout.readline().decode(errors="replace")
