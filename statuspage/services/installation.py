"""The rows every process needs, and the check that this process holds the right key."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from statuspage.db import is_sqlite
from statuspage.domain.errors import RuleError
from statuspage.models import Installation, PageState
from statuspage.models.types import new_public_id
from statuspage.services.addresses import AddressKey

ROW = 1


def ensure(session: Session, key: AddressKey, now: datetime) -> Installation:
    """Make the rows on the first start; two hosts that start at once make them once.

    Refuse to run with another SECRET_KEY later, which would forget every opt-out.
    """
    insert = sqlite.insert if is_sqlite(session) else postgresql.insert
    session.execute(insert(PageState).values(id=ROW, public_id=new_public_id()).on_conflict_do_nothing())
    row = insert(Installation).values(id=ROW, address_key_check=key.fingerprint(), created_at=now)
    session.execute(row.on_conflict_do_nothing())
    check_key(session, key)
    return session.get_one(Installation, ROW)


def check_key(session: Session, key: AddressKey) -> None:
    """Refuse to go on with another SECRET_KEY than the database was made with."""
    row = session.get(Installation, ROW)
    if row is not None and row.address_key_check != key.fingerprint():
        raise RuleError(
            "installation.other_key",
            "SECRET_KEY is not the one this database was made with, so opt-outs could not be recognised: "
            "restore the former key.",
            "SECRET_KEY",
        )
