"""Stand-ins as the tests run them: processes of their own, on loopback, each with its ledger."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.waiting import PATIENCE, until

ROOT = Path(__file__).resolve().parents[2]


class Running:
    """`Running("twilio", ledger, "--faults", "busy=1")` as a context manager; `url` is where it listens."""

    def __init__(self, standin: str, ledger: Path, *options: str) -> None:
        self.ledger = ledger
        self._words = [sys.executable, "-m", f"notifiers.standins.{standin}", "--ledger", str(ledger), *options]
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

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
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        finally:
            self.kill()
            self._process.stdout.close()

    def kill(self) -> None:
        """As a machine would: at once."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def taken(self) -> list[dict[str, Any]]:
        """The ledger so far."""
        return [json.loads(line) for line in self.ledger.read_text().splitlines()]

    def counts(self) -> dict[str, int]:
        with urllib.request.urlopen(f"{self.url}/standin/counts", timeout=PATIENCE) as answer:  # noqa: S310 - loopback
            counts: dict[str, int] = json.load(answer)
            return counts

    def drained(self) -> dict[str, int]:
        """Waits until every callback has been made."""
        return until(lambda: None if (counts := self.counts())["waiting"] else counts, "every callback is made") or {}
