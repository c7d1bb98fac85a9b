"""Commands run as the console script runs them, on the sample operator or on an empty database."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

from notifiers.base import Channel
from statuspage import cli
from statuspage.clock import FrozenClock
from statuspage.composition import Composition
from statuspage.db import Sessions, make_sessions
from statuspage.environment import load
from tests.databases import SECRET
from tests.services.world import World, sample_postgres, sample_sqlite, world

__all__ = ["sample_postgres", "sample_sqlite", "world"]

Run = Callable[..., tuple[int, str, str]]
Runner = Callable[[Sessions], Run]


@pytest.fixture
def runner(
    clock: FrozenClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Runner:
    """Makes what runs one command on these sessions: (exit code, output, errors)."""

    def on(sessions: Sessions) -> Run:
        settings = load({"STATUSPAGE_DATA_DIR": str(tmp_path / "data"), "STATUSPAGE_SECRET_KEY": SECRET})
        parts = Composition(settings, sessions, {channel: [] for channel in Channel}, clock)

        def run_command(*arguments: str) -> tuple[int, str, str]:
            monkeypatch.setattr(sys, "argv", ["statuspage", *arguments])
            with pytest.raises(SystemExit) as ended:
                cli.run(lambda: parts)
            printed = capsys.readouterr()
            return int(ended.value.code or 0), printed.out, printed.err

        return run_command

    return on


@pytest.fixture
def run(world: World, runner: Runner) -> Run:
    """Runs a command where the sample operator is loaded."""
    return runner(world.sessions)


@pytest.fixture
def run_empty(engine: Engine, runner: Runner) -> Run:
    """Runs a command where nothing is loaded."""
    return runner(make_sessions(engine))
