"""Clearing away after imports, which takes a while at a million people."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from statuspage.db import transaction
from statuspage.models import Line, PeopleImport
from statuspage.services import people_import_purge
from statuspage.services.people_import_purge import tend_imports
from tests.people.crowd import Crowd, file, row


def test_the_purge_can_be_broken_off_and_goes_on_later(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheduler that shall stop leaves the rest of the replaced rows to the next one, which ends the work."""
    monkeypatch.setattr(people_import_purge, "CHUNK", 2)
    people = [f"+7916111111{n}" for n in range(7)]
    crowd.load(file(*(row("A1", one) for one in people)))
    crowd.load(file(*(row("A1", one, language="en") for one in people)))
    before = crowd.seen()
    tend_imports(crowd.sessions, crowd.clock, lambda: True)
    assert crowd.seen() == before
    assert _lines(crowd) == 7 + 7 - 2
    tend_imports(crowd.sessions, crowd.clock)
    assert crowd.seen() == before
    assert _lines(crowd) == 7
    with transaction(crowd.sessions, read_only=True) as session:
        assert set(session.scalars(select(PeopleImport.purged))) == {True}


def _lines(crowd: Crowd) -> int:
    with transaction(crowd.sessions, read_only=True) as session:
        return session.scalar(select(func.count()).select_from(Line)) or 0
