"""The process behind `serve`: starts the parts, watches them, starts a dead one again, stops all of them.

Standard library only, so that watching costs little memory; `take_over` replaces the command line's process by it.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from statuspage.clock import SystemClock

_PR_SET_PDEATHSIG = 1  # prctl(2), Linux
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


class AlreadyRunning(Exception):
    """Another supervisor holds this DATA_DIR; the message says which and what to do."""


@dataclass(frozen=True)
class Patience:
    """Seconds: the first pause before a restart, the longest, the life that clears the count, the wait at a stop."""

    first: float = 0.5
    longest: float = 30.0
    settled: float = 60.0
    stop: float = 20.0

    def pause(self, failures: int) -> float:
        """The pause before the restart that follows failure number `failures`, counted from 1."""
        return float(min(self.longest, self.first * 2 ** min(failures - 1, 30)))


@dataclass
class Part:
    """One child: what it is called, how it is started, and how it has fared (times are monotonic seconds)."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    due: float = 0.0
    failures: int = 0


@dataclass
class Supervisor:
    """Keeps `parts` running until SIGTERM, SIGINT or SIGHUP; a second signal ends the wait."""

    parts: list[Part]
    say: Callable[..., None]
    patience: Patience = field(default_factory=Patience)
    _stops: int = 0

    def run(self) -> int:
        """Return 0 when every part stopped by itself after the signal, 1 when one had to be killed."""
        wake = self._listen()
        try:
            while not self._stops:
                self._bury()
                self._start_due()
                self._wait(wake, min((part.due for part in self.parts if part.process is None), default=None))
            return self._stop(wake)
        finally:
            for part in self.parts:
                _kill_group(part)

    def _listen(self) -> int:
        read, write = os.pipe()
        os.set_blocking(read, False)
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, self._heard)
        return read

    def _heard(self, number: int, _frame: object) -> None:
        if number != signal.SIGCHLD:
            self._stops += 1

    def _wait(self, wake: int, until: float | None) -> None:
        pause = None if until is None else max(0.0, until - time.monotonic())
        if select.select([wake], [], [], pause)[0]:
            os.read(wake, 4096)

    def _start_due(self) -> None:
        now = time.monotonic()
        for part in self.parts:
            if part.process is not None or part.due > now:
                continue
            try:
                part.process = _spawn(part.command)
            except OSError as error:
                self._postpone(part, now, errno.errorcode.get(error.errno or 0, "OSError"))
                continue
            part.started = now
            self.say("part started", part=part.name, pid=part.process.pid)

    def _bury(self) -> None:
        now = time.monotonic()
        for part in self.parts:
            if part.process is None or (code := part.process.poll()) is None:
                continue
            # What a killed part had started itself must not go on beside its successor.
            _kill_group(part)
            part.process = None
            if now - part.started >= self.patience.settled:
                part.failures = 0
            self._postpone(part, now, code)

    def _postpone(self, part: Part, now: float, code: int | str) -> None:
        part.failures += 1
        pause = self.patience.pause(part.failures)
        part.due = now + pause
        self.say("part died", part=part.name, code=code, attempt=part.failures, restart_seconds=pause)

    def _stop(self, wake: int) -> int:
        running = [part for part in self.parts if part.process is not None]
        for part in running:
            _signal(part, signal.SIGTERM)
        deadline = time.monotonic() + self.patience.stop
        while any(_alive(part) for part in running) and time.monotonic() < deadline and self._stops < 2:
            self._wait(wake, deadline)
        killed = [part for part in running if _alive(part)]
        for part in killed:
            self.say("part killed", part=part.name)
        self.say("stopped", count=len(running) - len(killed))
        return 1 if killed else 0


def lock(data_dir: Path) -> IO[str]:
    """Hold `data_dir` for this process until the returned file is closed; AlreadyRunning when another one does."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = (data_dir / "serve.lock").open("a+", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        pid = file.read().strip() or "unknown"
        file.close()
        raise AlreadyRunning(
            f"Another `serve` (pid {pid}) runs with STATUSPAGE_DATA_DIR={data_dir}. Stop it, or give this one another "
            "STATUSPAGE_DATA_DIR and STATUSPAGE_PORT."
        ) from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def take_over(data_dir: Path, log_format: str, parts: Sequence[str]) -> None:
    """Become the supervisor of `python -m statuspage PART` for each of `parts`; never returns."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", "statuspage.supervisor", str(data_dir), log_format, *parts])  # noqa: S606 - no shell is wanted


def _spawn(command: Sequence[str]) -> subprocess.Popen[bytes]:
    # A session of its own keeps the terminal's Ctrl-C from reaching the part before we tell it to stop.
    return subprocess.Popen(
        list(command), stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=_die_with(os.getpid())
    )


def _die_with(parent: int) -> Callable[[], None] | None:
    # Linux alone can tell a child that its parent was killed; elsewhere a part outlives a killed supervisor.
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def arrange() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
        if os.getppid() != parent:
            os._exit(1)

    return arrange


def _alive(part: Part) -> bool:
    return part.process is not None and part.process.poll() is None


def _signal(part: Part, number: signal.Signals) -> None:
    if part.process is not None and _alive(part):
        part.process.send_signal(number)


def _kill_group(part: Part) -> None:
    if part.process is None:
        return
    try:
        os.killpg(part.process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        # The whole group is gone already (macOS says PermissionError for one of zombies).
        return
    finally:
        part.process.wait()


def say_to(stream: IO[str], log_format: str) -> Callable[..., None]:
    """A writer of one-line logs in `log_format`, console or json, without loading the logging libraries."""

    def say(event: str, **ids: object) -> None:
        stamp = SystemClock().now().isoformat(timespec="milliseconds")
        if log_format == "json":
            line = json.dumps({"event": event, **ids, "level": "info", "timestamp": stamp})
        else:
            line = " ".join([stamp, "[info]", event, *(f"{name}={value}" for name, value in ids.items())])
        stream.write(line + "\n")
        stream.flush()

    return say


def main(arguments: Sequence[str]) -> int:
    """`python -m statuspage.supervisor DATA_DIR FORMAT PART…`; 1 when another one holds DATA_DIR."""
    data_dir, log_format, *names = arguments
    try:
        held = lock(Path(data_dir))
    except AlreadyRunning as error:
        sys.stderr.write(f"{error}\n")
        return 1
    with held:
        parts = [Part(name, [sys.executable, "-m", "statuspage", name]) for name in names]
        return Supervisor(parts, say_to(sys.stderr, log_format)).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
