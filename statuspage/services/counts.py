"""How many deliveries of a campaign are in which state: moved with each batch, never counted anew."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from statuspage.domain.delivery import DeliveryState
from statuspage.models import CampaignCount

IN_HAND = frozenset({DeliveryState.PENDING, DeliveryState.CLAIMED, DeliveryState.SENDING})
"""Counted together as pending: what a sender holds for a moment is not worth two more writes for each batch."""


class Place(NamedTuple):
    """Where a delivery is counted."""

    campaign_id: int
    channel: str
    state: str
    reason: str = ""


def place(campaign_id: int, channel: str, state: str, reason: str | None = None) -> Place:
    """`state` is any value of DeliveryState; those in hand count as pending."""
    return Place(campaign_id, channel, DeliveryState.PENDING.value if state in IN_HAND else state, reason or "")


class Moves:
    """What one transaction moves, so that each counter is written once and in one order (else two senders deadlock)."""

    def __init__(self) -> None:
        self._by: defaultdict[Place, int] = defaultdict(int)

    def add(self, to: Place, n: int = 1) -> None:
        self._by[to] += n

    def move(self, source: Place, to: Place, n: int = 1) -> None:
        self._by[source] -= n
        self._by[to] += n

    def write(self, session: Session) -> None:
        rows = [{**key._asdict(), "n": n} for key, n in sorted(self._by.items()) if n]
        if rows:
            session.execute(_UPSERT, rows)
        self._by.clear()


_UPSERT = text(
    "INSERT INTO campaign_count (campaign_id, channel, state, reason, n) "
    "VALUES (:campaign_id, :channel, :state, :reason, :n) "
    "ON CONFLICT (campaign_id, channel, state, reason) DO UPDATE SET n = campaign_count.n + excluded.n"
)


@dataclass(frozen=True)
class Count:
    """One line of a campaign's progress. `reason` is empty in the plain course of things."""

    channel: str
    state: DeliveryState
    reason: str
    n: int


def read(session: Session, campaign_id: int) -> list[Count]:
    """What became of the campaign's deliveries so far; `pending` includes what a sender holds at the moment."""
    columns = (CampaignCount.channel, CampaignCount.state, CampaignCount.reason, CampaignCount.n)
    rows = session.execute(select(*columns).where(CampaignCount.campaign_id == campaign_id, CampaignCount.n != 0))
    counts = [Count(channel, DeliveryState(state), reason, n) for channel, state, reason, n in rows]
    return sorted(counts, key=lambda one: (one.channel, one.state, one.reason))


def total(counts: Iterable[Count], *states: DeliveryState) -> int:
    """Of all channels; of all states when none is named."""
    return sum(one.n for one in counts if not states or one.state in states)
