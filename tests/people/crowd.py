"""A small operator and subscriber files for it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple

import pytest
from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage.clock import FrozenClock
from statuspage.config import Settings
from statuspage.db import Sessions, transaction
from statuspage.models import Account, Contact, Installation, Line, Region, Segment, Subscription
from statuspage.services import texts
from statuspage.services.actor import CLI
from statuspage.services.people_import import ImportResult, Source, import_people
from statuspage.services.people_import_columns import COLUMNS
from tests.databases import NOW, SECRET

HEADER = ",".join(COLUMNS)
ICCID = "89701010000000000005"


class Seen(NamedTuple):
    """One visible line as the tests look at it."""

    account: str
    key: str
    segment: str
    language: str
    sms: str | None
    email: str | None


class Crowd:
    """An operator with two regions and three segments, and what its people look like."""

    def __init__(self, sessions: Sessions, settings: Settings, clock: FrozenClock) -> None:
        self.sessions, self.settings, self.clock = sessions, settings, clock
        with transaction(sessions) as session:
            for key, zone, name in (("moscow", "Europe/Moscow", "Москва"), ("urals", "Asia/Yekaterinburg", "Урал")):
                region = Region(key=key, time_zone=zone)
                session.add(region)
                session.flush()
                texts.write(session, "region", region.id, "name", {"ru": name, "en": key.title()}, "ru", NOW)
            for key in ("prepaid", "business", "pos_m2m"):
                session.add(Segment(key=key, machine=key == "pos_m2m"))

    def load(self, file: str | bytes, *, dry_run: bool = False) -> ImportResult:
        body = file.encode() if isinstance(file, str) else file
        source = Source(io.BytesIO(body), "people.csv", len(body))
        return import_people(self.sessions, CLI, source, self.settings, self.clock, dry_run=dry_run)

    def refused(self, result: ImportResult) -> list[str]:
        """Lines of the refused file without its header; [] when there is none."""
        if result.refused_path is None:
            return []
        return Path(result.refused_path).read_text(encoding="utf-8").splitlines()[1:]

    def seen(self) -> list[Seen]:
        with transaction(self.sessions, read_only=True) as session:
            return visible(session)


def visible(session: Session) -> list[Seen]:
    """Every line of the current generation."""
    asked = (
        select(Account.external_id, Line.key, Segment.key, Contact.language, Contact.sms, Contact.email)
        .join(Line, Line.account_id == Account.id)
        .join(Segment, Segment.id == Line.segment_id)
        .join(Contact, Contact.id == Line.contact_id)
        .join(Installation, (Line.valid_from <= Installation.generation) & (Line.valid_to > Installation.generation))
        .order_by(Account.external_id, Line.key)
    )
    return [Seen(*row) for row in session.execute(asked)]


def subscriptions(session: Session, key: str) -> dict[str, tuple[str, str]]:
    """channel → (state, basis) of the newest row of the line `key`."""
    asked = (
        select(Subscription.channel, Subscription.state, Subscription.basis)
        .join(Line, Line.contact_id == Subscription.contact_id)
        .where(Line.key == key)
        .order_by(Line.id)
    )
    return {channel: (state, basis) for channel, state, basis in session.execute(asked)}


def row(account: str = "A1", msisdn: str = "+79161234567", **cells: str) -> str:
    """One row of a file with the contract's header."""
    values = {"account_id": account, "msisdn": msisdn, "segment": "prepaid", "region": "moscow", **cells}
    return ",".join(values.get(name, "") for name in COLUMNS)


def file(*rows: str) -> str:
    return "\n".join([HEADER, *rows, ""])


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.model_validate(
        {"data_dir": tmp_path / "var", "secret_key": SecretStr(SECRET), "base_url": "http://localhost"}
    )


@pytest.fixture
def crowd(sessions: Sessions, settings: Settings, clock: FrozenClock) -> Crowd:
    return Crowd(sessions, settings, clock)
