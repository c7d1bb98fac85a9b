"""A command that runs with other settings than the serving processes does not change what customers see."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from notifiers.base import Channel
from statuspage import cli
from statuspage.clock import FrozenClock
from statuspage.composition import Composition
from statuspage.db import Sessions, transaction
from statuspage.environment import load
from statuspage.jobs import scheduler
from statuspage.models import Incident, PageState
from statuspage.publish.publisher import publish
from statuspage.services import settings_in_force
from tests.databases import SECRET
from tests.services.world import World

DECLARE = ("incident", "declare", "--template", "billing_outage")
Run = Callable[..., tuple[str, str]]


@pytest.fixture
def compose(world: World, clock: FrozenClock, tmp_path: Path) -> Callable[..., Composition]:
    def composed(**settings: str) -> Composition:
        environ = {"STATUSPAGE_DATA_DIR": str(tmp_path / "data"), "STATUSPAGE_SECRET_KEY": SECRET}
        found = load(environ | {f"STATUSPAGE_{name.upper()}": value for name, value in settings.items()})
        return Composition(found, world.sessions, {channel: [] for channel in Channel}, clock)

    return composed


@pytest.fixture
def run(
    compose: Callable[..., Composition], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs a command with these settings where a scheduler serves https://status.example in three languages."""
    parts = compose(base_url="https://status.example")
    with transaction(parts.sessions) as session:
        settings_in_force.put(session, parts.settings)
    publish(parts.sessions, parts.settings, parts.clock)

    def run_command(*arguments: str, **settings: str) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["statuspage", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.run(lambda: compose(**settings))
        printed = capsys.readouterr()
        assert not ended.value.code, printed.err
        return printed.out, printed.err

    return run_command


def _behind(sessions: Sessions) -> int:
    with transaction(sessions, read_only=True) as session:
        return session.scalars(select(PageState.wanted - PageState.published)).one()


def test_the_page_is_left_to_the_scheduler(run: Run, world: World) -> None:
    """The incident is declared, the page is not made with another address, and the command says why."""
    _, said = run(*DECLARE, locales="en", default_locale="en")
    assert "not published from here" in said
    assert "STATUSPAGE_BASE_URL: here http://localhost:8080, there https://status.example" in said
    assert "STATUSPAGE_LOCALES: here en, there ru,zh,en" in said
    assert SECRET not in said
    assert _behind(world.sessions) > 0
    with transaction(world.sessions, read_only=True) as session:
        assert session.scalars(select(Incident)).one().published_at is not None


def test_the_same_settings_publish_at_once(run: Run, world: World) -> None:
    """Whatever the page is not made of may differ: a command has its own log format, and no port."""
    _, said = run(*DECLARE, base_url="https://status.example", log_format="json", port="8099")
    assert "settings" not in said
    assert _behind(world.sessions) == 0


def test_other_settings_of_the_serving_process_make_the_page_anew(
    compose: Callable[..., Composition], world: World
) -> None:
    """A restart with another zone shows it at once; a restart with the same settings changes nothing."""
    for zone, behind in (("Asia/Vladivostok", 1), ("Asia/Vladivostok", 0), ("Europe/Moscow", 1)):
        parts = compose(time_zone=zone)
        publish(parts.sessions, parts.settings, parts.clock)
        with transaction(parts.sessions) as session:
            settings_in_force.put(session, parts.settings)
        assert _behind(world.sessions) == behind


def test_the_scheduler_says_what_is_in_force(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its start writes its settings down, and commands are measured by them from then on."""
    monkeypatch.setattr(scheduler, "run", lambda _parts: None)
    run("scheduler", base_url="https://new.example")
    _, said = run(*DECLARE, base_url="https://status.example")
    assert "there https://new.example" in said
    assert _behind(world.sessions) > 0


def test_files_are_written_as_asked_and_the_difference_is_said(run: Run, tmp_path: Path) -> None:
    """An export for another host may have another address; nobody is left to find that out by himself."""
    out, said = run("publish", "--to", str(tmp_path / "site"), base_url="https://mirror.example")
    assert "files written" in out
    assert "STATUSPAGE_BASE_URL: here https://mirror.example, there https://status.example" in said
