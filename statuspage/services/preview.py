"""What a campaign would do if it started now: whom it tells, whom not and why, in how many segments, at what cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_UP, Decimal
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from notifiers.base import Channel
from statuspage.config import Settings
from statuspage.domain.audience import comparisons, parse
from statuspage.domain.campaign import CampaignContent, content_hash
from statuspage.domain.message import sms_problems
from statuspage.models import Campaign, Delivery, Incident, Line, User
from statuspage.services import alone, campaign_texts, components, quiet_wait, recipients
from statuspage.services.alone import Release
from statuspage.services.campaign_texts import Bodies, Filled
from statuspage.services.earlier_notices import Earlier, earlier_notices
from statuspage.services.quiet_wait import QuietAhead
from statuspage.services.recipients import Select

_CENT = Decimal("0.01")
CEILING_MARGIN = Decimal("1.05")
"""People come and go between the preview and the start; more than a twentieth asks for another look."""


@dataclass(frozen=True)
class ChannelPreview:
    """One channel. `merged` counts people left out because another has the same address: one message goes to it.

    `by_zone` has the recipients by the time zone they live in; `segments` is of all messages together, 0 for mail.
    """

    channel: Channel
    by_locale: Mapping[str, int]
    by_zone: Mapping[str, int]
    left_out: Mapping[str, int]
    merged: int
    segments_each: Mapping[str, int]
    segments: int
    cost: Decimal

    @property
    def recipients(self) -> int:
        return sum(self.by_locale.values())


@dataclass(frozen=True)
class TooSlow:
    """Handing over the SMS takes longer than they are worth sending: the last ones would be left unsent."""

    takes: timedelta
    worth: timedelta


@dataclass(frozen=True)
class Preview:
    """`texts` are rendered with the incident's values of now; `warnings` are keys of the catalogues, by locale."""

    channels: tuple[ChannelPreview, ...]
    texts: Filled
    warnings: Mapping[str, tuple[str, ...]]
    currency: str
    content_hash: str
    at: datetime
    release: Release
    """Whether it needs a second person, and up to how many messages one may release alone."""
    earlier: tuple[Earlier, ...] = ()
    """Who has been told of the incident before."""
    quiet: QuietAhead | None = None
    """Whose SMS would wait if it started now; None where quiet hours hold nothing of it back."""
    too_slow: TooSlow | None = None
    """None where its SMS are handed over in time."""

    @property
    def recipients(self) -> int:
        """Messages, over all channels."""
        return sum(one.recipients for one in self.channels)

    @property
    def cost(self) -> Decimal:
        return sum((one.cost for one in self.channels), Decimal(0))

    def summary(self) -> dict[str, Any]:
        """What the campaign keeps of it, as JSON."""
        return {
            "at": self.at.isoformat(),
            "recipients": self.recipients,
            "cost": str(self.cost),
            "channels": {
                one.channel.value: {
                    "recipients": one.recipients,
                    "by_locale": dict(one.by_locale),
                    "by_zone": dict(one.by_zone),
                    "left_out": dict(one.left_out),
                    "merged": one.merged,
                    "segments_each": dict(one.segments_each),
                    "segments": one.segments,
                    "cost": str(one.cost),
                }
                for one in self.channels
            },
        }


def preview(session: Session, campaign: Campaign, settings: Settings, *, now: datetime, anew: bool = False) -> Preview:
    """Exact counts, made in the database; nothing is written. A million people take some seconds a channel.

    Of a campaign whose people were counted for the approval it counts those again; `anew`: whom it would tell if it
    were asked for now.
    """
    filled = campaign_texts.fill(session, campaign, settings, now=now)
    each = campaign_texts.segments(filled.bodies)
    channels = tuple(
        _channel(session, campaign, Channel(channel), settings, each if channel == Channel.SMS else {}, anew=anew)
        for channel in campaign.channels
    )
    warnings = warnings_of(filled.bodies)
    hashed = current_hash(session, campaign, filled.flat())
    earlier = earlier_notices(session, campaign)
    quiet = quiet_wait.ahead(campaign, sms_by_zone(channels), settings, at=now)
    release = alone.release(session, campaign, sum(one.recipients for one in channels), settings, at=now)
    slow = too_slow(campaign, channels, settings)
    return Preview(channels, filled, warnings, settings.currency, hashed, now, release, earlier, quiet, slow)


def too_slow(campaign: Campaign, channels: Iterable[ChannelPreview], settings: Settings) -> TooSlow | None:
    """None where its SMS are handed over at SMS_RATE while they are worth sending."""
    segments = sum(one.segments for one in channels if one.channel is Channel.SMS)
    takes = timedelta(seconds=segments / settings.sms_rate) if settings.sms_rate else timedelta(0)
    worth = timedelta(seconds=campaign.validity_seconds)
    return TooSlow(takes, worth) if takes > worth else None


def warnings_of(bodies: Bodies) -> dict[str, tuple[str, ...]]:
    """locale → what is to be minded about its SMS, as keys of the catalogues."""
    return {locale: found for locale, body in bodies.get("sms", {}).items() if (found := sms_problems(body))}


def counted(campaign: Campaign) -> tuple[ChannelPreview, ...]:
    """The count that approval was asked with, channel by channel; empty before."""
    return tuple(
        ChannelPreview(
            Channel(channel),
            kept["by_locale"],
            # Counted by a release that did not ask where people live.
            kept.get("by_zone", {}),
            kept["left_out"],
            kept["merged"],
            kept["segments_each"],
            kept["segments"],
            Decimal(kept["cost"]),
        )
        for channel, kept in campaign.estimated.get("channels", {}).items()
    )


def sms_by_zone(channels: Iterable[ChannelPreview]) -> Mapping[str, int]:
    return next((one.by_zone for one in channels if one.channel is Channel.SMS), {})


def ceiling(found: Preview) -> Decimal:
    """The most a campaign may cost unless its author says otherwise."""
    return (found.cost * CEILING_MARGIN).quantize(_CENT, ROUND_UP)


def current_hash(session: Session, campaign: Campaign, texts: Mapping[str, str]) -> str:
    """Names everything an approver answers for; any edit makes it another."""
    incident = None if campaign.incident_id is None else session.get(Incident, campaign.incident_id)
    others = {"incident": incident.public_id if incident else "", "basis": campaign.basis, "purpose": campaign.purpose}
    if campaign.told_by_id is not None:
        others["told_by"] = session.get_one(Campaign, campaign.told_by_id).public_id
    if campaign.quiet_override_by is not None:
        others["quiet_override_by"] = session.get_one(User, campaign.quiet_override_by).public_id
    if campaign.counted_at is not None:
        others |= {"counted_at": campaign.counted_at.isoformat(), "generation": str(campaign.generation)}
    if incident is not None and "component" in {one.field for one in comparisons(parse(campaign.audience))}:
        # Who is meant by "component = …" follows the incident: when its scope changes, so does the audience.
        others["components"] = ",".join(sorted(components.states_of(session, incident)))
    return content_hash(
        CampaignContent(
            kind=campaign.kind,
            audience=campaign.audience,
            channels=campaign.channels,
            texts=texts,
            cost_ceiling=campaign.cost_ceiling,
            currency=campaign.currency,
            validity_seconds=campaign.validity_seconds,
            resend_unknown=campaign.resend_unknown,
            others=others,
        )
    )


def _channel(
    session: Session,
    campaign: Campaign,
    channel: Channel,
    settings: Settings,
    each: Mapping[str, int],
    *,
    anew: bool,
) -> ChannelPreview:
    rows = session.execute(*_counting(session, campaign, channel, settings, anew=anew)).all()
    by_locale: dict[str, int] = {}
    by_zone: dict[str, int] = {}
    left_out: dict[str, int] = {}
    merged = 0
    for row in rows:
        if row.reason:
            left_out[row.reason] = left_out.get(row.reason, 0) + row.people
        else:
            by_locale[row.locale] = by_locale.get(row.locale, 0) + row.people
            by_zone[row.time_zone] = by_zone.get(row.time_zone, 0) + row.people
        merged += int(row.found) - row.people
    segments = sum(n * each.get(locale, 0) for locale, n in by_locale.items())
    return ChannelPreview(channel, by_locale, by_zone, left_out, merged, each, segments, segments * settings.sms_price)


# Of several people with one address, the one who may be told stands for all ("pending" sorts before "suppressed").
_COUNT = """SELECT reason, locale, time_zone, count(*) AS people, sum(found) AS found FROM (
  SELECT address_hash, CASE WHEN min(state) = 'pending' THEN NULL ELSE min(reason) END AS reason,
    min(locale) AS locale, min(time_zone) AS time_zone, count(*) AS found
  FROM ({union}) AS everybody GROUP BY address_hash) AS one_each
GROUP BY reason, locale, time_zone"""


def _counting(
    session: Session, campaign: Campaign, channel: Channel, settings: Settings, *, anew: bool
) -> tuple[Any, dict[str, Any]]:
    parts: list[Select] = []
    if campaign.told_by_id is not None:
        parts.append(recipients.of_told(session, campaign, channel))
        until = session.scalar(select(func.max(Delivery.id)))
    else:
        parts.append(recipients.of_lines(session, campaign, channel, settings, anew=anew))
        until = session.scalar(select(func.max(Line.id)))
    if recipients.takes_sign_ups(campaign, channel):
        parts.append(recipients.of_sign_ups(channel, settings, anew=anew))
    parameters: dict[str, Any] = {"after": 0, "until": until or 0, "campaign": campaign.id}
    for part in parts:
        parameters |= part.parameters
    union = " UNION ALL ".join(part.sql for part in parts)
    return text(_COUNT.format(union=union)), parameters
