"""How many people an audience means now, quick enough to be asked while somebody types it.

A person is an address: who has ten lines, or fifty terminals, is told once. To tell a million addresses apart takes the
database many seconds, so that of many people the lines are counted exactly, which takes half a second, and how many of
them share an address is taken from a sample: the addresses whose keyed hash, which is evenly spread, begins low. Whom a
campaign may not tell is the preview's to say, and so is the exact number.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from notifiers.base import Channel
from statuspage.domain.audience import comparisons, parse
from statuspage.domain.errors import RuleError
from statuspage.domain.roles import Permission
from statuspage.models import Campaign, Contact, Incident
from statuspage.services import audience_sql, recipients
from statuspage.services.actor import Actor

EXACTLY = 20_000
"""Lines whose addresses are told apart one by one."""

SAMPLE = 20_000
"""Contacts that are looked at for an audience of more: the share of an audience of a tenth of them is known to about a
hundredth."""

_DIGITS = 3
"""What is said of a number that comes from a sample."""


@dataclass(frozen=True)
class AudienceCount:
    """`audience` in its one written form. `reachable`: how many addresses the people have for the channel.

    `sign_ups`: those of them who signed up on the page and are in by that alone, whatever the audience says. `about`:
    the numbers of people come from a sample and are rounded to three digits.
    """

    audience: str
    people: int
    reachable: Mapping[Channel, int]
    sign_ups: int = 0
    about: bool = False


@dataclass(frozen=True)
class _Lines:
    """Lines of the audience, by what their contacts have: a number, a mail address, a mail address alone."""

    all: int
    sms: int
    email: int
    email_alone: int


def count(
    session: Session,
    actor: Actor,
    expression: str,
    incident: Incident | None,
    channels: Collection[Channel],
    *,
    sign_ups: bool = False,
) -> AudienceCount:
    """The people of the newest import whom `expression` means of `incident`; with `sign_ups`, and where mail goes out,
    whoever signed up on the page as well. Writes nothing and locks nothing.

    Raises AudienceError with the place of a mistake, and RuleError when a component is named without an incident.
    """
    actor.require(Permission.CAMPAIGN_EDIT)
    written = audience_sql.check_expression(session, expression)
    fields = {one.field for one in comparisons(parse(written))}
    if incident is None and "component" in fields:
        raise RuleError(
            "audience.component_alone", "audience: a component is an incident's. Name the incident.", "audience"
        )
    touched = audience_sql.components_of(session, None if incident is None else incident.id)
    condition = audience_sql.compile_audience(session, written, touched)
    parameters = {**condition.parameters, "generation": recipients.current_generation(session)}
    seen = _SEEN.format(audience=condition.sql)
    lines = _Lines(*session.execute(text(_LINES.format(seen=seen)), parameters).one())
    if lines.all <= EXACTLY:
        found = session.execute(text(_APART.format(seen=seen)), parameters).one()
        people, sms, email = (int(n) for n in found)
    else:
        people, sms, email = _estimate(session, lines, seen, parameters)
    others = 0
    if sign_ups and Channel.EMAIL in channels:
        others = session.scalar(text(_SIGN_UPS.format(seen=seen)), parameters) or 0
    about = lines.all > EXACTLY
    people, email = (_rounded(n + others) if about else n + others for n in (people, email))
    reachable = {Channel.SMS: sms, Channel.EMAIL: email}
    return AudienceCount(written, people, {one: reachable[one] for one in Channel if one in channels}, others, about)


def _estimate(session: Session, lines: _Lines, seen: str, parameters: dict[str, Any]) -> tuple[int, int, int]:
    contacts = session.scalar(select(func.count()).select_from(Contact)) or 0
    limit = f"{int(min(SAMPLE / contacts, 1) * (2**32 - 1)):08x}"
    apart: dict[str, tuple[float, float]] = {}
    for address in ("sms", "email"):
        query = text(_SAMPLED.format(seen=seen, address=address))
        found, different, alone, alone_different = session.execute(query, {**parameters, "limit": limit}).one()
        apart[address] = different / (found or 1) or 1.0, alone_different / (alone or 1) or 1.0
    sms, email = lines.sms * apart["sms"][0], lines.email * apart["email"][0]
    without = lines.all - lines.sms - lines.email_alone
    people = sms + lines.email_alone * apart["email"][1] + without
    return _rounded(people), _rounded(sms), _rounded(email)


def _rounded(n: float) -> int:
    whole = round(n)
    return round(whole, _DIGITS - len(str(whole)))


def count_for(
    session: Session, actor: Actor, campaign: Campaign, expression: str, channels: Collection[Channel]
) -> AudienceCount:
    """`count` of a campaign's incident, with those who signed up where the campaign takes them."""
    incident = None if campaign.incident_id is None else session.get(Incident, campaign.incident_id)
    taken = recipients.takes_sign_ups(campaign, Channel.EMAIL)
    return count(session, actor, expression, incident, channels, sign_ups=taken)


_SEEN = "l.valid_from <= :generation AND l.valid_to > :generation AND c.erased_at IS NULL AND ({audience})"
_LINES = (
    "SELECT count(*), count(c.sms), count(c.email), count(CASE WHEN c.sms IS NULL THEN c.email END) "
    "FROM line l JOIN contact c ON c.id = l.contact_id WHERE {seen}"
)
_APART = (
    "SELECT count(DISTINCT COALESCE(CASE WHEN c.sms IS NOT NULL THEN c.sms_hash END, "
    "CASE WHEN c.email IS NOT NULL THEN c.email_hash END, 'none:' || c.id)), "
    "count(DISTINCT CASE WHEN c.sms IS NOT NULL THEN c.sms_hash END), "
    "count(DISTINCT CASE WHEN c.email IS NOT NULL THEN c.email_hash END) "
    "FROM line l JOIN contact c ON c.id = l.contact_id WHERE {seen}"
)
# CROSS JOIN, so that SQLite looks up the one address of each sign-up instead of walking a million lines.
_SIGN_UPS = (
    "SELECT count(DISTINCT u.email_hash) FROM subscription b JOIN contact u ON u.id = b.contact_id "
    "WHERE b.public_id > '' AND b.topic = 'page' AND b.channel = 'email' AND b.state = 'active' "
    "AND u.account_id IS NULL AND u.email IS NOT NULL AND NOT EXISTS ("
    "SELECT 1 FROM contact c CROSS JOIN line l WHERE c.email_hash = u.email_hash AND l.contact_id = c.id "
    "AND c.email IS NOT NULL AND {seen})"
)
# CROSS JOIN, so that SQLite begins with the few contacts of the sample.
_SAMPLED = (
    "SELECT count(*), count(DISTINCT c.{address}_hash), count(CASE WHEN c.sms IS NULL THEN 1 END), "
    "count(DISTINCT CASE WHEN c.sms IS NULL THEN c.{address}_hash END) FROM contact c CROSS JOIN line l "
    "WHERE c.{address}_hash < :limit AND c.{address} IS NOT NULL AND l.contact_id = c.id AND {seen}"
)
