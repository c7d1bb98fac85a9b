"""Asked before hand-over: for how long is each message of a batch still worth sending?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from notifiers.base import Channel
from statuspage.domain.campaign import CampaignKind
from statuspage.domain.consent import keeps_quiet
from statuspage.domain.validity import QuietHours, time_left, worth
from statuspage.jobs.claim import CampaignFacts, Claimed
from statuspage.jobs.options import EngineOptions
from statuspage.services.links import confirmation_issued


def seconds_left(
    facts: CampaignFacts, channel: Channel, rows: Sequence[Claimed], options: EngineOptions, *, now: datetime
) -> dict[int, int]:
    """Delivery id → whole seconds; 0 is past. A notice counts from its campaign's start, a confirmation from its own
    issue, after which its link runs out."""
    validity = timedelta(seconds=facts.validity_seconds)
    if facts.kind is CampaignKind.CONFIRMATION:
        return {row.id: _seconds(confirmation_issued(row.dedupe), validity, None, now) for row in rows}
    quiet: dict[str, QuietHours | None] = dict.fromkeys(row.time_zone for row in rows)
    if keeps_quiet(facts.kind, channel, facts.quiet_override):
        quiet = {zone: QuietHours(ZoneInfo(zone), options.quiet_start, options.quiet_end) for zone in quiet}
    left = {zone: _seconds(facts.started_at, validity, hours, now) for zone, hours in quiet.items()}
    return {row.id: left[row.time_zone] for row in rows}


def _seconds(since: datetime, validity: timedelta, quiet: QuietHours | None, now: datetime) -> int:
    return int(time_left(worth(since, validity, quiet), now).total_seconds())
