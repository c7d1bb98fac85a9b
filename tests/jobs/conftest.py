"""What the tests of the engine begin with: a small operator without people, and settings without a vendor."""

from __future__ import annotations

from pathlib import Path

import pytest

from statuspage.config import Settings
from statuspage.db import Sessions
from tests.outbox import World, settings


@pytest.fixture
def world(sessions: Sessions) -> World:
    return World(sessions)


@pytest.fixture
def configured(tmp_path: Path) -> Settings:
    return settings(tmp_path)
