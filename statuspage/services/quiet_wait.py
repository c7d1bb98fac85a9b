"""How many SMS of a campaign wait for their people's morning, or would, and until when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifiers.base import Channel
from statuspage.config import Settings
from statuspage.domain.campaign import GIVE_UP_AFTER, CampaignState
from statuspage.domain.consent import keeps_quiet, quiet_until
from statuspage.domain.delivery import DeliveryState
from statuspage.models import Campaign, Delivery

_GROUPS = 200
"""Whoever is held back by quiet hours shares the moment with all others of his zone; only a retry stands alone."""

_BEFORE = timedelta(minutes=1)
_GOING = frozenset({CampaignState.RUNNING, CampaignState.PAUSED})


@dataclass(frozen=True)
class QuietWait:
    """`messages` SMS go between `first` and `last`, each when quiet hours end where its reader is."""

    messages: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class ZoneWait:
    """`messages` SMS to people who live in `zone` go at `until`, when it is morning there."""

    zone: str
    messages: int
    until: datetime


@dataclass(frozen=True)
class QuietAhead:
    """What quiet hours would do to a campaign that started at `at`: the zones where it is quiet then, the soonest
    morning first. `expired`: those whose morning comes so late that the message is not sent at all."""

    at: datetime
    zones: tuple[ZoneWait, ...]
    expired: int

    @property
    def messages(self) -> int:
        return sum(one.messages for one in self.zones)


def ahead(campaign: Campaign, by_zone: Mapping[str, int], settings: Settings, *, at: datetime) -> QuietAhead | None:
    """`by_zone`: its SMS as counted. None where quiet hours hold nothing of it back at any time."""
    kept = keeps_quiet(campaign.kind, Channel.SMS, campaign.quiet_override_by is not None)
    if not by_zone or not kept or settings.quiet_start == settings.quiet_end:
        return None
    ends = {zone: quiet_until(at, ZoneInfo(zone), settings.quiet_start, settings.quiet_end) for zone in by_zone}
    found = [ZoneWait(zone, by_zone[zone], until) for zone, until in ends.items() if until is not None]
    found.sort(key=lambda one: (one.until, -one.messages, one.zone))
    last = at + GIVE_UP_AFTER
    expired = sum(one.messages for one in found if one.until > last)
    return QuietAhead(at, tuple(one for one in found if one.until <= last), expired)


def waiting(session: Session, campaign: Campaign, settings: Settings, *, now: datetime) -> QuietWait | None:
    """What the sender has put off so far; None when that is nothing. Reads the outbox's index and one row a moment."""
    overridden = campaign.quiet_override_by is not None
    if campaign.state not in _GOING or not keeps_quiet(campaign.kind, Channel.SMS, overridden):
        return None
    put_off = (
        select(Delivery.not_before, func.count().label("n"), func.max(Delivery.id).label("example"))
        .where(
            Delivery.campaign_id == campaign.id,
            Delivery.channel == Channel.SMS.value,
            Delivery.state == DeliveryState.PENDING.value,
            Delivery.not_before > now,
        )
        .group_by(Delivery.not_before)
    )
    moments = session.execute(put_off.order_by(func.count().desc()).limit(_GROUPS)).all()
    query = select(Delivery.id, Delivery.time_zone).where(Delivery.id.in_([one.example for one in moments]))
    zones = dict(session.execute(query).all())
    quiet = [one for one in moments if _ends_quiet(one.not_before, zones[one.example], settings)]
    if not quiet:
        return None
    times = [one.not_before for one in quiet]
    return QuietWait(sum(one.n for one in quiet), min(times), max(times))


def _ends_quiet(at: datetime, zone: str, settings: Settings) -> bool:
    """Whether the minute before `at` is quiet there, and `at` is when that ends."""
    return quiet_until(at - _BEFORE, ZoneInfo(zone), settings.quiet_start, settings.quiet_end) == at
