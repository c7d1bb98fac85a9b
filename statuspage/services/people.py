"""Read who is told: counts, everybody as a file."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, exists, func, select
from sqlalchemy.orm import Session, aliased

from notifiers.base import Channel
from statuspage.domain.consent import SuppressionReason
from statuspage.domain.roles import Permission
from statuspage.models import (
    Account,
    Contact,
    Installation,
    Line,
    PeopleImport,
    Region,
    Segment,
    Subscription,
    Suppression,
)
from statuspage.services import audit
from statuspage.services.actor import Actor
from statuspage.services.people_import_columns import COLUMNS
from statuspage.services.signup import TOPIC as SIGNUP_TOPIC

PAGE_ROWS = 2_000
SIGNUP_COLUMNS = ("email", "language", "state", "confirmed_at")
_CONSENTS = {("active", "consent"): "1", ("refused", "consent"): "0"}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-][0-9]+(?:\.[0-9]+)?").fullmatch


@dataclass(frozen=True)
class PeopleCounts:
    """Who is there now. `segments` and `languages` map a key to lines; sign-ups are counted by state."""

    lines: int
    segments: dict[str, int]
    languages: dict[str, int]
    signups: dict[str, int]
    suppressed: dict[str, int]
    last_import: PeopleImport | None


def counts(session: Session, actor: Actor) -> PeopleCounts:
    """Of the visible generation; reads every line once."""
    actor.require(Permission.SUBSCRIBER_VIEW)
    by_kind = (
        select(Segment.key, Contact.language, func.count())
        .select_from(Line)
        .join(Segment, Segment.id == Line.segment_id)
        .join(Contact, Contact.id == Line.contact_id)
        .join(Installation, _visible())
        .group_by(Segment.key, Contact.language)
    )
    segments: dict[str, int] = {}
    languages: dict[str, int] = {}
    for segment, language, number in session.execute(by_kind):
        segments[segment] = segments.get(segment, 0) + number
        languages[language] = languages.get(language, 0) + number
    signups = select(Subscription.state, func.count()).where(Subscription.topic == SIGNUP_TOPIC)
    suppressed = select(Suppression.reason, func.count()).group_by(Suppression.reason)
    return PeopleCounts(
        sum(segments.values()),
        segments,
        languages,
        dict(session.execute(signups.group_by(Subscription.state)).all()),
        dict(session.execute(suppressed).all()),
        session.scalar(select(PeopleImport).order_by(PeopleImport.id.desc()).limit(1)),
    )


def imports(session: Session, actor: Actor, limit: int = 20) -> Sequence[PeopleImport]:
    """The newest runs first."""
    actor.require(Permission.SUBSCRIBER_VIEW)
    return session.scalars(select(PeopleImport).order_by(PeopleImport.id.desc()).limit(limit)).all()


def allow_export(session: Session, actor: Actor, *, now: datetime) -> None:
    """Say who takes a copy of everybody, before `lines_csv` or `signups_csv` hands it out in a reading transaction."""
    actor.require(Permission.SUBSCRIBER_EXPORT)
    audit.record(session, actor, "people.exported", "people", "all", now)


def lines_csv(session: Session) -> Iterator[str]:
    """Every visible line as a subscriber file that can be imported again; read in pages, in order of id."""
    yield _csv([COLUMNS])
    after = 0
    while page := session.execute(_lines_after(after)).all():
        yield _csv(_cells(row) for row in page)
        after = page[-1].id


def signups_csv(session: Session) -> Iterator[str]:
    """Everybody who signed up on the page."""
    yield _csv([SIGNUP_COLUMNS])
    after = 0
    asked = (
        select(Subscription.id, Contact.email, Contact.language, Subscription.state, Subscription.confirmed_at)
        .join(Contact, Contact.id == Subscription.contact_id)
        .where(Subscription.topic == SIGNUP_TOPIC, Contact.email.is_not(None))
        .order_by(Subscription.id)
        .limit(PAGE_ROWS)
    )
    while page := session.execute(asked.where(Subscription.id > after)).all():
        yield _csv(
            (row.email, row.language, row.state, row.confirmed_at.isoformat() if row.confirmed_at else "")
            for row in page
        )
        after = page[-1].id


def _lines_after(after: int) -> Select[*tuple[Any, ...]]:
    by_sms, by_mail = aliased(Subscription), aliased(Subscription)
    return (
        select(
            Line.id, Account.external_id, Line.msisdn, Contact.email, Line.iccid, Contact.sms, Contact.language,
            Segment.key.label("segment"), Region.key.label("region"), Line.time_zone, Line.balance, Line.currency,
            Line.paid_until, by_sms.state.label("sms_state"), by_sms.basis.label("sms_basis"),
            by_mail.state.label("mail_state"), by_mail.basis.label("mail_basis"), Segment.machine,
            _opted_out(Channel.SMS, Contact.sms_hash).label("sms_out"),
            _opted_out(Channel.EMAIL, Contact.email_hash).label("mail_out"),
        )
        .join(Account, Account.id == Line.account_id)
        .join(Contact, Contact.id == Line.contact_id)
        .join(Segment, Segment.id == Line.segment_id)
        .join(Region, Region.id == Line.region_id)
        .join(Installation, _visible())
        .outerjoin(by_sms, _service(by_sms, Channel.SMS))
        .outerjoin(by_mail, _service(by_mail, Channel.EMAIL))
        .where(Line.id > after)
        .order_by(Line.id)
        .limit(PAGE_ROWS)
    )  # fmt: skip


def _service(subscription: Any, channel: Channel) -> Any:
    return and_(
        subscription.contact_id == Line.contact_id,
        subscription.channel == channel.value,
        subscription.topic != SIGNUP_TOPIC,
    )


def _opted_out(channel: Channel, address_hash: Any) -> Any:
    """Whoever said STOP or unsubscribed has refused, whatever was given before."""
    said = Suppression.address_hash == address_hash, Suppression.channel == channel.value
    return exists().where(*said, Suppression.reason == SuppressionReason.OPT_OUT.value)


def _visible() -> Any:
    return and_(Line.valid_from <= Installation.generation, Line.valid_to > Installation.generation)


def _cells(row: Any) -> tuple[object, ...]:
    own = row.msisdn is not None and row.sms == row.msisdn and not row.machine
    return (
        row.external_id, row.msisdn, row.email, row.iccid, None if own else row.sms, row.language,
        row.segment, row.region, row.time_zone, row.balance, row.currency, row.paid_until,
        "0" if row.sms_out else _CONSENTS.get((row.sms_state, row.sms_basis), ""),
        "0" if row.mail_out else _CONSENTS.get((row.mail_state, row.mail_basis), ""),
    )  # fmt: skip


def _csv(rows: Any) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([neutral(cell) for cell in row] for row in rows)
    return text.getvalue()


def neutral(cell: object) -> str:
    """A cell that no spreadsheet takes for a formula. Plain numbers and E.164 are none, whatever they begin with."""
    text = "" if cell is None else str(cell)
    if text.startswith(_FORMULA) and not _NUMBER(text):
        return f"'{text}"
    return text
