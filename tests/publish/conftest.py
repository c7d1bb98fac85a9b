from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, event

from tests.publish.world import world

__all__ = ["count_queries", "world"]


@pytest.fixture
def count_queries(engine: Engine) -> Iterator[Callable[[], int]]:
    """How many statements this engine has executed so far."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield lambda: len(seen)
    event.remove(engine, "before_cursor_execute", note)
