"""The owner of an address says no: at once, by one click, and for good."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifiers.base import Channel
from statuspage.domain.consent import SuppressionReason
from statuspage.models import Contact, Subscription, Suppression
from statuspage.services import audit, suppressions
from statuspage.services.actor import PUBLIC
from statuspage.services.links import Links
from statuspage.services.signup import TOPIC

SOURCE = "link"


def opt_out(session: Session, links: Links, token: str, *, now: datetime) -> Channel:
    """Send nothing more to the address behind an unsubscribe link, by any campaign, and end its sign-ups.

    The same link again changes nothing. NotFound when the link is damaged.
    """
    channel, address_hash = links.read_unsubscribe(token)
    if session.get(Suppression, (channel.value, address_hash)) is None:
        refused = suppressions.Refused(channel.value, address_hash, SuppressionReason.OPT_OUT, SOURCE)
        suppressions.add(session, [refused], now=now)
        audit.record(session, PUBLIC, "consent.opted_out", "channel", channel.value, now)
    if channel is Channel.EMAIL:
        _end_signups(session, address_hash, now)
    return channel


def _end_signups(session: Session, address_hash: str, now: datetime) -> None:
    signups = (
        select(Subscription)
        .join(Contact, Contact.id == Subscription.contact_id)
        .where(Contact.email_hash == address_hash, Subscription.topic == TOPIC, Subscription.state != "ended")
    )
    for subscription in session.scalars(signups):
        subscription.state, subscription.ended_at = "ended", now
        audit.record(session, PUBLIC, "signup.ended", "subscription", str(subscription.public_id), now)
