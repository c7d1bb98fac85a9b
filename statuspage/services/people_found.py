"""What is known of the people somebody asked about: whose line it is, whether it is held, whom we tell and where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from notifiers.base import Channel
from statuspage.domain.delivery import Reason
from statuspage.domain.hold import Decision
from statuspage.domain.roles import Permission
from statuspage.models import Account, Contact, Installation, Line, Region, Segment, Subscription, Suppression
from statuspage.services import grace_check
from statuspage.services.actor import Actor
from statuspage.services.addresses import Address
from statuspage.services.grace_check import Answer, Query
from statuspage.services.people_import_chunk import TOPIC as SERVICE_TOPIC
from statuspage.services.signup import TOPIC as SIGNUP_TOPIC
from statuspage.services.signup import masked

MOST_LINES = 20
"""A merchant has hundreds of terminals; a caller speaks of one, and a page of all would be a copy of them."""

_SEES_ALL = frozenset({Permission.SUBSCRIBER_IMPORT, Permission.SUBSCRIBER_EXPORT, Permission.SUBSCRIBER_ERASE})
"""Whoever holds one of these has the whole file in hand anyway; anybody else sees what the caller said, and the ends of
the rest, enough to compare."""


@dataclass(frozen=True)
class Sought:
    """What was asked for, in every way it can be read; None where it cannot."""

    address: Address | None = None
    iccid: str | None = None
    account: str | None = None

    def at(self, channel: Channel) -> Address | None:
        return self.address if self.address is not None and self.address.channel == channel else None

    @property
    def words(self) -> frozenset[str]:
        """What whoever asked has said, and so may read again."""
        said = (None if self.address is None else self.address.text, self.iccid)
        return frozenset(one for one in said if one is not None)


@dataclass(frozen=True)
class FoundLine:
    """`key` is the number or the ICCID, as far as the reader may see it; a `machine` is a terminal, never texted."""

    key: str
    segment: str
    region: str
    machine: bool


@dataclass(frozen=True)
class Standing:
    """Lines to which the same answer applies. `answer` None: the reader may not ask about holds."""

    answer: Answer | None
    lines: tuple[FoundLine, ...]


@dataclass(frozen=True)
class Told:
    """Where somebody is told. `signup` is the state of what was signed up for on the page, None for a customer.
    `closed` holds (channel, why nothing is sent by it)."""

    language: str
    sms: str | None
    email: str | None
    signup: str | None
    closed: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Case:
    """Lines of one account, by the operator's own number, and their contacts; no account: signed up on the page."""

    account: str | None
    standings: tuple[Standing, ...]
    told: tuple[Told, ...]


@dataclass(frozen=True)
class Found:
    """`places` are where everybody found is told: the hash that the outbox has, and the address as far as the reader
    may see it, "" where there is none. `more`: there are more lines than `MOST_LINES`."""

    cases: tuple[Case, ...]
    more: bool
    account_ids: tuple[int, ...]
    contact_ids: tuple[int, ...]
    places: Mapping[str, str]


Place = tuple[Line, Contact, str, Segment, str]
"""A line, its contact, the account's number, its segment, the key of its region."""


def find(session: Session, actor: Actor, sought: Sought, *, now: datetime) -> Found:
    """Whose line it is, and who is told there, in the visible import."""
    places, more = _places(session, sought)
    mail = sought.at(Channel.EMAIL)
    mails = {contact.email_hash for _, contact, *_ in places} | {mail and mail.hash}
    signups = list(session.scalars(select(Contact).where(Contact.email_hash.in_(mails - {None}), _signed_up())))
    contacts = [contact for _, contact, *_ in places] + signups
    sees_all = bool(_SEES_ALL & actor.permissions)
    told = _told(session, contacts, sought, sees_all=sees_all)
    answers = _answers(session, actor, [line for line, *_ in places], now)
    accounts: dict[str, list[Place]] = {}
    for place in places:
        accounts.setdefault(place[2], []).append(place)
    paying = [
        Case(
            account,
            _standings(its, answers, sought, sees_all=sees_all),
            tuple(_unlike(told[one.id] for _, one, *_ in its)),
        )
        for account, its in accounts.items()
    ]
    return Found(
        (*paying, *(Case(None, (), (told[one.id],)) for one in signups)),
        more,
        tuple(dict.fromkeys(line.account_id for line, *_ in places)),
        tuple(one.id for one in contacts),
        _told_at(contacts, told),
    )


def count_at(session: Session, address: Address) -> tuple[int, int]:
    """(contacts, lines) that erasing the address touches: who is told there, their own lines, the number's own line."""
    current = Installation.generation
    by_sms = address.channel == Channel.SMS
    at_address = (Contact.sms_hash if by_sms else Contact.email_hash) == address.hash
    contacts = (
        select(Contact.id)
        .join(Installation, and_(Contact.valid_from <= current, Contact.valid_to > current))
        .where(at_address, Contact.erased_at.is_(None))
    )
    theirs = Line.contact_id.in_(contacts) & Segment.machine.is_(False)
    lines = (
        select(func.count())
        .select_from(Line)
        .join(Segment, Segment.id == Line.segment_id)
        .join(Installation, _visible())
        .where(or_(theirs, Line.key == address.text) if by_sms else theirs)
    )
    return session.scalar(select(func.count()).select_from(contacts.subquery())) or 0, session.scalar(lines) or 0


def _places(session: Session, sought: Sought) -> tuple[list[Place], bool]:
    """At most MOST_LINES, the line itself before those whose contact it is; and whether there are more."""
    sms, mail = sought.at(Channel.SMS), sought.at(Channel.EMAIL)
    # One look-up for each way: an OR over several indexes is a scan on SQLite.
    ways: tuple[tuple[ColumnElement[bool], object], ...] = (
        (Line.key == (sms and sms.text), sms),
        (Line.iccid == sought.iccid, sought.iccid),
        (Contact.sms_hash == (sms and sms.hash), sms),
        (Contact.email_hash == (mail and mail.hash), mail),
        (Account.external_id == sought.account, sought.account),
    )
    found: dict[int, Place] = {}
    for way, wanted in ways:
        if wanted is not None:
            query = (
                select(Line, Contact, Account.external_id, Segment, Region.key)
                .join(Contact, Contact.id == Line.contact_id)
                .join(Account, Account.id == Line.account_id)
                .join(Segment, Segment.id == Line.segment_id)
                .join(Region, Region.id == Line.region_id)
                .join(Installation, _visible())
                .where(way)
                .order_by(Line.id)
                .limit(MOST_LINES + 1)
            )
            for line, contact, account, segment, region in session.execute(query):
                found.setdefault(line.id, (line, contact, account, segment, region))
    places = list(found.values())
    return places[:MOST_LINES], len(places) > MOST_LINES


def _answers(session: Session, actor: Actor, lines: Sequence[Line], now: datetime) -> dict[int, Answer]:
    """line row id → what dunning is told about it; empty for whoever may not ask."""
    if not lines or Permission.GRACE_CHECK not in actor.permissions:
        return {}
    queries = [Query(msisdn=line.msisdn, iccid=None if line.msisdn else line.iccid) for line in lines]
    answers = grace_check.check(session, actor, queries, now=now)
    return dict(zip((line.id for line in lines), answers, strict=True))


def _standings(
    places: Iterable[Place], answers: Mapping[int, Answer], sought: Sought, *, sees_all: bool
) -> tuple[Standing, ...]:
    """By answer. After the promise lines are released one after the other: the earliest moment is said of them all."""
    grouped: dict[tuple[object, ...], tuple[Answer | None, list[FoundLine]]] = {}
    for line, _, _, segment, region in places:
        answer = answers.get(line.id)
        same = () if answer is None else (answer.decision, answer.policy, tuple(answer.actions))
        earliest, lines = grouped.get(same, (answer, []))
        if answer is not None and earliest is not None and _sooner(answer, earliest):
            earliest = answer
        key = _shown(line.key, sought.words, sees_all=sees_all) or ""
        grouped[same] = (earliest, [*lines, FoundLine(key, segment.key, region, segment.machine)])
    return tuple(Standing(answer, tuple(lines)) for answer, lines in grouped.values())


def _sooner(answer: Answer, other: Answer) -> bool:
    if answer.decision is not Decision.HOLD or answer.until is None or other.until is None:
        return False
    return answer.until < other.until


def _told(session: Session, contacts: Sequence[Contact], sought: Sought, *, sees_all: bool) -> dict[int, Told]:
    hashes = {one for contact in contacts for one in (contact.sms_hash, contact.email_hash) if one}
    closed: dict[tuple[str, str], str] = {
        (channel, one): reason
        for channel, one, reason in session.execute(
            select(Suppression.channel, Suppression.address_hash, Suppression.reason).where(
                Suppression.channel.in_([channel.value for channel in Channel]), Suppression.address_hash.in_(hashes)
            )
        )
    }
    asked = select(Subscription).where(Subscription.contact_id.in_([one.id for one in contacts]))
    agreed = {(one.contact_id, one.channel, one.topic): one.state for one in session.scalars(asked)}
    found = {}
    for one in contacts:
        refusals = []
        for channel, hashed in ((Channel.SMS.value, one.sms_hash), (Channel.EMAIL.value, one.email_hash)):
            reason = closed.get((channel, hashed or ""))
            if reason is None and agreed.get((one.id, channel, SERVICE_TOPIC)) == "refused":
                reason = Reason.NO_CONSENT.value
            if reason is not None:
                refusals.append((channel, reason))
        found[one.id] = Told(
            one.language,
            _shown(one.sms, sought.words, sees_all=sees_all),
            _shown(one.email, sought.words, sees_all=sees_all),
            None if one.account_id else agreed.get((one.id, Channel.EMAIL.value, SIGNUP_TOPIC)),
            tuple(refusals),
        )
    return found


def _shown(text: str | None, asked: frozenset[str], *, sees_all: bool) -> str | None:
    if text is None or sees_all or text in asked:
        return text
    if "@" in text:
        return masked(text)
    return f"{text[:2]}…{text[-4:]}"


def _unlike(people: Iterable[Told]) -> Iterable[Told]:
    """Each line has a contact of its own, which mostly is the same person."""
    return dict.fromkeys(people)


def _told_at(contacts: Iterable[Contact], told: Mapping[int, Told]) -> dict[str, str]:
    places: dict[str, str] = {}
    for one in contacts:
        places[f"none:{one.id}"] = ""  # what the outbox keeps of who has no address
        for hashed, shown in ((one.sms_hash, told[one.id].sms), (one.email_hash, told[one.id].email)):
            if hashed:
                places[hashed] = shown or ""
    return places


def _visible() -> ColumnElement[bool]:
    return and_(Line.valid_from <= Installation.generation, Line.valid_to > Installation.generation)


def _signed_up() -> ColumnElement[bool]:
    return Contact.account_id.is_(None) & Contact.erased_at.is_(None)
