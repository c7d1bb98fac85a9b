"""One chunk of checked rows into the tables, in one short transaction; seen by nobody until its generation is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from statuspage.db import is_sqlite
from statuspage.models import FOREVER, Account, Contact, Line, Subscription
from statuspage.services.people_import_rows import PersonRow
from statuspage.services.rows import among, changed, listed, moment

SOURCE = "import"
TOPIC = "service"

_ACCOUNT = ("id", "external_id")
_CONTACT = ("id", "account_id", "language", "sms", "sms_hash", "email", "email_hash", "valid_from", "valid_to")
_LINE = (
    *("id", "account_id", "contact_id", "key", "msisdn", "iccid", "segment_id", "region_id", "time_zone"),
    *("balance", "currency", "paid_until", "valid_from", "valid_to"),
)
_SUBSCRIPTION = ("id", "contact_id", "channel", "topic", "state", "basis", "source", "at")

Key = tuple[int, str]
"""(account, MSISDN or ICCID): what makes two rows the same line."""


@dataclass(frozen=True)
class LiveLine:
    """The line's row that the new one replaces."""

    id: int
    contact_id: int
    valid_from: int


def write_chunk(session: Session, rows: Sequence[PersonRow], generation: int, now: datetime) -> list[int]:
    """Store `rows` and close what they replace; the places in `rows` that repeat an earlier line of the same file."""
    accounts, known = _accounts(session, rows)
    live = _live(session, [(accounts[row.account], row.key) for row in rows if row.account in known])
    fresh: dict[Key, PersonRow] = {}
    repeated: list[int] = []
    for place, row in enumerate(rows):
        key = (accounts[row.account], row.key)
        before = live.get(key)
        if key in fresh or (before is not None and before.valid_from == generation):
            repeated.append(place)
        else:
            fresh[key] = row
    _close(session, [live[key] for key in fresh if key in live], generation)
    _insert(session, fresh, generation, now)
    return repeated


def _accounts(session: Session, rows: Sequence[PersonRow]) -> tuple[dict[str, int], frozenset[str]]:
    """Ids of all accounts of the chunk, the missing ones made; and which of them were there before."""
    names = dict.fromkeys(row.account for row in rows)
    asked = _listed(session, "text")
    found = text(f"SELECT external_id, account.id FROM {asked} CROSS JOIN account WHERE external_id = value")  # noqa: S608
    ids: dict[str, int] = dict(session.execute(found, {"list": json.dumps(list(names))}).all())
    known = frozenset(ids)
    missing = [name for name in names if name not in known]
    made = list(zip(_allocate(session, Account.__table__, len(missing)), missing, strict=True))
    _load(session, Account.__table__, _ACCOUNT, made)
    ids.update((name, number) for number, name in made)
    return ids, known


def _live(session: Session, keys: Sequence[Key]) -> dict[Key, LiveLine]:
    if not keys:
        return {}
    found = text(f"""
        SELECT line.account_id, line.key, line.id, line.contact_id, line.valid_from
        FROM {_listed(session, "json")} CROSS JOIN line
        WHERE line.account_id = CAST(value ->> 0 AS bigint) AND line.key = value ->> 1 AND line.valid_to = {FOREVER}
    """)  # noqa: S608  # fixed words and a number of ours
    rows = session.execute(found, {"list": json.dumps(keys)})
    return {(account, key): LiveLine(*rest) for account, key, *rest in rows}


def _listed(session: Session, kind: str) -> str:
    """The JSON array bound to `list` as a table of `value`. For a join: SQLite would scan all lines for pairs IN."""
    if is_sqlite(session):
        return "json_each(:list)"
    function = "jsonb_array_elements_text" if kind == "text" else "jsonb_array_elements"
    return f"{function}(CAST(:list AS jsonb)) AS asked (value)"


def _close(session: Session, replaced: Sequence[LiveLine], generation: int) -> None:
    for table, ids in (("line", [line.id for line in replaced]), ("contact", [line.contact_id for line in replaced])):
        if ids:
            closing = f"UPDATE {table} SET valid_to = :generation WHERE {among(session, 'id')}"  # noqa: S608
            changed(session, closing, {"generation": generation, "ids": listed(session, ids)})


def _insert(session: Session, fresh: Mapping[Key, PersonRow], generation: int, now: datetime) -> None:
    count = len(fresh)
    contact_ids = _allocate(session, Contact.__table__, count)
    line_ids = _allocate(session, Line.__table__, count)
    contacts: list[tuple[Any, ...]] = []
    lines: list[tuple[Any, ...]] = []
    wanted: list[tuple[int, str, str, str]] = []
    for contact_id, line_id, (key, row) in zip(contact_ids, line_ids, fresh.items(), strict=True):
        contacts.append(
            (contact_id, key[0], row.language, row.sms, row.sms_hash, row.email, row.email_hash, generation, FOREVER)
        )
        lines.append((line_id, key[0], contact_id, *row[1:10], generation, FOREVER))
        if row.sms is not None:
            wanted.append((contact_id, "sms", *row.sms_consent))
        if row.email is not None:
            wanted.append((contact_id, "email", *row.email_consent))
    _load(session, Contact.__table__, _CONTACT, contacts)
    _load(session, Line.__table__, _LINE, lines)
    at = moment(session, now)
    ids = _allocate(session, Subscription.__table__, len(wanted))
    subscriptions = [
        (number, contact_id, channel, TOPIC, state, basis, SOURCE, at)
        for number, (contact_id, channel, state, basis) in zip(ids, wanted, strict=True)
    ]
    _load(session, Subscription.__table__, _SUBSCRIPTION, subscriptions)


def _allocate(session: Session, table: Any, count: int) -> Iterable[int]:
    """`count` ids. Sign-ups write contacts and subscriptions too, so they are taken within the chunk's transaction."""
    if not count:
        return ()
    if is_sqlite(session):
        newest = text(f"SELECT coalesce(max(id), 0) FROM {table.name}")  # noqa: S608  # a name of ours
        first = session.scalars(newest).one() + 1
        return range(first, first + count)
    numbers = text("SELECT nextval(pg_get_serial_sequence(:table, 'id')) FROM generate_series(1, :count)")
    return list(session.scalars(numbers, {"table": table.name, "count": count}))


def _load(session: Session, table: Any, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """The driver's own way for many rows: SQLAlchemy's costs twice the time of the whole chunk."""
    if not rows:
        return
    cursor = session.connection().connection.cursor()
    names = ", ".join(columns)
    if is_sqlite(session):
        places = ", ".join("?" * len(columns))
        cursor.executemany(f"INSERT INTO {table.name} ({names}) VALUES ({places})", rows)  # noqa: S608  # names are ours
        return
    with cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
