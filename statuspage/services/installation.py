"""The rows every process needs, and the check that this process holds the right key."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from statuspage.domain.errors import RuleError
from statuspage.models import Installation, PageState
from statuspage.models.types import new_public_id
from statuspage.services.addresses import AddressKey

ROW = 1


def ensure(session: Session, key: AddressKey, now: datetime) -> Installation:
    """Make the rows on the first start.

    Refuse to run with another SECRET_KEY later, which would forget every opt-out.
    """
    if session.get(PageState, ROW) is None:
        session.add(PageState(id=ROW, public_id=new_public_id()))
    row = session.get(Installation, ROW)
    if row is None:
        row = Installation(id=ROW, address_key_check=key.fingerprint(), created_at=now)
        session.add(row)
    check_key(session, key)
    session.flush()
    return row


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
