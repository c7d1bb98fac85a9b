"""From an audience to rows of the outbox, in short steps that can be repeated.

A stretch of people is gathered in a temporary table, sorted by the hash of their address, and then stored in small
transactions: sorted, so that each of them touches a narrow strip of the unique index (unsorted, each rewrites all of
it). The campaign's cursor moves with the last of them; a stretch that died half-way is walked again, to no effect.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from notifiers.base import Channel
from statuspage.config import Settings
from statuspage.db import is_sqlite
from statuspage.domain.campaign import COUNTED_TOGETHER, CampaignKind, CampaignState
from statuspage.domain.delivery import DeliveryState, Reason
from statuspage.models import Campaign, Delivery, Line
from statuspage.services import alone, campaign_course, campaign_texts, counts, outbox, recipients
from statuspage.services.recipients import COLUMNS, Select
from statuspage.services.rows import changed, moment

SIGN_UPS_AT_ONCE = 20_000
AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)
"""When a delivery may go that waits for nothing: no clock that is set back makes it wait."""
TELLS_NOBODY = frozenset({DeliveryState.SUPPRESSED, DeliveryState.CANCELLED})


@dataclass(frozen=True)
class Waiting:
    """A campaign that somebody may expand who holds `lease`; the lower its `priority`, the more urgent it is."""

    campaign_id: int
    priority: int
    lease: str


@dataclass(frozen=True)
class Stretch:
    """Part of the audience: line ids (for an end notice, delivery ids) in (after, until]."""

    after: int
    until: int


@dataclass(frozen=True)
class Staged:
    """What lies in the temporary table: row numbers in (first, last]."""

    channel: Channel
    first: int
    last: int


def prepare(session: Session) -> None:
    """Make this connection's temporary table, once: another connection has none, and whoever uses it fails instead of
    storing nobody in the place of those who were gathered."""
    number = "n INTEGER PRIMARY KEY" if is_sqlite(session) else "n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
    session.execute(text(_TABLE.format(number=number)))


def waiting(session: Session, *, started_by: datetime) -> list[Waiting]:
    """What was started by then and is still to be expanded.

    Of the end notices of one incident it is one after the other, to its end, because each leaves out whom the others
    have told. First comes the one that was approved for the fewest people, which is the more specific: a merchant who
    was told of the outage as a subscriber too hears its end in the words for merchants. One that is not started is not
    waited for, since he might then hear nothing.
    """
    query = select(Campaign).where(
        Campaign.state == CampaignState.RUNNING, Campaign.expanded_at.is_(None), Campaign.started_at <= started_by
    )
    found: dict[str, Waiting] = {}
    for one in sorted(session.scalars(query), key=lambda one: (int(one.estimated.get("recipients", 0)), one.id)):
        ends = one.kind is CampaignKind.END_NOTICE
        lease = f"expand:ends:{one.incident_id}" if ends else f"expand:{one.id}"
        found.setdefault(lease, Waiting(one.id, one.priority, lease))
    return list(found.values())


def next_stretch(session: Session, campaign: Campaign, size: int, after: int | None) -> Stretch | None:
    """`size` rows to walk over, behind row `after` or else the campaign's cursor; None at the end."""
    walked = Line.id if campaign.told_by_id is None else Delivery.id
    behind = campaign.expand_cursor if after is None else after
    ahead = select(walked).where(walked > behind, walked <= (campaign.expand_until or 0))
    if campaign.told_by_id is not None:
        ahead = ahead.where(Delivery.campaign_id == campaign.told_by_id)
    until = session.scalar(select(func.max(ahead.order_by(walked).limit(size).subquery().c.id)))
    return None if until is None else Stretch(behind, until)


def stage(session: Session, campaign: Campaign, channel: Channel, stretch: Stretch, settings: Settings) -> Staged:
    """Gather the people of a stretch. Writes the temporary table only."""
    if campaign.told_by_id is None:
        found = recipients.of_lines(session, campaign, channel, settings)
    else:
        found = recipients.of_told(session, campaign, channel)
    return _stage(session, channel, found, {"after": stretch.after, "until": stretch.until})


def stage_sign_ups(session: Session, campaign: Campaign, channel: Channel, settings: Settings) -> Staged:
    """Gather up to 20,000 of those who signed up on the page and are not in the campaign yet."""
    found = recipients.of_sign_ups(channel, settings)
    fresh = Select(_NOT_YET.format(found=found.sql), {**found.parameters, "campaign": campaign.id})
    return _stage(session, channel, fresh, {"limit": SIGN_UPS_AT_ONCE})


def store(session: Session, campaign: Campaign, staged: Staged, settings: Settings, *, now: datetime) -> int:
    """Put staged rows into the outbox, with their counts; returns how many were new or newly allowed."""
    if campaign.break_glass_reason is not None:
        alone.hold(session)
    before = session.scalar(select(func.max(Delivery.id))) or 0
    parameters = {
        "campaign": campaign.id,
        "channel": staged.channel.value,
        "first": staged.first,
        "last": staged.last,
        "now": moment(session, now),
        "due": moment(session, AT_ONCE),
    }
    groups = _insert(session, parameters, before)
    moves = counts.Moves()
    stored = 0
    planned: dict[str, int] = {}
    for state, reason, locale, n in groups:
        moves.add(counts.place(campaign.id, staged.channel, state, reason), n)
        stored += n
        if state == DeliveryState.PENDING:
            planned[locale] = planned.get(locale, 0) + n
    allowed = 0
    if stored < staged.last - staged.first:
        allowed = changed(session, _ALLOW, parameters)
        source = counts.place(campaign.id, staged.channel, DeliveryState.SUPPRESSED, Reason.NO_CONSENT)
        moves.move(source, counts.place(campaign.id, staged.channel, DeliveryState.PENDING), allowed)
    moves.write(session)
    _keep_to_cap(session, campaign, staged.channel, before, settings, now)
    _keep_to_ceiling(session, campaign, staged.channel, planned, settings, now)
    outbox.wake(session)
    return stored + allowed


def advance(session: Session, campaign_id: int, until: int) -> None:
    """The stretch is stored: whoever goes on begins behind it."""
    behind = Campaign.expand_cursor < until
    session.execute(update(Campaign).where(Campaign.id == campaign_id, behind).values(expand_cursor=until))


def finish(session: Session, campaign_id: int, *, now: datetime) -> None:
    """Everybody is in the outbox."""
    session.execute(update(Campaign).where(Campaign.id == campaign_id).values(expanded_at=now))


def _stage(session: Session, channel: Channel, found: Select, bounds: dict[str, Any]) -> Staged:
    session.execute(_EMPTY)
    session.execute(text(_GATHER.format(found=found.sql)), {**found.parameters, **bounds})
    first, last = session.execute(_BOUNDS).one()
    return Staged(channel, first - 1, last)


def _insert(session: Session, parameters: dict[str, Any], before: int) -> list[tuple[str, str | None, str, int]]:
    if is_sqlite(session):
        # One writer: whatever has a higher id than before is ours.
        session.execute(text(_INSERT), parameters)
        rows = session.execute(_NEW, {"before": before})
    else:
        rows = session.execute(text(_INSERT_COUNTED.format(insert=_INSERT)), parameters)
    return [(state, reason, locale, n) for state, reason, locale, n in rows]


def _keep_to_cap(
    session: Session, campaign: Campaign, channel: Channel, before: int, settings: Settings, now: datetime
) -> None:
    """What one person releases alone stays small, over the whole incident and over all incidents of a day, however the
    audiences have grown since he looked."""
    if campaign.break_glass_reason is None or campaign.approved_at is None:
        return
    # A start that was put off for longer is held against the day that began with its release, as it was then.
    at = min(now, campaign.approved_at + COUNTED_TOGETHER)
    others = session.scalars(alone.others_alone(campaign, at).with_only_columns(Campaign.id))
    told = [one for each in (campaign.id, *others) for one in counts.read(session, each)]
    excess = counts.total(one for one in told if one.state not in TELLS_NOBODY) - settings.break_glass_cap
    if excess <= 0:
        return
    parameters = {"campaign": campaign.id, "channel": channel.value, "before": before, "excess": excess}
    final = {"reason": Reason.BREAK_GLASS_CAP.value, "now": moment(session, now)}
    n = len(session.execute(_CAP, {**parameters, **final}).all())
    moves = counts.Moves()
    moves.move(
        counts.place(campaign.id, channel, DeliveryState.PENDING),
        counts.place(campaign.id, channel, DeliveryState.SUPPRESSED, Reason.BREAK_GLASS_CAP),
        n,
    )
    moves.write(session)


def _keep_to_ceiling(
    session: Session, campaign: Campaign, channel: Channel, planned: dict[str, int], settings: Settings, now: datetime
) -> None:
    """Pause a campaign that has become dearer than what was approved. The sum stands in `estimated`, by the engine."""
    if channel is not Channel.SMS or campaign.cost_ceiling is None or not planned:
        return
    each = campaign_texts.segments(campaign_texts.frozen(session, campaign))
    more = sum(n * each.get(locale, 1) for locale, n in planned.items())
    segments = int(campaign.estimated.get("planned_segments", 0)) + more
    campaign.estimated = {**campaign.estimated, "planned_segments": segments}
    session.flush()
    if Decimal(segments) * settings.sms_price > campaign.cost_ceiling:
        campaign_course.pause_by_engine(session, campaign.id, "cost_ceiling", now=now)


_TABLE = (
    "CREATE TEMPORARY TABLE expansion_stage ({number}, contact_id INTEGER, address VARCHAR(254), "
    "address_hash VARCHAR(40), locale VARCHAR(10), time_zone VARCHAR(60), state VARCHAR(12), reason VARCHAR(40))"
)
_EMPTY = text("DELETE FROM expansion_stage")
_NAMES = ", ".join(COLUMNS)
# Who may be told comes before others with the same address.
_GATHER = f"INSERT INTO expansion_stage ({_NAMES}) {{found}} ORDER BY address_hash, state, contact_id"
_BOUNDS = text("SELECT COALESCE(MIN(n), 1), COALESCE(MAX(n), 0) FROM expansion_stage")
_NOT_YET = (
    "SELECT * FROM (SELECT * FROM ({found}) AS fresh WHERE NOT EXISTS ("
    "SELECT 1 FROM delivery d WHERE d.campaign_id = :campaign AND d.channel = :channel "
    "AND d.address_hash = fresh.address_hash AND d.dedupe = '' "
    "AND NOT (d.state = 'suppressed' AND d.reason = 'no_consent' AND fresh.state = 'pending')) "
    "ORDER BY address_hash LIMIT :limit) AS taken"
)
_ONE_EACH = (
    "s.n > :first AND s.n <= :last "
    "AND NOT EXISTS (SELECT 1 FROM expansion_stage p WHERE p.n = s.n - 1 AND p.address_hash = s.address_hash)"
)
_INSERT = (
    "INSERT INTO delivery (campaign_id, channel, contact_id, address, address_hash, dedupe, locale, time_zone, state, "  # noqa: S608 -- fixed texts
    "reason, attempt, not_before, final_at) SELECT CAST(:campaign AS bigint), CAST(:channel AS varchar), s.contact_id, "
    "s.address, s.address_hash, '', s.locale, s.time_zone, s.state, s.reason, 0, :due, "
    "CASE WHEN s.state = 'suppressed' THEN :now END "
    f"FROM expansion_stage s WHERE {_ONE_EACH} ORDER BY s.n ON CONFLICT DO NOTHING"
)
_INSERT_COUNTED = (
    "WITH made AS ({insert} RETURNING state, reason, locale) "
    "SELECT state, reason, locale, count(*) FROM made GROUP BY state, reason, locale"
)
_NEW = text("SELECT state, reason, locale, count(*) FROM delivery WHERE id > :before GROUP BY state, reason, locale")
_ALLOW = (
    "UPDATE delivery SET state = 'pending', reason = NULL, final_at = NULL, not_before = :due, "
    "contact_id = (SELECT MIN(s.contact_id) FROM expansion_stage s WHERE s.n > :first AND s.n <= :last "
    "AND s.state = 'pending' AND s.address_hash = delivery.address_hash), "
    "address = (SELECT MIN(s.address) FROM expansion_stage s WHERE s.n > :first AND s.n <= :last "
    "AND s.state = 'pending' AND s.address_hash = delivery.address_hash) "
    "WHERE campaign_id = :campaign AND channel = :channel AND dedupe = '' "
    "AND state = 'suppressed' AND reason = 'no_consent' AND address_hash IN ("
    "SELECT s.address_hash FROM expansion_stage s WHERE s.n > :first AND s.n <= :last AND s.state = 'pending')"
)
_CAP = text(
    "WITH excess AS MATERIALIZED (SELECT id FROM delivery WHERE campaign_id = :campaign AND channel = :channel "
    "AND id > :before AND state = 'pending' ORDER BY id DESC LIMIT :excess) "
    "UPDATE delivery SET state = 'suppressed', reason = :reason, final_at = :now "
    "WHERE id IN (SELECT id FROM excess) AND state = 'pending' RETURNING id"
)
