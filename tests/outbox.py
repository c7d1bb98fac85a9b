"""A small operator with people, an incident and campaigns, for tests of the outbox on either database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from notifiers.base import Channel, Notifier
from statuspage.clock import Clock, FrozenClock
from statuspage.config import Settings
from statuspage.db import Sessions, transaction
from statuspage.domain.campaign import CampaignState
from statuspage.domain.incident import CauseCategory, IncidentState, Publication
from statuspage.jobs.expander import Expander
from statuspage.jobs.options import EngineOptions
from statuspage.jobs.sender import Sender
from statuspage.jobs.turnstile import Turnstile
from statuspage.models import (
    Account,
    Campaign,
    Contact,
    Delivery,
    Incident,
    Installation,
    Line,
    MessageTemplate,
    Region,
    Segment,
    Subscription,
    User,
)
from statuspage.services import approval, campaign_course, campaigns, texts
from statuspage.services.actor import Actor, of_user
from statuspage.services.addresses import AddressKey
from tests.databases import NOW, SECRET
from tests.waiting import PATIENCE

FAST = EngineOptions(poll_seconds=0.02, idle_poll_seconds=0.05, flush_seconds=0.01)
"""A sender that nobody has to wait for."""

KEY = AddressKey.derive(SECRET)
SMS = {
    "ru": "{operator}: сбой оплаты с {since}. Связь не отключим.",
    "zh": "{operator}：{since}起暂时无法缴费，不会停机。",
    "en": "{operator}: payments are down since {since}. Nobody is cut off.",
}
SUBJECT = {"ru": "Оплата не работает", "zh": "暂时无法缴费", "en": "Payments are down"}
MAIL = {
    "ru": "Не работает оплата с {since}.\n\n**Связь не отключим.**",
    "zh": "{since}起暂时无法缴费。",
    "en": "Payments are down since {since}.\n\n* Nobody is cut off.",
}


def settings(tmp: Path, **given: Any) -> Settings:
    """Settings of a test: no vendor, no pace, nobody needs approval unless the test says so."""
    values: dict[str, Any] = {
        "data_dir": tmp,
        "secret_key": SECRET,
        "base_url": "https://status.demo.example",
        "approval_threshold": 100_000,
        "sms_price": "0.05",
        **given,
    }
    return Settings(**values)


@dataclass(frozen=True)
class Person:
    """One line with its contact. `sms` and `email` None: no address; consents as the file says: True, False, None."""

    number: int
    segment: str = "prepaid"
    region: str = "moscow"
    language: str = "ru"
    sms: bool = True
    email: bool = True
    sms_state: str = "active"
    email_state: str = "active"
    address: int | None = None
    """The number in the address, when it is another person's."""

    @property
    def msisdn(self) -> str:
        return f"+7900{self.number if self.address is None else self.address:07d}"

    @property
    def mail(self) -> str:
        return f"user{self.number if self.address is None else self.address}@example.test"


class World:
    """Rows written straight into the tables; what the tests are about goes through the verbs."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions
        with transaction(sessions) as session:
            for position, (key, machine) in enumerate((("prepaid", False), ("business", False), ("pos_m2m", True))):
                session.add(Segment(key=key, machine=machine, position=position))
            for key, zone in (("moscow", "Europe/Moscow"), ("far_east", "Asia/Vladivostok")):
                session.add(Region(key=key, time_zone=zone))
            for purpose in ("outage", "merchants", "end", "merchants_end"):
                self._template(session, purpose)
            self.author, self.approver = self._user(session, "engineer"), self._user(session, "approver")
            session.get_one(Installation, 1).generation = 1

    @classmethod
    def beside(cls, sessions: Sessions) -> World:
        """On a database that has its own operator already: only for adding people, who are visible at once."""
        made = cls.__new__(cls)
        made.sessions = sessions
        with transaction(sessions) as session:
            session.get_one(Installation, 1).generation = 1
        return made

    def people(self, *people: Person) -> None:
        with transaction(self.sessions) as session:
            segments = dict(session.execute(select(Segment.key, Segment.id)).all())
            regions = dict(session.execute(select(Region.key, Region.id)).all())
            for person in people:
                account = Account(external_id=f"A{person.number}")
                session.add(account)
                session.flush()
                contact = Contact(
                    account_id=account.id,
                    language=person.language,
                    sms=person.msisdn if person.sms else None,
                    sms_hash=KEY.hash(person.msisdn) if person.sms else None,
                    email=person.mail if person.email else None,
                    email_hash=KEY.hash(person.mail) if person.email else None,
                    valid_from=1,
                )
                session.add(contact)
                session.flush()
                number = f"+7911{person.number:07d}"
                line = Line(account_id=account.id, contact_id=contact.id, key=number, msisdn=number, valid_from=1)
                line.segment_id, line.region_id = segments[person.segment], regions[person.region]
                session.add(line)
                for channel, there, state in (
                    ("sms", person.sms, person.sms_state),
                    ("email", person.email, person.email_state),
                ):
                    if there:
                        session.add(_subscription(contact.id, channel, "service", state))

    def sign_up(self, number: int, *, state: str = "active", language: str = "en", at: datetime = NOW) -> None:
        mail = f"user{number}@example.test"
        with transaction(self.sessions) as session:
            contact = Contact(account_id=None, language=language, email=mail, email_hash=KEY.hash(mail))
            session.add(contact)
            session.flush()
            subscription = _subscription(contact.id, "email", "page", state)
            subscription.public_id = f"signup{number:06d}"
            subscription.at, subscription.confirmed_at = at, at if state == "active" else None
            session.add(subscription)

    def incident(self, **given: Any) -> int:
        with transaction(self.sessions) as session:
            incident = Incident(
                **{
                    "state": IncidentState.INVESTIGATING,
                    "publication": Publication.PUBLISHED,
                    "cause": CauseCategory.UNKNOWN,
                    "profile": "default_billing",
                    "segments": [],
                    "regions": [],
                    "not_affected": [],
                    "started_at": NOW - timedelta(minutes=20),
                    "declared_at": NOW,
                    "created_at": NOW,
                    "updated_at": NOW,
                    **given,
                }
            )
            session.add(incident)
            session.flush()
            texts.write(session, "incident", incident.id, "title", {"ru": "Сбой оплаты"}, "ru", NOW)
            return incident.id

    def draft(
        self, incident: int, key: str = "outage", channels: tuple[Channel, ...] = tuple(Channel), now: datetime = NOW
    ) -> str:
        with transaction(self.sessions) as session:
            template = campaigns.get_message_template(session, key)
            row = session.get_one(Incident, incident)
            return campaigns.draft_campaign(session, self.author, row, template, channels=channels, now=now).public_id

    def start(
        self,
        incident: int,
        configured: Settings,
        key: str = "outage",
        channels: tuple[Channel, ...] = tuple(Channel),
        now: datetime = NOW,
        validity: timedelta | None = None,
    ) -> str:
        """Draft, approve and start; the campaign's public id."""
        public_id = self.draft(incident, key, channels, now)
        if validity is not None:
            with transaction(self.sessions) as session:
                campaigns.get_campaign(session, public_id).validity_seconds = int(validity.total_seconds())
        self.approve_and(public_id, configured, now)
        self.start_approved(public_id, now)
        return public_id

    def approve_and(self, public_id: str, configured: Settings, now: datetime = NOW) -> None:
        """Ask for approval and give it where it is needed."""
        with transaction(self.sessions) as session:
            campaign = campaigns.get_campaign(session, public_id)
            approval.request_approval(session, self.author, campaign, settings=configured, now=now)
            if campaign.state is CampaignState.AWAITING_APPROVAL:
                seen = str(campaign.content_hash)
                approval.approve(session, self.approver, campaign, seen_hash=seen, now=now)

    def start_approved(self, public_id: str, now: datetime = NOW) -> None:
        with transaction(self.sessions) as session:
            campaign_course.start_campaign(session, self.author, campaigns.get_campaign(session, public_id), now=now)

    def expand(self, campaign: str, configured: Settings, now: datetime = NOW) -> None:
        """Put everybody of a running campaign into the outbox, without sending."""
        expander = Expander(self.sessions, FrozenClock(now), configured, "test", Turnstile(self.sessions))
        while expander.run(lambda: False):
            pass
        expander.close()
        assert self.campaign(campaign).expanded_at is not None

    def deliveries(self, campaign: str | None = None) -> list[Delivery]:
        with transaction(self.sessions, read_only=True) as session:
            query = select(Delivery).join(Campaign, Campaign.id == Delivery.campaign_id).order_by(Delivery.id)
            if campaign is not None:
                query = query.where(Campaign.public_id == campaign)
            return list(session.scalars(query))

    def states(self, campaign: str | None = None) -> dict[str, int]:
        """ "state" or "state:reason" → how many."""
        found: dict[str, int] = {}
        for one in self.deliveries(campaign):
            key = one.state if one.reason is None else f"{one.state}:{one.reason}"
            found[key] = found.get(key, 0) + 1
        return found

    def counted(self, campaign: str) -> dict[str, int]:
        """The same from the counters; claimed and sending count as pending."""
        with transaction(self.sessions, read_only=True) as session:
            rows = session.execute(
                text(
                    "SELECT k.state, k.reason, SUM(k.n) FROM campaign_count k JOIN campaign c ON c.id = k.campaign_id "
                    "WHERE c.public_id = :id GROUP BY k.state, k.reason"
                ),
                {"id": campaign},
            )
            return {f"{state}:{reason}" if reason else state: int(n) for state, reason, n in rows if n}

    def campaign(self, public_id: str) -> Campaign:
        with transaction(self.sessions, read_only=True) as session:
            return campaigns.get_campaign(session, public_id)

    def _template(self, session: Session, purpose: str) -> None:
        audience = "segment = pos_m2m" if purpose.startswith("merchants") else ""
        template = MessageTemplate(key=purpose, purpose=purpose, audience=audience, updated_at=NOW)
        session.add(template)
        session.flush()
        for field, bodies in (("sms", SMS), ("subject", SUBJECT), ("mail", MAIL)):
            texts.write(session, "message_template", template.id, field, bodies, "ru", NOW)

    def _user(self, session: Session, role: str) -> Actor:
        user = User(email=f"{role}@demo.example", name=role, role=role, locale="ru", password_hash="x", created_at=NOW)
        session.add(user)
        session.flush()
        return of_user(user)


def _subscription(contact_id: int, channel: str, topic: str, state: str) -> Subscription:
    return Subscription(
        contact_id=contact_id, channel=channel, topic=topic, state=state, basis="contract", source="import", at=NOW
    )


def send_until(
    sessions: Sessions,
    configured: Settings,
    notifiers: Mapping[Channel, Notifier],
    clock: Clock,
    done: Callable[[], bool],
    *,
    options: EngineOptions | None = None,
    seconds: float = PATIENCE,
) -> None:
    """Run a sender in this process until `done` and to its end; fail when either takes more than `seconds`."""

    async def main() -> None:
        given = {channel: [notifier] for channel, notifier in notifiers.items()}
        sender = Sender(configured, sessions, given, clock, options=options)
        running = asyncio.create_task(sender.run())
        try:
            async with asyncio.timeout(seconds):
                while not await asyncio.to_thread(done):
                    if running.done():
                        running.result()
                    await asyncio.sleep(0.02)
        finally:
            sender.stop()
            await asyncio.wait_for(running, seconds)

    asyncio.run(main())
