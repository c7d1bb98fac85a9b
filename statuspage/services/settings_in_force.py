"""The settings that the serving processes make the public page with; a command with others must not make it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from statuspage.config import Settings
from statuspage.models import Installation
from statuspage.services import page

NAMES = (
    "base_url",
    "operator_name",
    "brand_name",
    "brand_logo",
    "brand_colours",
    "support_phone",
    "privacy_url",
    "time_zone",
    "locales",
    "default_locale",
)
"""What the page is made of. None of them may hold a secret: their values are stored and shown."""


@dataclass(frozen=True)
class Difference:
    """A setting's full name, its value in this process, and the one the page is made with."""

    name: str
    here: str
    in_force: str


def put(session: Session, settings: Settings) -> None:
    """Called by the scheduler when it starts. Other values than the last ones make the page anew."""
    values = _values(settings)
    former = session.scalar(select(Installation.settings_in_force))
    if former != values:
        session.execute(update(Installation).values(settings_in_force=values))
        page.bump(session)


def differences(session: Session, settings: Settings) -> list[Difference]:
    """What this process would make another page with; [] while nothing was ever served."""
    former = session.scalar(select(Installation.settings_in_force)) or {}
    return [
        Difference(f"STATUSPAGE_{name.upper()}", value, former[name])
        for name, value in _values(settings).items()
        if former.get(name, value) != value
    ]


def _values(settings: Settings) -> dict[str, str]:
    return {name: _shown(getattr(settings, name)) for name in NAMES}


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "" if value is None else str(value)
