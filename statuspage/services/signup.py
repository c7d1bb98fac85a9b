"""Whoever asks on the page to be told by e-mail: nobody is told before the owner of the address has confirmed it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session

from notifiers.base import Channel
from statuspage.config import Settings
from statuspage.db import is_sqlite
from statuspage.domain.address import normalise_email
from statuspage.domain.consent import LegalBasis, SuppressionReason
from statuspage.domain.errors import NotFound
from statuspage.i18n import template
from statuspage.models import Campaign, Contact, Delivery, Subscription, Suppression
from statuspage.models.types import new_public_id
from statuspage.services import audit, outbox
from statuspage.services.actor import PUBLIC
from statuspage.services.addresses import AddressKey
from statuspage.services.links import Links, confirmation_name
from statuspage.services.outbox import CONFIRMATION_ID, Recipient

TOPIC = "page"
SOURCE = "signup"
FORGET_AFTER = timedelta(days=7)
MAILS_PER_DAY = 3
"""Confirmations to one address: a form that anybody can fill in must not fill somebody's mailbox."""

_OWN_CHOICE = (SuppressionReason.OPT_OUT.value, SuppressionReason.ERASED.value)
"""What the owner of an address chose and may take back; a bounce or a complaint stays."""

CHUNK = 500


@dataclass(frozen=True)
class Signup:
    """What the owner sees of it. `email` is masked: the link may have been forwarded."""

    public_id: str
    email: str
    locale: str
    state: str
    at: datetime


def request_signup(session: Session, email: str, locale: str, settings: Settings, *, now: datetime) -> None:
    """Ask the address to confirm. Known, unknown or closed to us: the caller learns nothing and the answer is the same.

    It comes as late, too: whether a mail goes out or not something is written and made durable, which is what takes
    long. AddressError when `email` is no address.
    """
    address = normalise_email(email)
    address_hash = AddressKey.derive(settings.secret_key.get_secret_value()).hash(address)
    _one_at_a_time(session, address_hash)
    closed, often = _closed(session, address_hash), _mails_today(session, address_hash, now) >= MAILS_PER_DAY
    if closed or often:
        detail: audit.Detail = {"why": "closed" if closed else "often"}
        audit.record(session, PUBLIC, "signup.not_mailed", "channel", Channel.EMAIL.value, now, detail)
        return
    contact = _contact(session, address_hash) or Contact(
        account_id=None, language=locale, email=address, email_hash=address_hash
    )
    session.add(contact)
    session.flush()
    subscription = _pending(session, contact, now)
    if subscription.state == "pending":
        contact.language = locale  # of an active one only its owner changes it, by the link in the mail
    name = confirmation_name(str(subscription.public_id), now)
    recipient = Recipient(contact.id, address, address_hash, locale, settings.time_zone, name)
    outbox.enqueue_confirmation(session, recipient, wording(settings), settings.default_locale, now=now)
    audit.record(session, PUBLIC, "signup.requested", "subscription", str(subscription.public_id), now)


def confirm(session: Session, links: Links, token: str, *, now: datetime) -> Signup:
    """The owner agrees; again, with the same effect, when the link is opened twice.

    Who is told already and signed up anew is told in the new mail's language from now on.
    NotFound: the link is damaged or has run out, or the sign-up was ended or forgotten since.
    """
    public_id, issued = links.read_confirm(token, now=now)
    contact, subscription = _found(session, public_id)
    if subscription.ended_at is not None and subscription.ended_at > issued:
        raise _gone()
    if subscription.state != "active":
        subscription.state, subscription.confirmed_at, subscription.ended_at = "active", now, None
        session.execute(
            delete(Suppression).where(
                Suppression.channel == Channel.EMAIL.value,
                Suppression.address_hash == contact.email_hash,
                Suppression.reason.in_(_OWN_CHOICE),
            )
        )
        audit.record(session, PUBLIC, "signup.confirmed", "subscription", public_id, now)
    elif subscription.confirmed_at is not None and issued > subscription.confirmed_at:
        subscription.confirmed_at = now
        audit.record(session, PUBLIC, "signup.confirmed", "subscription", public_id, now)
    else:
        return _seen(contact, subscription)
    contact.language = _asked_in(session, contact, confirmation_name(public_id, issued)) or contact.language
    return _seen(contact, subscription)


def awaiting(session: Session, links: Links, token: str, *, now: datetime) -> Signup:
    """What the link would confirm; errors as in `confirm`."""
    public_id, issued = links.read_confirm(token, now=now)
    contact, subscription = _found(session, public_id)
    if subscription.ended_at is not None and subscription.ended_at > issued:
        raise _gone()
    return _seen(contact, subscription)


def managed(session: Session, links: Links, token: str) -> Signup:
    """The sign-up that a manage link shows."""
    return _seen(*_found(session, links.read_manage(token)))


def choose_language(session: Session, links: Links, token: str, locale: str, *, now: datetime) -> Signup:
    """Tell this person in `locale` from now on."""
    contact, subscription = _found(session, links.read_manage(token))
    if contact.language != locale:
        contact.language = locale
        audit.record(session, PUBLIC, "signup.language_chosen", "subscription", str(subscription.public_id), now)
    return _seen(contact, subscription)


def end(session: Session, links: Links, token: str, *, now: datetime) -> Signup:
    """Tell this person nothing more by this sign-up."""
    contact, subscription = _found(session, links.read_manage(token))
    if subscription.state != "ended":
        subscription.state, subscription.ended_at = "ended", now
        audit.record(session, PUBLIC, "signup.ended", "subscription", str(subscription.public_id), now)
    return _seen(contact, subscription)


def forget_unconfirmed(session: Session, *, now: datetime) -> int:
    """Delete sign-ups that nobody confirmed within 7 days, address and all; how many, at most `CHUNK` a call."""
    late = (
        select(Subscription.id, Subscription.contact_id)
        .where(Subscription.state == "pending", Subscription.topic == TOPIC, Subscription.at < now - FORGET_AFTER)
        .limit(CHUNK)
    )
    found = list(session.execute(late))
    contacts = [contact for _, contact in found]
    hashes = select(Contact.email_hash).where(Contact.id.in_(contacts))
    mails = select(Campaign.id).where(Campaign.public_id == CONFIRMATION_ID).scalar_subquery()
    for statement in (
        update(Delivery)
        .where(Delivery.campaign_id == mails, Delivery.channel == Channel.EMAIL, Delivery.address_hash.in_(hashes))
        .values(address=None),
        delete(Subscription).where(Subscription.id.in_([subscription for subscription, _ in found])),
        delete(Contact).where(Contact.id.in_(contacts)),
    ):
        session.execute(statement, execution_options={"synchronize_session": False})
    return len(found)


def masked(email: str) -> str:
    """a…@example.org"""
    local, _, domain = email.rpartition("@")
    return f"{local[:1]}…@{domain}"


def _one_at_a_time(session: Session, address_hash: str) -> None:
    # SQLite has one writer; on PostgreSQL two requests for one address would make two contacts.
    if not is_sqlite(session):
        session.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": f"signup {address_hash}"})


def _closed(session: Session, address_hash: str) -> bool:
    row = session.get(Suppression, (Channel.EMAIL.value, address_hash))
    return row is not None and row.reason not in _OWN_CHOICE


def _mails_today(session: Session, address_hash: str, now: datetime) -> int:
    asked = (
        select(func.count())
        .select_from(Delivery)
        .join(Campaign, Campaign.id == Delivery.campaign_id)
        .where(
            Campaign.public_id == CONFIRMATION_ID,
            Delivery.channel == Channel.EMAIL.value,
            Delivery.address_hash == address_hash,
            Delivery.not_before > now - timedelta(days=1),
        )
    )
    return session.scalar(asked) or 0


def _asked_in(session: Session, contact: Contact, name: str) -> str | None:
    """The language of the confirmation mail of that name; None when the outbox has forgotten it."""
    return session.scalar(
        select(Delivery.locale)
        .join(Campaign, Campaign.id == Delivery.campaign_id)
        .where(
            Campaign.public_id == CONFIRMATION_ID,
            Delivery.channel == Channel.EMAIL.value,
            Delivery.address_hash == contact.email_hash,
            Delivery.dedupe == name,
        )
    )


def _contact(session: Session, address_hash: str) -> Contact | None:
    return session.scalar(
        select(Contact).where(
            Contact.email_hash == address_hash, Contact.account_id.is_(None), Contact.erased_at.is_(None)
        )
    )


def _pending(session: Session, contact: Contact, now: datetime) -> Subscription:
    """The contact's subscription, which waits for the confirmation unless it has it."""
    row = session.scalar(
        select(Subscription).where(
            Subscription.contact_id == contact.id,
            Subscription.channel == Channel.EMAIL.value,
            Subscription.topic == TOPIC,
        )
    )
    if row is None:
        row = Subscription(
            public_id=new_public_id(),
            contact_id=contact.id,
            channel=Channel.EMAIL.value,
            topic=TOPIC,
            basis=LegalBasis.CONSENT.value,
            source=SOURCE,
            state="pending",
            at=now,
        )
        session.add(row)
    elif row.state != "active":
        row.state, row.at = "pending", now
    session.flush()
    return row


def wording(settings: Settings) -> dict[str, dict[str, str]]:
    """The mail in every language, its `{link}` still open: the sender signs it as it goes out."""
    values = {"operator": settings.operator_name}
    return {
        field: {locale: _filled(template(locale, f"confirm.{field}"), values) for locale in settings.locales}
        for field in ("subject", "mail")
    }


def _filled(words: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        words = value.join(words.split(f"{{{name}}}"))
    return words


def _found(session: Session, public_id: str) -> tuple[Contact, Subscription]:
    row = session.execute(
        select(Contact, Subscription)
        .join(Subscription, Subscription.contact_id == Contact.id)
        .where(Subscription.public_id == public_id, Contact.erased_at.is_(None))
    ).one_or_none()
    if row is None:
        raise _gone()
    return row[0], row[1]


def _gone() -> NotFound:
    return NotFound("signup.gone", "token: this sign-up is no more. Sign up again to be told.", "token")


def _seen(contact: Contact, subscription: Subscription) -> Signup:
    return Signup(
        str(subscription.public_id), masked(contact.email or ""), contact.language, subscription.state, subscription.at
    )
