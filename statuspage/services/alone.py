"""What was released without a second person: counted together, so that many small campaigns are no way round one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, false, select, text
from sqlalchemy.orm import Session

from statuspage.config import Settings
from statuspage.db import is_sqlite
from statuspage.domain.campaign import COUNTED_TOGETHER, CampaignState, approval_needed
from statuspage.models import Campaign

_LOCK = 7_462

_ALONE = Campaign.break_glass_reason.is_not(None)
_BY_NOBODY = and_(
    Campaign.approved_at.is_not(None), Campaign.approved_by.is_(None), Campaign.break_glass_reason.is_(None)
)
_WENT = (Campaign.state != CampaignState.CANCELLED) | Campaign.started_at.is_not(None)
"""Cancelled before it started, it went to nobody."""


@dataclass(frozen=True)
class Release:
    """Who may release a campaign of so many messages. `by_nobody`: messages of other campaigns of its kind that were
    below the threshold; `alone`: those of others that one person released with a reason."""

    recipients: int
    by_nobody: int
    alone: int
    threshold: int
    always: bool
    cap: int

    @property
    def needed(self) -> bool:
        """Whether a second person has to approve it."""
        return approval_needed(self.recipients, self.threshold, self.always, self.by_nobody)

    @property
    def together(self) -> int | None:
        """The sum, where it is what makes a second person needed."""
        small = not approval_needed(self.recipients, self.threshold, self.always)
        return self.by_nobody + self.recipients if self.needed and small else None

    @property
    def left(self) -> int:
        """The most messages that one person may release now, with a reason."""
        return max(0, self.cap - self.alone)


def hold(session: Session) -> None:
    """Until this transaction ends nobody else releases without a second person: two at once would each see only half
    of the sum."""
    if not is_sqlite(session):
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def release(session: Session, campaign: Campaign, recipients: int, settings: Settings, *, at: datetime) -> Release:
    """What holds for `campaign`, told to `recipients`, when it is released at `at`.

    An end notice goes to people who were told already, so that it is summed with end notices only.
    """
    return Release(
        recipients,
        _messages(session, others(campaign, at).where(_BY_NOBODY, Campaign.kind == campaign.kind)),
        _messages(session, others_alone(campaign, at)),
        settings.approval_threshold,
        settings.approval_always,
        settings.break_glass_cap,
    )


def others(campaign: Campaign, at: datetime) -> Select[Campaign]:
    """The campaigns that count together with `campaign`: of its incident all, whenever they were released; of any other
    incident, which the same person may have declared, those of the last 24 hours."""
    of_incident: ColumnElement[bool] = false()
    if campaign.incident_id is not None:
        of_incident = Campaign.incident_id == campaign.incident_id
    lately = and_(Campaign.approved_at > at - COUNTED_TOGETHER, Campaign.approved_at <= at)
    return select(Campaign).where(Campaign.id != campaign.id, of_incident | lately, _WENT)


def others_alone(campaign: Campaign, at: datetime) -> Select[Campaign]:
    """Those of `others` that one person released, with a reason."""
    return others(campaign, at).where(_ALONE)


def released_alone(incident_ids: Collection[int | None]) -> Select[Campaign]:
    """All that one person released, with a reason, by incident row id."""
    return select(Campaign).where(Campaign.incident_id.in_(incident_ids), _ALONE, _WENT)


def _messages(session: Session, query: Select[Campaign]) -> int:
    """As counted when they were released; read from the rows, not from what this session saw of them earlier."""
    return sum(int(one.get("recipients", 0)) for one in session.scalars(query.with_only_columns(Campaign.estimated)))
