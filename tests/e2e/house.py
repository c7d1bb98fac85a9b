"""The whole product as one command runs it, on a port and a directory of its own."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 90
FIRST = re.compile(r"^(\S+@\S+)\s+\S+\s+(\S+)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class House:
    """A running installation: its address, and the first password of each person."""

    address: str
    passwords: dict[str, str]


@contextmanager
def running(data_dir: Path) -> Iterator[House]:
    """The sample operator under `statuspage serve`; ended with it."""
    port = _free_port()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("STATUSPAGE_")}
    environ |= {"STATUSPAGE_DATA_DIR": str(data_dir), "STATUSPAGE_PORT": str(port)}
    environ |= {"STATUSPAGE_APPROVAL_ALWAYS": "true", "STATUSPAGE_SUPPORT_PHONE": "0500"}
    environ |= {"STATUSPAGE_QUIET_START": "00:00", "STATUSPAGE_QUIET_END": "00:00"}  # the proof runs at any hour
    command = [sys.executable, "-m", "statuspage"]
    loaded = subprocess.run([*command, "sample"], env=environ, cwd=ROOT, check=True, capture_output=True, text=True)
    log = (data_dir / "serve.log").open("w")
    serve = subprocess.Popen([*command, "serve"], env=environ, cwd=ROOT, stdout=log, stderr=log)
    try:
        address = f"http://localhost:{port}"
        _wait(address, serve)
        yield House(address, dict(FIRST.findall(loaded.stdout)))
    finally:
        serve.terminate()
        serve.wait(30)
        log.close()


def _wait(address: str, serve: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and serve.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/readyz", timeout=5):  # noqa: S310 - our own address
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    raise TimeoutError(f"the product is not ready at {address}; exit code {serve.poll()}")


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
