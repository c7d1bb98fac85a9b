"""Forget a person: the addresses go, and what remains is enough to leave that person alone for good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, CursorResult, or_, select, update
from sqlalchemy.orm import Session

from notifiers.base import Channel
from statuspage.config import Settings
from statuspage.domain.consent import SuppressionReason
from statuspage.domain.roles import Permission
from statuspage.models import Campaign, Contact, Delivery, Line, Segment, Subscription
from statuspage.services import audit, suppressions
from statuspage.services.actor import Actor
from statuspage.services.addresses import Address, AddressKey, read_address

SOURCE = "erasure"
KEY_LENGTH = 22


@dataclass(frozen=True)
class Erased:
    """How much was forgotten. All zero: nobody had the address, and it is suppressed from now on all the same."""

    contacts: int
    lines: int
    deliveries: int


def erase(session: Session, actor: Actor, text: str, settings: Settings, *, now: datetime) -> Erased:
    """Erase whoever is told at `text` (an e-mail address or a number), in all generations, and that number's own line.

    The addresses become NULL here and in the outbox; their keyed hashes stay suppressed, also through later imports of
    the same person. Another address of that person is suppressed too, unless somebody else is told there. A terminal's
    line keeps its number: it is a thing, and only its contact was a person. AddressError: `text` is no address.
    """
    actor.require(Permission.SUBSCRIBER_ERASE)
    key = AddressKey.derive(settings.secret_key.get_secret_value())
    asked = read_address(text, settings.default_region, key)
    contacts = list(session.scalars(select(Contact).where(_told_at(asked), Contact.erased_at.is_(None))))
    ids = [contact.id for contact in contacts]
    addresses = [asked, *_only_theirs(session, contacts, asked)]
    lines = _forget_lines(session, ids, asked, key)
    for contact in contacts:
        contact.sms = contact.email = None
        contact.erased_at = now
    _end_subscriptions(session, ids, now)
    deliveries = sum(_forget_deliveries(session, address) for address in addresses)
    suppressions.add(
        session,
        [suppressions.Refused(one.channel, one.hash, SuppressionReason.ERASED, SOURCE) for one in addresses],
        now=now,
    )
    erased = Erased(len(ids), lines, deliveries)
    detail: audit.Detail = {"contacts": ids, "lines": lines, "deliveries": deliveries}
    audit.record(session, actor, "person.erased", "contact", str(ids[0] if ids else 0), now, detail)
    return erased


def _told_at(address: Address) -> ColumnElement[bool]:
    return (Contact.email_hash if address.channel == Channel.EMAIL else Contact.sms_hash) == address.hash


def _only_theirs(session: Session, contacts: Sequence[Contact], asked: Address) -> list[Address]:
    """The other addresses of these contacts that nobody else is told at."""
    ids = [contact.id for contact in contacts]
    others = {
        Address(channel.value, text, address_hash)
        for contact in contacts
        for channel, text, address_hash in (
            (Channel.SMS, contact.sms, contact.sms_hash),
            (Channel.EMAIL, contact.email, contact.email_hash),
        )
        if text and address_hash
    } - {asked}
    held = select(Contact.id).where(Contact.id.not_in(ids), Contact.erased_at.is_(None)).limit(1)
    return [one for one in sorted(others, key=str) if session.scalar(held.where(_told_at(one))) is None]


def _forget_lines(session: Session, contact_ids: Sequence[int], asked: Address, key: AddressKey) -> int:
    """Take the lines of people out of every generation. What is left of them is swept up with the replaced rows."""
    theirs = Line.contact_id.in_(contact_ids) & Segment.machine.is_(False)
    own = Line.key == asked.text
    lines = session.scalars(select(Line).join(Segment, Segment.id == Line.segment_id).where(or_(theirs, own))).all()
    for line in lines:
        line.key = f"#{key.hash(line.key)}"[:KEY_LENGTH]
        line.msisdn = line.iccid = line.balance = line.currency = line.paid_until = None
        line.valid_to = line.valid_from
    return len(lines)


def _end_subscriptions(session: Session, contact_ids: Sequence[int], now: datetime) -> None:
    theirs = update(Subscription).where(Subscription.contact_id.in_(contact_ids), Subscription.ended_at.is_(None))
    session.execute(theirs.values(state="ended", ended_at=now), execution_options={"synchronize_session": False})


def _forget_deliveries(session: Session, address: Address) -> int:
    # By campaign, so that the outbox's unique index is used and millions of deliveries are not read.
    theirs = update(Delivery).where(
        Delivery.campaign_id.in_(select(Campaign.id)),
        Delivery.channel == address.channel,
        Delivery.address_hash == address.hash,
        Delivery.address.is_not(None),
    )
    result = session.execute(theirs.values(address=None), execution_options={"synchronize_session": False})
    return result.rowcount if isinstance(result, CursorResult) else 0
