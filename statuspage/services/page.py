"""Say that the public page has to change."""

from __future__ import annotations

from sqlalchemy import update
from sqlalchemy.orm import Session

from statuspage.models import PageState


def bump(session: Session) -> None:
    """Raise the wanted revision; the publisher renders after the commit, or on the scheduler's next tick."""
    session.execute(update(PageState).values(wanted=PageState.wanted + 1))
