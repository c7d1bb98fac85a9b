"""One installation of its own: a directory, a database, and the real processes that run on them."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from pydantic import SecretStr

from statuspage.clock import FrozenClock, SystemClock
from statuspage.config import Settings
from statuspage.db import Sessions
from statuspage.publish.publisher import publish
from tests.databases import SECRET
from tests.waiting import PATIENCE, until
from tests.web.site import ONCE, PASSWORD, TOKEN

ENGINEER = "engineer@demo.example"


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Client:
    """A person's browser, or a monitor: keeps cookies and the hidden fields of the last form."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)
    page: str = ""

    def get(self, path: str) -> Answer:
        return self._ask("GET", path, None)

    def post(self, path: str, fields: dict[str, str]) -> Answer:
        hidden = {"csrf_token": TOKEN.search(self.page), "once": ONCE.search(self.page)}
        found = {name: match[1] for name, match in hidden.items() if match is not None}
        return self._ask("POST", path, {**found, **fields})

    def log_in(self, email: str = ENGINEER) -> Answer:
        self.get("/console/login")
        return self.post("/console/login", {"email": email, "password": PASSWORD})

    def _ask(self, method: str, path: str, fields: dict[str, str] | None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        body = None
        if fields is not None:
            body = urlencode(fields)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            for cookie in answer.headers.get_all("Set-Cookie", []):
                name, _, value = cookie.partition(";")[0].partition("=")
                self.cookies[name] = value
            found = Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()
        if found.headers.get("content-type", "").startswith("text/html"):
            self.page = found.text
        return found


@dataclass(frozen=True)
class Process:
    """A running command with its output in a file."""

    process: subprocess.Popen[bytes]
    output: Path

    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def ended(self) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(PATIENCE)


@dataclass(frozen=True)
class Place:
    """`sessions` reaches the same database as the processes do, from the test's own process."""

    folder: Path
    database_url: str
    sessions: Sessions

    @property
    def settings(self) -> Settings:
        return Settings(
            data_dir=self.folder,
            database_url=SecretStr(self.database_url),
            secret_key=SecretStr(SECRET),
            base_url="http://localhost:8080",
        )

    @property
    def database_file(self) -> Path:
        return Path(self.database_url.removeprefix("sqlite:///"))

    def publish(self, clock: FrozenClock | None = None) -> bool:
        return publish(self.sessions, self.settings, clock or SystemClock())

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("STATUSPAGE_")}
        return {
            **kept,
            "STATUSPAGE_DATA_DIR": str(self.folder),
            "STATUSPAGE_DATABASE_URL": self.database_url,
            "STATUSPAGE_SECRET_KEY": SECRET,
            "STATUSPAGE_BASE_URL": "http://localhost:8080",
            **more,
        }

    @contextmanager
    def start(self, *words: str, prepare: Callable[[], None] | None = None, **more: str) -> Iterator[Process]:
        """A command in a process group of its own, ended with the block."""
        output = self.folder / f"{'-'.join(words).replace('/', '_')[:40]}-{time.monotonic_ns()}.log"
        with output.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "statuspage", *words],
                env=self.environment(**more),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=prepare,
            )
        try:
            yield Process(process, output)
        finally:
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()

    @contextmanager
    def web(self, prepare: Callable[[], None] | None = None, **more: str) -> Iterator[Client]:
        """A web process that answers."""
        client = Client(free_port())
        with self.start("web", prepare=prepare, STATUSPAGE_PORT=str(client.port), **more) as running:

            def answers() -> bool:
                assert running.process.poll() is None, running.said()
                try:
                    return client.get("/healthz").status == 200
                except OSError:
                    return False

            until(answers, "the web process answers")
            yield client

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """A command, to its end."""
        return subprocess.run(
            [sys.executable, "-m", "statuspage", *words],
            env=self.environment(**more),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )


def leaks(text: str) -> list[str]:
    """Which secrets or places of the machine a text shows."""
    telling = (SECRET, PASSWORD, "sqlite", "postgresql://", "Traceback", "/tmp/")
    return [one for one in telling if one in text]
