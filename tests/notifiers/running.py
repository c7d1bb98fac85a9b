"""Stand-ins as the tests run them: processes of their own, on loopback, each with its ledger."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class Running:
    """`Running("twilio", ledger, "--faults", "busy=1")` as a context manager; `url` is where it listens."""

    def __init__(self, standin: str, ledger: Path, *options: str) -> None:
        self.ledger = ledger
        self._words = [sys.executable, "-m", f"notifiers.standins.{standin}", "--ledger", str(ledger), *options]
        self._process: subprocess.Popen[str] | None = None
        self.url = ""
        self.stopped_in = 0.0

    def __enter__(self) -> Running:
        self._process = subprocess.Popen(self._words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        self.url = line.removeprefix("listening on ").strip()
        if not line.startswith("listening on "):
            self.__exit__(None, None, None)
            raise RuntimeError("the stand-in did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        begun = time.monotonic()
        self._process.terminate()
        try:
            self._process.wait(10)
        finally:
            self.kill()
            self._process.stdout.close()
            self.stopped_in = time.monotonic() - begun

    def kill(self) -> None:
        """As a machine would: at once."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def taken(self) -> list[dict[str, Any]]:
        """The ledger so far."""
        return [json.loads(line) for line in self.ledger.read_text().splitlines()]

    def counts(self) -> dict[str, int]:
        with urllib.request.urlopen(f"{self.url}/standin/counts", timeout=5) as answer:  # noqa: S310 - loopback
            counts: dict[str, int] = json.load(answer)
            return counts

    def drained(self, seconds: float = 10.0) -> dict[str, int]:
        """Waits until every callback has been made."""
        deadline = time.monotonic() + seconds
        while (counts := self.counts())["waiting"]:
            assert time.monotonic() < deadline, counts
            time.sleep(0.02)
        return counts
