"""Programs that others wrote: found on this machine or named as missing, run, and heard in JSON."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MODULES = HERE / "node_modules"
EXPORTER = Path(sys.prefix) / "peers" / "exporter" / "bin" / "statuspage-prometheus-exporter"
PATIENCE = 60.0  # seconds; nothing waits longer than for the end of a program
OLDEST_NODE = 20


def missing(what: str) -> NoReturn:
    """A failure where every peer is required, else a skip that says which one is not there."""
    reason = f"{what} is missing; `make proof` installs it"
    if os.environ.get("STATUSPAGE_TEST_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def program(name: str, *folders: str) -> str:
    """Its path, also where only root looks."""
    found = shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", os.defpath), *folders)))
    return found or missing(name)


def node() -> str:
    """Node.js, with the packages of package-lock.json beside it."""
    found = program("node")
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    if int(said.strip().removeprefix("v").partition(".")[0]) < OLDEST_NODE:
        missing(f"Node.js {OLDEST_NODE} or later (here is {said.strip()})")
    if not (MODULES / ".package-lock.json").exists():
        missing("tests/proof/node_modules")
    return found


def ask(script: str, question: object) -> Any:
    """The JSON that `script` (a file beside this one) answers to `question`."""
    done = subprocess.run(
        [node(), str(HERE / script)],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, f"{script}: {done.stderr[-4000:]}"
    return json.loads(done.stdout)


@contextmanager
def running(words: Sequence[str], folder: Path, **settings: str) -> Iterator[subprocess.Popen[str]]:
    """A program in the background, ended with the block; its complaints go to a file in `folder`."""
    with (folder / "complaints.log").open("a") as complaints:
        process = subprocess.Popen(
            words, cwd=folder, env={**os.environ, **settings}, stdout=subprocess.PIPE, stderr=complaints, text=True
        )
    assert process.stdout is not None
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
