"""What stands in the outbox without a campaign of a person's making, and the knock that wakes the senders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from notifiers.base import Channel
from statuspage.db import is_sqlite
from statuspage.domain.campaign import CampaignKind, CampaignState, priority
from statuspage.domain.consent import LegalBasis
from statuspage.domain.delivery import DeliveryState
from statuspage.models import Campaign, Delivery
from statuspage.services import counts, texts
from statuspage.services.texts import Texts

WAKE_CHANNEL = "statuspage_outbox"
CONFIRMATION_ID = "confirmation"
"""The standing campaign's public id, so that there is one of it; 12 letters, as a public id has."""
CONFIRMATION_VALIDITY_SECONDS = 86_400


@dataclass(frozen=True)
class Recipient:
    """One address to confirm. `dedupe` tells this mail from earlier ones to the address (at most 40 characters)."""

    contact_id: int
    address: str
    address_hash: str
    locale: str
    time_zone: str
    dedupe: str


def wake(session: Session) -> None:
    """Tell the senders, once this transaction has committed, that there is something to do. SQLite's senders poll."""
    if not is_sqlite(session):
        session.execute(text("SELECT pg_notify(:channel, '')"), {"channel": WAKE_CHANNEL})


def enqueue_confirmation(
    session: Session, recipient: Recipient, wording: Mapping[str, Texts], source_locale: str, *, now: datetime
) -> bool:
    """Put the mail that asks to confirm a sign-up into the outbox; False when this very mail stands there already.

    `wording` holds the fields "subject" and "mail"; where `{link}` stands in the mail, the sender puts the address that
    `Links.confirm(dedupe)` makes. Confirmations go before everything else.
    """
    campaign_id = _standing_campaign(session, now)
    for field, bodies in wording.items():
        texts.write(session, "campaign", campaign_id, field, bodies, source_locale, now)
    row = {
        "campaign_id": campaign_id,
        "channel": Channel.EMAIL.value,
        "contact_id": recipient.contact_id,
        "address": recipient.address,
        "address_hash": recipient.address_hash,
        "dedupe": recipient.dedupe,
        "locale": recipient.locale,
        "time_zone": recipient.time_zone,
        "state": DeliveryState.PENDING.value,
        "attempt": 0,
        "not_before": now,
    }
    insert = (sqlite.insert if is_sqlite(session) else postgresql.insert)(Delivery)
    made = session.scalars(insert.values(row).on_conflict_do_nothing().returning(Delivery.id)).one_or_none()
    if made is None:
        return False
    moves = counts.Moves()
    moves.add(counts.place(campaign_id, Channel.EMAIL, DeliveryState.PENDING))
    moves.write(session)
    wake(session)
    return True


def _standing_campaign(session: Session, now: datetime) -> int:
    known = session.scalar(select(Campaign.id).where(Campaign.public_id == CONFIRMATION_ID))
    if known is not None:
        return known
    kind = CampaignKind.CONFIRMATION
    row: dict[str, Any] = {
        "public_id": CONFIRMATION_ID,
        "kind": kind,
        "purpose": kind.value,
        "name": kind.value,
        "state": CampaignState.RUNNING,
        "priority": priority(kind),
        "channels": [Channel.EMAIL.value],
        "audience": "",
        "basis": LegalBasis.CONSENT.value,
        "validity_seconds": CONFIRMATION_VALIDITY_SECONDS,
        "resend_unknown": [Channel.EMAIL.value],
        "estimated": {},
        "expand_cursor": 0,
        "started_at": now,
        "expanded_at": now,
        "created_at": now,
        "updated_at": now,
        "version": 1,
    }
    insert = (sqlite.insert if is_sqlite(session) else postgresql.insert)(Campaign)
    session.execute(insert.values(row).on_conflict_do_nothing())
    return session.scalars(select(Campaign.id).where(Campaign.public_id == CONFIRMATION_ID)).one()
