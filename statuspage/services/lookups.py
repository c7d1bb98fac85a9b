"""Somebody of the operator looks a person up: by number, e-mail, SIM or account. Who asked about whom is kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage.config import Settings
from statuspage.domain.address import AddressError, normalise_email, normalise_iccid, normalise_msisdn
from statuspage.domain.errors import RuleError
from statuspage.domain.roles import Permission
from statuspage.models import AuditEntry
from statuspage.services import audit, people_found
from statuspage.services.actor import Actor
from statuspage.services.addresses import AddressKey
from statuspage.services.people_found import Found, Named

MOST_AN_HOUR = 120
"""An agent has a caller every two minutes at the very most, and looks some of them up by number, account and SIM.
Whoever asks about more copies people out one by one; a copy of everybody is a permission of its own, `export`."""

HOUR = timedelta(hours=1)
TOO_MANY = "people.too_many_lookups"
ACT = "person.looked_up"
ENTITY = "lookup"
"""What the audit files these acts under, with the id of whoever looked: one person's newest are found quickly."""

_ACCOUNT = re.compile(r"\w[\w./:#-]{0,63}").fullmatch


class Kind(StrEnum):
    """What a text can be that somebody on the telephone reads out."""

    EMAIL = "email"
    MSISDN = "msisdn"
    ICCID = "iccid"
    ACCOUNT = "account"


@dataclass(frozen=True)
class Sought:
    """One way to read the text, in its normal form, with its keyed hash, which is what the audit keeps."""

    kind: Kind
    text: str
    hash: str


@dataclass(frozen=True)
class LookedUp:
    """`doubt` is what may be wrong with the text when nobody is known by it, where that shows."""

    sought: tuple[Sought, ...]
    found: Found
    doubt: AddressError | None

    @property
    def address(self) -> Sought | None:
        """The number or e-mail address that was asked for, by which a person can be erased."""
        return next((one for one in self.sought if one.kind in (Kind.EMAIL, Kind.MSISDN)), None)


def look_up(session: Session, actor: Actor, text: str, settings: Settings, *, now: datetime) -> LookedUp:
    """Who is meant by `text`, read in every way it can be. The look-up is audited in this transaction, found or not.

    AddressError: it can be none of them. RuleError people.too_many_lookups: this person has looked up `MOST_AN_HOUR`
    people in the last hour.
    """
    actor.require(Permission.SUBSCRIBER_VIEW)
    key = AddressKey.derive(settings.secret_key.get_secret_value())
    sought, doubt = read(text, settings, key)
    _check_bound(session, actor, now)
    found = people_found.find(session, actor, _named(sought), now=now)
    detail: audit.Detail = {
        "by": [one.kind.value for one in sought],
        "keys": [one.hash for one in sought],
        "accounts": list(found.account_ids),
        "contacts": list(found.contact_ids),
    }
    audit.record(session, actor, ACT, ENTITY, actor.name, now, detail)
    return LookedUp(tuple(sought), found, doubt if not found.cases else None)


def read(text: str, settings: Settings, key: AddressKey) -> tuple[Sequence[Sought], AddressError | None]:
    """Every way to read `text`, and the doubt about a SIM whose check digit is wrong. AddressError when there is none:
    of the mistakes the one about what it looks most like."""
    plain = text.strip()
    if "@" in plain:
        normal = normalise_email(plain)
        return [Sought(Kind.EMAIL, normal, key.hash(normal))], None
    readers: tuple[tuple[Kind, Callable[[str], str]], ...] = (
        (Kind.MSISDN, lambda given: normalise_msisdn(given, settings.default_region)),
        (Kind.ICCID, normalise_iccid),
    )
    found, mistakes = [], []
    for kind, reader in readers:
        try:
            found.append((kind, reader(plain)))
        except AddressError as mistake:
            mistakes.append(mistake)
    if _ACCOUNT(plain):
        found.append((Kind.ACCOUNT, plain))
    doubt = next((one for one in mistakes if one.code == "address.bad_check_digit"), None)
    if not found:
        raise doubt or mistakes[0]
    return [Sought(kind, normal, key.hash(normal)) for kind, normal in found], doubt


def _named(sought: Sequence[Sought]) -> Named:
    by = {one.kind: one for one in sought}
    text = {kind: one.text for kind, one in by.items()}
    hashed = {kind: one.hash for kind, one in by.items()}
    return Named(
        msisdn=text.get(Kind.MSISDN),
        email=text.get(Kind.EMAIL),
        iccid=text.get(Kind.ICCID),
        account=text.get(Kind.ACCOUNT),
        sms_hash=hashed.get(Kind.MSISDN),
        email_hash=hashed.get(Kind.EMAIL),
    )


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
