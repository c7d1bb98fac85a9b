from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.notifiers.listening import Listener, listening


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as started:
        yield started
