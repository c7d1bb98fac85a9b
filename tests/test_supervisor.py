"""The supervisor against real processes: tiny children, real signals."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from statuspage.supervisor import AlreadyRunning, Patience, lock
from tests.waiting import PATIENCE

ROOT = Path(__file__).parent.parent
SLEEPER = "import time; time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, lambda *_: print('told', flush=True)); "
    "print('deaf', flush=True); time.sleep(600)"
)
WITH_GRANDCHILD = (
    "import subprocess, sys, time; "
    "print('grandchild', subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid, flush=True); "
    "time.sleep(600)"
)


@dataclass
class Watched:
    """A supervisor in a process of its own; `line` waits for what it or a child says next."""

    process: subprocess.Popen[str]
    lines: queue.Queue[str] = field(default_factory=queue.Queue)

    def __post_init__(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line.strip())

    def line(self, word: str) -> str:
        while word not in (line := self.lines.get(timeout=PATIENCE)):
            pass
        return line

    def number(self, word: str, label: str) -> float:
        return float(self.line(word).split(f"{label}=")[1].split()[0])

    def pid(self) -> int:
        return int(self.number("part started", "pid"))


Supervise = Callable[..., Watched]


@pytest.fixture
def supervise() -> Iterator[Supervise]:
    started: list[Watched] = []

    def start(*children: str, stop: float = PATIENCE) -> Watched:
        script = textwrap.dedent(f"""
            import sys
            from statuspage.supervisor import Part, Patience, Supervisor, say_to
            parts = [Part(f"part{{n}}", [sys.executable, "-c", code]) for n, code in enumerate({list(children)!r})]
            sys.exit(Supervisor(parts, say_to(sys.stdout, "console"), Patience(0.05, 0.4, 60, {stop})).run())
        """)
        process = subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT
        )
        started.append(Watched(process))
        return started[-1]

    yield start
    for watched in started:
        watched.process.terminate()
        watched.process.wait(PATIENCE)
        assert watched.process.stdout is not None
        watched.process.stdout.close()


def gone(pid: int) -> bool:
    try:
        psutil.Process(pid).wait(PATIENCE)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


def test_a_killed_part_is_started_again(supervise: Supervise) -> None:
    """kill -9 of one part starts that part again and leaves the other alone."""
    watched = supervise(SLEEPER, SLEEPER)
    first, other = watched.pid(), watched.pid()
    os.kill(first, signal.SIGKILL)
    assert watched.number("part died", "code") == -signal.SIGKILL
    assert watched.pid() != first
    assert psutil.pid_exists(other)


def test_what_a_killed_part_had_started_goes_with_it(supervise: Supervise) -> None:
    """A server's own workers do not go on holding the port beside its successor."""
    watched = supervise(WITH_GRANDCHILD)
    part = watched.pid()
    grandchild = int(watched.line("grandchild").split()[1])
    os.kill(part, signal.SIGKILL)
    watched.line("part died")
    assert gone(grandchild)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_all(supervise: Supervise, number: signal.Signals) -> None:
    """SIGTERM, SIGINT and SIGHUP stop every part, and the supervisor ends with 0."""
    watched = supervise(SLEEPER, SLEEPER)
    children = [watched.pid(), watched.pid()]
    watched.process.send_signal(number)
    assert watched.process.wait(PATIENCE) == 0
    assert all(gone(pid) for pid in children)


def test_a_deaf_part_is_killed_at_the_deadline(supervise: Supervise) -> None:
    """A part that does not stop in time is killed, said by name, and the exit code tells of it."""
    watched = supervise(STUBBORN, stop=0.2)
    child = watched.pid()
    watched.line("deaf")
    watched.process.terminate()
    assert "part0" in watched.line("part killed")
    assert watched.process.wait(PATIENCE) == 1
    assert gone(child)


def test_a_second_signal_ends_the_wait(supervise: Supervise) -> None:
    """Whoever presses Ctrl-C twice does not wait for the deadline."""
    watched = supervise(STUBBORN, stop=600)
    watched.line("deaf")
    watched.process.send_signal(signal.SIGINT)
    watched.line("told")
    watched.process.send_signal(signal.SIGINT)
    assert watched.process.wait(PATIENCE) == 1


def test_a_crash_loop_backs_off(supervise: Supervise) -> None:
    """The pause before each restart doubles and stays at its cap."""
    watched = supervise("raise SystemExit(3)")
    pauses = [watched.number("part died", "restart_seconds") for _ in range(5)]
    assert pauses == [0.05, 0.1, 0.2, 0.4, 0.4]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a child of its parent's death")
def test_the_parts_die_with_a_killed_supervisor(supervise: Supervise) -> None:
    """kill -9 of the supervisor leaves no part behind."""
    watched = supervise(SLEEPER, SLEEPER)
    children = [watched.pid(), watched.pid()]
    watched.process.kill()
    assert all(gone(pid) for pid in children)


def test_a_part_that_lived_long_starts_its_count_anew() -> None:
    """Pauses grow by failure, never past the longest, however many there were."""
    patience = Patience(first=0.5, longest=30)
    assert [patience.pause(n) for n in (1, 2, 7, 1000)] == [0.5, 1.0, 30.0, 30.0]


def test_a_second_copy_with_the_same_data_dir_is_refused(tmp_path: Path) -> None:
    """The refusal names the directory, the process that holds it and the two settings to change."""
    with lock(tmp_path):
        with pytest.raises(AlreadyRunning) as refused:
            lock(tmp_path)
        words = str(refused.value)
        assert all(
            word in words for word in (str(tmp_path), str(os.getpid()), "STATUSPAGE_DATA_DIR", "STATUSPAGE_PORT")
        )
        second = subprocess.run(
            [sys.executable, "-m", "statuspage.supervisor", str(tmp_path), "console", "web"],
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=PATIENCE,
            check=False,
        )
        assert second.returncode == 1
        assert "STATUSPAGE_DATA_DIR" in second.stderr
    lock(tmp_path).close()


def test_the_supervisor_stays_small() -> None:
    """Watching loads neither Flask, SQLAlchemy, pydantic nor the logging libraries."""
    code = "import statuspage.supervisor, sys; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    assert not {"flask", "sqlalchemy", "pydantic", "structlog", "asyncio"} & set(loaded.split())
