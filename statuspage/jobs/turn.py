"""One transaction of a sender: what came back is written down, what goes next is marked, together in one commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from notifiers.base import Accepted, Channel, Failure, Message, NotifierError
from statuspage.clock import Clock
from statuspage.db import Sessions
from statuspage.jobs import rate
from statuspage.jobs.brake import Brake
from statuspage.jobs.claim import CampaignFacts, Claimed, claim, release
from statuspage.jobs.compose import Composer, Words
from statuspage.jobs.options import EngineOptions
from statuspage.jobs.settle import Settled, settle
from statuspage.jobs.turnstile import Turnstile
from statuspage.jobs.window import facts_of, mark
from statuspage.jobs.worth import seconds_left
from statuspage.services import campaign_course, counts
from statuspage.services.rows import moment

SMALLEST_CLAIM = 64
QUICK_SECONDS, SLOW_SECONDS = 0.5, 1.0
"""A batch should last about a second: what is in hand when a more urgent campaign comes has to wait for it."""


@dataclass(frozen=True)
class Means:
    """What one sender works with. `owner` names it in the leases."""

    sessions: Sessions
    clock: Clock
    options: EngineOptions
    composer: Composer
    owner: str
    turnstile: Turnstile


@dataclass
class Next:
    """What a turn hands over. `waits` says that there is more which only the pace holds back."""

    messages: list[Message] = field(default_factory=list)
    rows: list[Claimed] = field(default_factory=list)
    facts: CampaignFacts | None = None
    waits: bool = False
    claimed: int = 0


@dataclass
class InHand:
    """What is claimed and not marked yet, all of one campaign."""

    facts: CampaignFacts
    words: Words
    rows: list[Claimed]


class Turn:
    """The database's side of one channel of one sender; used by one thread at a time."""

    def __init__(self, means: Means, channel: Channel, provider: str) -> None:
        self._means = means
        self._channel = channel
        self._provider = provider
        self._brake = Brake()
        self._hand: InHand | None = None
        self._heard: set[int] = set()
        self._size = min(SMALLEST_CLAIM * 4, means.options.claim_size)
        self._claimed_at: datetime | None = None
        self._last_campaign = 0

    def take(self, settled: Sequence[Settled], room: int) -> Next:
        """Settle `settled` and mark up to `room` more. When it raises, nothing of it has happened."""
        if self._hand is None and room:
            self._hand = self._claim()
        hand = self._hand
        if not settled and (hand is None or not room):
            # A full window while the provider is slow: nothing to write, so no writer is kept waiting either.
            return Next()
        now = self._means.clock.now()
        following = Next()
        with self._means.turnstile.transaction(self._means.sessions) as session:
            moves = counts.Moves()
            self._settle(session, settled, moves, now)
            if hand is not None and room:
                following = self._mark(session, hand, room, moves, now)
            moves.write(session)
        if hand is not None:
            hand.rows = hand.rows[following.claimed :]
            self._hand = hand if hand.rows else None
        return following

    def give_back(self) -> None:
        """Release what is in hand and not marked."""
        hand, self._hand = self._hand, None
        if hand is not None:
            with self._means.turnstile.transaction(self._means.sessions) as session:
                release(session, [row.id for row in hand.rows], self._means.owner)

    def extend(self, ids: Sequence[int]) -> None:
        """A slow provider keeps messages in flight: lengthen their lease, unless it has run out already."""
        means = self._means
        now = means.clock.now()
        with means.turnstile.transaction(means.sessions) as session:
            parameters = {
                "owner": means.owner,
                "now": moment(session, now),
                "lease": moment(session, now + means.options.send_lease),
            }
            session.execute(_EXTEND, [{**parameters, "id": delivery_id} for delivery_id in sorted(ids)])

    def _claim(self) -> InHand | None:
        means = self._means
        now = means.clock.now()
        self._fit_size(now)
        self._claimed_at = None
        with means.turnstile.transaction(means.sessions) as session:
            batch = claim(
                session,
                self._channel,
                means.owner,
                limit=self._size,
                now=now,
                lease=means.options.claim_lease,
                after=self._last_campaign,
            )
            if batch is None:
                return None
            self._last_campaign = batch.campaign_id
            facts = facts_of(session, batch.campaign_id)
            words = means.composer.words(session, facts)
        self._claimed_at = now
        return InHand(facts, words, list(batch.rows))

    def _fit_size(self, now: datetime) -> None:
        if self._claimed_at is None:
            return
        lasted = (now - self._claimed_at).total_seconds()
        if lasted < QUICK_SECONDS:
            self._size = min(self._size * 2, self._means.options.claim_size)
        elif lasted > SLOW_SECONDS:
            self._size = max(self._size // 2, min(SMALLEST_CLAIM, self._means.options.claim_size))

    def _mark(self, session: Session, hand: InHand, room: int, moves: counts.Moves, now: datetime) -> Next:
        means, facts = self._means, hand.facts
        rows = hand.rows[:room]
        left = seconds_left(facts, self._channel, rows, means.options, now=now)
        if self._channel is Channel.SMS and means.options.sms_rate:
            # What is past its time is not handed over, so the pace does not keep it waiting.
            costs = [means.composer.segments(hand.words, row) if left[row.id] else 0 for row in rows]
            rows = rows[: rate.allow(session, self._channel, costs, means.options.sms_rate, now=now)]
            if not rows:
                return Next(waits=True)
        marked = mark(session, facts, self._channel, rows, left, means.owner, means.options, moves, now=now)
        if marked.stopped:
            release(session, [row.id for row in hand.rows], means.owner)
            return Next(claimed=len(hand.rows))
        # Composed before the commit: a text that cannot be made must leave nothing behind that looks sent.
        messages = means.composer.messages(facts, hand.words, self._channel, marked.sending, left)
        return Next(messages, marked.sending, facts, waits=len(rows) < room, claimed=len(rows))

    def _settle(self, session: Session, settled: Sequence[Settled], moves: counts.Moves, now: datetime) -> None:
        if not settled:
            return
        means = self._means
        settle(session, self._channel, settled, means.owner, self._provider, means.options, moves, now=now)
        self._note_first(session, settled, now)
        for campaign_id, reason in self._pauses(settled).items():
            campaign_course.pause_by_engine(session, campaign_id, reason, now=now)

    def _note_first(self, session: Session, settled: Sequence[Settled], now: datetime) -> None:
        heard = {one.facts.id for one in settled if isinstance(one.outcome, Accepted)} - self._heard
        for campaign_id in sorted(heard):
            session.execute(_FIRST, {"now": moment(session, now), "id": campaign_id})
            self._heard.add(campaign_id)

    def _pauses(self, settled: Sequence[Settled]) -> dict[int, str]:
        reasons: dict[int, str] = {}
        well: dict[int, int] = {}
        for one in settled:
            error = one.outcome
            if not isinstance(error, NotifierError):
                well[one.facts.id] = well.get(one.facts.id, 0) + 1
                continue
            if error.pause_campaign:
                reasons[one.facts.id] = error.reason.value
            elif error.permanent and error.reason is not Failure.EXPIRED:
                reason = self._brake.failed(one.facts.id, self._channel.value, error.reason)
                if reason is not None:
                    reasons[one.facts.id] = reason
        for campaign_id, n in well.items():
            self._brake.passed(campaign_id, self._channel.value, n)
        return reasons


_EXTEND = text(
    "UPDATE delivery SET lease_until = :lease "
    "WHERE id = :id AND state = 'sending' AND owner = :owner AND lease_until > :now"
)
_FIRST = text("UPDATE campaign SET first_accepted_at = :now WHERE id = :id AND first_accepted_at IS NULL")
