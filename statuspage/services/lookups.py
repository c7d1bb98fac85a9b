"""Somebody of the operator looks a person up: by number, e-mail, SIM or account. Who asked about whom is kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifiers.base import Channel
from statuspage.config import Settings
from statuspage.domain.address import AddressError, normalise_iccid
from statuspage.domain.errors import RuleError
from statuspage.domain.roles import Permission
from statuspage.models import AuditEntry
from statuspage.services import audit, people_found
from statuspage.services.actor import Actor
from statuspage.services.addresses import AddressKey, read_address
from statuspage.services.people_found import Found, Sought

MOST_AN_HOUR = 120
"""An agent has a caller every two minutes at the very most, and looks some of them up by number, account and SIM.
Whoever asks about more copies people out one by one; a copy of everybody is a permission of its own, `export`."""

HOUR = timedelta(hours=1)
TOO_MANY = "people.too_many_lookups"
ACT = "person.looked_up"
ENTITY = "lookup"
"""What the audit files these acts under, with the id of whoever looked: one person's newest are found quickly."""

Read = TypeVar("Read")

_KINDS = {Channel.SMS: "msisdn", Channel.EMAIL: "email"}
_ACCOUNT = re.compile(r"\w[\w./:#-]{0,63}").fullmatch


@dataclass(frozen=True)
class LookedUp:
    """`doubt` is what may be wrong with the text when nobody is known by it, where that shows."""

    sought: Sought
    found: Found
    doubt: AddressError | None


def look_up(session: Session, actor: Actor, text: str, settings: Settings, *, now: datetime) -> LookedUp:
    """Who is meant by `text`, read in every way it can be. The look-up is audited in this transaction, found or not.

    AddressError: it can be none of them. RuleError people.too_many_lookups: this person has looked up `MOST_AN_HOUR`
    people in the last hour.
    """
    actor.require(Permission.SUBSCRIBER_VIEW)
    key = AddressKey.derive(settings.secret_key.get_secret_value())
    sought, doubt = read(text, settings, key)
    _check_bound(session, actor, now)
    found = people_found.find(session, actor, sought, now=now)
    known: audit.Detail = {"accounts": list(found.account_ids), "contacts": list(found.contact_ids)}
    audit.record(session, actor, ACT, ENTITY, actor.name, now, {**_told(sought, key), **known})
    return LookedUp(sought, found, doubt if not found.cases else None)


def read(text: str, settings: Settings, key: AddressKey) -> tuple[Sought, AddressError | None]:
    """Every way to read `text`, and the doubt about a SIM whose check digit is wrong. AddressError when there is none:
    of the mistakes the one about what it looks most like."""
    plain = text.strip()
    address, mistake = _tried(lambda: read_address(plain, settings.default_region, key))
    if "@" in plain:
        iccid, doubt, account = None, None, None
    else:
        iccid, doubt = _tried(lambda: normalise_iccid(plain))
        account = plain if _ACCOUNT(plain) else None
    if doubt is not None and doubt.code != "address.bad_check_digit":
        doubt = None
    if mistake is not None and iccid is None and account is None:
        raise doubt or mistake
    return Sought(address, iccid, account), doubt


def _tried(reader: Callable[[], Read]) -> tuple[Read | None, AddressError | None]:
    try:
        return reader(), None
    except AddressError as mistake:
        return None, mistake


def _told(sought: Sought, key: AddressKey) -> audit.Detail:
    """What the audit keeps of the text: how it was read, and the keyed hash of each reading."""
    ways: list[tuple[str, str]] = []
    if sought.address is not None:
        ways.append((_KINDS[Channel(sought.address.channel)], sought.address.hash))
    ways += [(kind, key.hash(one)) for kind, one in (("iccid", sought.iccid), ("account", sought.account)) if one]
    return {"by": [kind for kind, _ in ways], "keys": [hashed for _, hashed in ways]}


def _check_bound(session: Session, actor: Actor, now: datetime) -> None:
    """People only: whoever has a shell of this host has the database too."""
    if actor.kind != "user":
        return
    last = (
        select(AuditEntry.at)
        .where(AuditEntry.entity == ENTITY, AuditEntry.entity_id == actor.name)
        .order_by(AuditEntry.id.desc())
        .offset(MOST_AN_HOUR - 1)
        .limit(1)
    )
    at = session.scalar(last)
    if at is not None and now - HOUR < at <= now:  # what a clock that was ahead wrote binds nobody
        raise RuleError(
            TOO_MANY,
            f"address: {MOST_AN_HOUR} people were looked up by you within an hour, which is the most. "
            "Go on when the hour is over.",
            "address",
        )
