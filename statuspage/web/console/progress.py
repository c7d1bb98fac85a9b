"""The course of a campaign in one bar and a few figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from statuspage.domain.campaign import CampaignState
from statuspage.domain.delivery import DeliveryState
from statuspage.models import Campaign
from statuspage.services.counts import Count, total

WIDTH = 1000
_S = DeliveryState


@dataclass(frozen=True)
class Part:
    """A stretch of the bar: its class, where it begins and how wide it is (of WIDTH)."""

    name: str
    n: int
    x: int
    width: int


@dataclass(frozen=True)
class Course:
    """In messages, one a person and channel. `good`: told; `way`: waiting or under way; `unknown`: may be told; `bad`:
    could not be; `out`: left out. `paused`: those on their way wait for somebody to go on."""

    good: int
    way: int
    unknown: int
    bad: int
    out: int
    delivered: int
    paused: bool

    @property
    def all(self) -> int:
        return self.good + self.way + self.unknown + self.bad + self.out

    def parts(self) -> list[Part]:
        found, x = [], 0
        for name, n in (("good", self.good), ("way", self.way), ("bad", self.bad + self.unknown), ("out", self.out)):
            width = round(WIDTH * n / self.all) if self.all else 0
            if width:
                found.append(Part(name, n, x, width))
            x += width
        return found


def course(campaign: Campaign, counts: Sequence[Count]) -> Course:
    """Sums of the campaign's counters."""
    return Course(
        good=total(counts, _S.ACCEPTED, _S.SENT, _S.DELIVERED),
        way=total(counts, _S.PENDING, _S.CLAIMED, _S.SENDING),
        unknown=total(counts, _S.UNKNOWN),
        bad=total(counts, _S.UNDELIVERED, _S.FAILED, _S.EXPIRED),
        out=total(counts, _S.SUPPRESSED, _S.CANCELLED),
        delivered=total(counts, _S.DELIVERED),
        paused=campaign.state is CampaignState.PAUSED,
    )
