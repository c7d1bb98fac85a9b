"""Whom a campaign tells by one channel, as SQL: each query yields one row a person, with an address or with the reason
why there is none to use. The preview counts these rows, the expansion stores them: both say the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifiers.base import Channel
from statuspage.config import Settings
from statuspage.domain.campaign import CampaignKind, CampaignState
from statuspage.domain.consent import LegalBasis
from statuspage.domain.delivery import UNSENT, DeliveryState, Reason
from statuspage.models import Campaign, Installation
from statuspage.services import audience_sql

COLUMNS = ("contact_id", "address", "address_hash", "locale", "time_zone", "state", "reason")
SIGN_UP_PURPOSES = frozenset({"outage", "security"})
"""Who signed up on the page has no line, so a notice to one segment is not for him; the general one is."""


@dataclass(frozen=True)
class Select:
    """One query; `text()` takes `sql`, its rows are COLUMNS."""

    sql: str
    parameters: dict[str, Any] = field(default_factory=dict)


_ADDRESS = {Channel.SMS: "sms", Channel.EMAIL: "email"}

# The order of the reasons is the order in which a person would be told them.
_REASON = """CASE
  WHEN {gone} OR s.reason = 'erased' THEN '{erased}'
  WHEN {address} IS NULL THEN '{no_address}'
  WHEN s.reason = 'opt_out' THEN '{opted_out}'
  WHEN s.reason = 'invalid' THEN '{invalid_address}'
  WHEN s.reason IS NOT NULL THEN '{suppressed}'
  {consent}
END"""
_NO_CONSENT = "WHEN b.state IS NULL OR b.state <> 'active'{basis} THEN '{no_consent}'"

_SHAPE = """SELECT contact_id, CASE WHEN reason IS NULL THEN address END AS address, address_hash, locale, time_zone,
  CASE WHEN reason IS NULL THEN 'pending' ELSE 'suppressed' END AS state, reason FROM (
SELECT c.id AS contact_id, c.{address} AS address,
  COALESCE(c.{address}_hash, 'none:' || c.id) AS address_hash,
  CASE WHEN c.language IN ({locales}) THEN c.language ELSE :default_locale END AS locale,
  {time_zone} AS time_zone,
  {reason} AS reason
{source}) AS found"""

_LINES = """FROM line l JOIN contact c ON c.id = l.contact_id JOIN region r ON r.id = l.region_id
LEFT JOIN subscription b ON b.contact_id = c.id AND b.channel = :channel AND b.topic = 'service'
LEFT JOIN suppression s ON s.channel = :channel AND s.address_hash = c.{address}_hash
WHERE l.id > :after AND l.id <= :until AND l.valid_from <= :generation AND l.valid_to > :generation AND ({audience})"""

_SIGN_UPS = """FROM subscription b JOIN contact c ON c.id = b.contact_id
LEFT JOIN suppression s ON s.channel = :channel AND s.address_hash = c.{address}_hash
WHERE b.public_id > '' AND b.topic = 'page' AND b.channel = :channel AND b.state = 'active' AND c.account_id IS NULL"""
_COUNTED = """
AND NOT EXISTS (SELECT 1 FROM campaign k WHERE k.id = :campaign AND k.counted_at < COALESCE(b.confirmed_at, b.at))"""

# No contact is asked: a later import may have replaced him, and what he was told he is told the end of.
_TOLD = """FROM delivery o{ends}
LEFT JOIN suppression s ON s.channel = o.channel AND s.address_hash = o.address_hash
WHERE o.campaign_id = :told_by AND o.channel = :channel AND o.id > :after AND o.id <= :until
  AND o.state IN ('sending', 'accepted', 'sent', 'delivered', 'unknown')"""
_TOLD_SHAPE = """SELECT o.contact_id AS contact_id, CASE WHEN {reason} IS NULL THEN o.address END AS address,
  o.address_hash AS address_hash, o.locale AS locale, o.time_zone AS time_zone,
  CASE WHEN {reason} IS NULL THEN 'pending' ELSE 'suppressed' END AS state, {reason} AS reason
"""
# By the unique index, so each joins at most one row to a person.
_END = """
LEFT JOIN delivery {end} ON {end}.campaign_id = :{end} AND {end}.channel = o.channel
  AND {end}.address_hash = o.address_hash AND {end}.dedupe = '' AND {end}.state NOT IN ({void})"""


def of_lines(
    session: Session, campaign: Campaign, channel: Channel, settings: Settings, *, anew: bool = False
) -> Select:
    """Contacts of the lines in the audience; the parameters after and until are line ids.

    From the count that is approved until its end a campaign sees people of the import of then, so that another file
    neither adds nor loses any. `anew`: of the newest one all the same.
    """
    touched = audience_sql.components_of(session, campaign.incident_id)
    condition = audience_sql.compile_audience(session, campaign.audience, touched)
    basis = " OR b.basis <> 'consent'" if campaign.basis == LegalBasis.CONSENT else ""
    address = _ADDRESS[channel]
    consent = _NO_CONSENT.format(basis=basis, no_consent=Reason.NO_CONSENT.value)
    source = _LINES.format(address=address, audience=condition.sql)
    parameters = {
        **_people_parameters(channel, settings),
        **condition.parameters,
        "generation": current_generation(session) if anew or campaign.generation is None else campaign.generation,
    }
    return Select(_shape(address, settings, consent, "COALESCE(l.time_zone, r.time_zone)", source), parameters)


def of_sign_ups(channel: Channel, settings: Settings, *, anew: bool = False) -> Select:
    """Whoever signed up on the page and confirmed it before the people of the campaign, whose row id is the parameter
    `campaign`, were counted. `anew`: all of them up to now."""
    address = _ADDRESS[channel]
    source = _SIGN_UPS.format(address=address) + ("" if anew else _COUNTED)
    parameters = {**_people_parameters(channel, settings), "time_zone": settings.time_zone}
    return Select(_shape(address, settings, "", "CAST(:time_zone AS varchar)", source), parameters)


def of_told(session: Session, campaign: Campaign, channel: Channel) -> Select:
    """For an end notice: those whom the outage notice reached, or may have; after and until are its delivery ids.

    Left out is whoever stands in the outbox of another end notice of the incident that was started after the outage
    notice was. They are expanded one after the other (`expansion.waiting`), so that only the first of them tells him.
    """
    ends = {f"end_{one.id}": one for one in _other_ends(session, campaign)}
    told = " OR ".join(f"{end}.id IS NOT NULL" for end in ends)
    reason = _reason("o.address", "o.address IS NULL", f"WHEN {told} THEN '{Reason.END_TOLD.value}'" if told else "")
    joined = "".join(_END.format(end=end, void=_void(one)) for end, one in ends.items())
    others = {end: one.id for end, one in ends.items()}
    return Select(
        _TOLD_SHAPE.format(reason=reason) + _TOLD.format(ends=joined),
        {"channel": channel.value, "told_by": campaign.told_by_id, **others},
    )


def _other_ends(session: Session, campaign: Campaign) -> list[Campaign]:
    """An end told before the outage notice began was the end of an earlier break."""
    query = select(Campaign).where(
        Campaign.incident_id == campaign.incident_id,
        Campaign.kind == CampaignKind.END_NOTICE,
        Campaign.id != campaign.id,
        Campaign.started_at >= select(Campaign.started_at).where(Campaign.id == campaign.told_by_id).scalar_subquery(),
    )
    return list(session.scalars(query.order_by(Campaign.id)))


def _void(end: Campaign) -> str:
    """States in which an end notice tells nobody: what a cancelled one has not handed over it never will."""
    void = {DeliveryState.SUPPRESSED, DeliveryState.CANCELLED}
    return ", ".join(f"'{one}'" for one in sorted(void | UNSENT if end.state is CampaignState.CANCELLED else void))


def current_generation(session: Session) -> int:
    return session.scalar(select(Installation.generation)) or 0


def hold_generation(session: Session) -> int:
    """The visible generation, which no import changes before this transaction ends: what was counted in it is kept from
    the purge from then on."""
    return session.scalar(select(Installation.generation).with_for_update(read=True)) or 0


def takes_sign_ups(campaign: Campaign, channel: Channel) -> bool:
    general = campaign.kind is CampaignKind.INCIDENT_NOTICE and campaign.purpose in SIGN_UP_PURPOSES
    return channel is Channel.EMAIL and general


def _people_parameters(channel: Channel, settings: Settings) -> dict[str, Any]:
    locales = {f"locale_{place}": locale for place, locale in enumerate(settings.locales)}
    return {"channel": channel.value, "default_locale": settings.default_locale, **locales}


def _shape(address: str, settings: Settings, consent: str, time_zone: str, source: str) -> str:
    return _SHAPE.format(
        address=address,
        locales=", ".join(f":locale_{place}" for place in range(len(settings.locales))),
        time_zone=time_zone,
        reason=_reason(f"c.{address}", "c.erased_at IS NOT NULL", consent),
        source=source,
    )


def _reason(address: str, gone: str, consent: str) -> str:
    return _REASON.format(
        address=address,
        gone=gone,
        consent=consent,
        erased=Reason.ERASED.value,
        no_address=Reason.NO_ADDRESS.value,
        opted_out=Reason.OPTED_OUT.value,
        invalid_address=Reason.INVALID_ADDRESS.value,
        suppressed=Reason.SUPPRESSED.value,
    )
