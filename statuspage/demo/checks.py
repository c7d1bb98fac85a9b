"""The audit of the story: the stand-ins' ledgers against the outbox, person by person."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from statuspage.demo.people import Person
from statuspage.domain.campaign import CampaignKind
from statuspage.domain.delivery import DeliveryState
from statuspage.models import Attempt, Campaign, CampaignCount, Delivery
from statuspage.services.addresses import AddressKey

HANDED_OVER = frozenset({DeliveryState.ACCEPTED, DeliveryState.SENT, DeliveryState.DELIVERED})
MAYBE = frozenset({DeliveryState.UNKNOWN, DeliveryState.UNDELIVERED, DeliveryState.EXPIRED, DeliveryState.FAILED})
"""States in which the provider may or may not have the message: an accepted one can fail later."""
OPEN = frozenset({DeliveryState.PENDING, DeliveryState.CLAIMED, DeliveryState.SENDING})


@dataclass(frozen=True)
class Check:
    """One thing that must hold, what was found, and up to five examples (delivery ids) where it did not."""

    name: str
    found: str
    wrong: tuple[int | str, ...] = ()

    @property
    def holds(self) -> bool:
        return not self.wrong


@dataclass
class Ledger:
    """What a stand-in took: delivery id → how often; and the addresses as it saw them."""

    taken: Counter[int] = field(default_factory=Counter)
    addresses: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    nameless: int = 0
    """Messages that named no delivery (there must be none)."""

    @classmethod
    def read(cls, path: Path, address: str) -> Ledger:
        """`address` is the entry's field that holds the recipient."""
        ledger = cls()
        for entry in _entries(path):
            if entry.get("delivery") is None:
                ledger.nameless += 1
                continue
            number = int(str(entry["delivery"]))
            ledger.taken[number] += 1
            ledger.addresses[number].add(str(entry[address]))
        return ledger


def _entries(path: Path) -> Iterator[dict[str, object]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


@dataclass(frozen=True)
class Row:
    """A delivery as the outbox has it."""

    id: int
    campaign_id: int
    address: str | None
    state: DeliveryState
    attempt: int

    @property
    def may_have_arrived(self) -> bool:
        """A retry that was still due when the campaign was cancelled had been at the provider before."""
        retried = self.state is DeliveryState.CANCELLED and self.attempt > 0
        return retried or self.state in HANDED_OVER | MAYBE


def first_tries_left(session: Session, purposes: Iterable[str]) -> int:
    """Deliveries of these campaigns that no provider has been asked about yet, or is being asked about now."""
    untried = Delivery.state.in_((DeliveryState.CLAIMED, DeliveryState.SENDING)) | (
        (Delivery.state == DeliveryState.PENDING) & (Delivery.attempt == 0)
    )
    query = select(func.count()).select_from(Delivery).join(Campaign, Campaign.id == Delivery.campaign_id)
    left = session.scalar(query.where(Campaign.purpose.in_(list(purposes)), untried)) or 0
    unexpanded = select(func.count()).where(Campaign.purpose.in_(list(purposes)), Campaign.expanded_at.is_(None))
    return left + (session.scalar(unexpanded) or 0)


def audit(
    session: Session, ledgers: dict[str, Ledger], people: Iterable[Person], stopped: str, key: AddressKey
) -> list[Check]:
    """All checks. `stopped` is the number that answered STOP in the middle of the story."""
    everybody = list(people)
    checks: list[Check] = []
    for channel, ledger in ledgers.items():
        rows = _rows(session, channel)
        resent = _resent(session, channel)
        checks += [
            _nobody_left_open(channel, rows),
            _all_handed_over_arrived(channel, rows, ledger),
            _all_arrived_are_known(channel, rows, ledger),
            _nobody_told_twice(channel, ledger, resent),
            _right_addresses(channel, rows, ledger),
        ]
    checks += [
        _everybody_has_one_row(session, everybody, key),
        _refused_were_spared(ledgers["sms"], everybody),
        _stopped_was_heard(session, stopped),
        _end_told_to_the_told(session),
        _counters_are_true(session),
    ]
    return checks


def _rows(session: Session, channel: str) -> dict[int, Row]:
    columns = (Delivery.id, Delivery.campaign_id, Delivery.address, Delivery.state, Delivery.attempt)
    found = session.execute(select(*columns).where(Delivery.channel == channel))
    return {row.id: Row(row.id, row.campaign_id, row.address, DeliveryState(row.state), row.attempt) for row in found}


def _resent(session: Session, channel: str) -> Counter[int]:
    query = select(Attempt.delivery_id, func.count()).join(Delivery, Delivery.id == Attempt.delivery_id)
    query = query.where(Delivery.channel == channel, Attempt.outcome == "resent").group_by(Attempt.delivery_id)
    return Counter({row[0]: row[1] for row in session.execute(query)})


def _nobody_left_open(channel: str, rows: dict[int, Row]) -> Check:
    wrong = [row.id for row in rows.values() if row.state in OPEN]
    return Check(f"{channel}: nobody is left waiting", f"{len(rows)} deliveries, {len(wrong)} open", tuple(wrong[:5]))


def _all_handed_over_arrived(channel: str, rows: dict[int, Row], ledger: Ledger) -> Check:
    ours = [row.id for row in rows.values() if row.state in HANDED_OVER]
    wrong = [number for number in ours if number not in ledger.taken]
    found = f"{len(ours)} told by our record, {len(ours) - len(wrong)} in the provider's ledger"
    return Check(f"{channel}: whoever we say was told is in the provider's ledger", found, tuple(wrong[:5]))


def _all_arrived_are_known(channel: str, rows: dict[int, Row], ledger: Ledger) -> Check:
    wrong = [number for number in ledger.taken if number not in rows or not rows[number].may_have_arrived]
    unknown = sum(rows[number].state is DeliveryState.UNKNOWN for number in ledger.taken if number in rows)
    found = f"{len(ledger.taken)} in the ledger, {unknown} of them unknown to us and counted so"
    wrong += [-1] if ledger.nameless else []
    return Check(f"{channel}: whoever is in the provider's ledger is in our record", found, tuple(wrong[:5]))


def _nobody_told_twice(channel: str, ledger: Ledger, resent: Counter[int]) -> Check:
    wrong = [number for number, times in ledger.taken.items() if times > 1 + resent[number]]
    twice = sum(times - 1 for times in ledger.taken.values())
    found = f"{twice} told twice, {sum(resent.values())} resends declared and counted"
    return Check(f"{channel}: nobody was told twice but by a counted resend", found, tuple(wrong[:5]))


def _right_addresses(channel: str, rows: dict[int, Row], ledger: Ledger) -> Check:
    wrong = [
        number for number, seen in ledger.addresses.items() if number in rows and seen != {rows[number].address or ""}
    ]
    return Check(f"{channel}: each went to its own address", f"{len(ledger.addresses)} compared", tuple(wrong[:5]))


def _everybody_has_one_row(session: Session, people: list[Person], key: AddressKey) -> Check:
    """Each number of the file stands exactly once in the SMS notices, sent or left out with a reason.

    Compared by the keyed hash: whoever is left out stands there without an address.
    """
    expected = {key.hash(person.told_at) for person in people if person.told_at}
    query = select(Delivery.address_hash, func.count()).join(Campaign, Campaign.id == Delivery.campaign_id)
    query = query.where(Campaign.kind == CampaignKind.INCIDENT_NOTICE, Delivery.channel == "sms")
    query = query.where(Delivery.address_hash.not_like("none:%")).group_by(Delivery.address_hash)
    counted = {row[0]: row[1] for row in session.execute(query)}
    wrong = [address for address in expected if counted.get(address) != 1]
    wrong += [address for address in counted if address not in expected]
    found = f"{len(expected)} numbers in the file, {len(counted)} in the outbox, {len(wrong)} not exactly once"
    return Check("everybody of the file is accounted for exactly once", found, tuple(range(len(wrong[:5]))))


def _refused_were_spared(ledger: Ledger, people: list[Person]) -> Check:
    refused = {person.told_at for person in people if person.consent_sms == "0"}
    told = {address for seen in ledger.addresses.values() for address in seen}
    wrong = refused & told
    return Check("whoever refused SMS got none", f"{len(refused)} refused", tuple(range(len(wrong))))


def _stopped_was_heard(session: Session, stopped: str) -> Check:
    query = select(Delivery.id).join(Campaign, Campaign.id == Delivery.campaign_id)
    query = query.where(Delivery.address == stopped, Delivery.channel == "sms", Delivery.state.in_(HANDED_OVER))
    wrong = session.scalars(query.where(Campaign.kind == CampaignKind.END_NOTICE)).all()
    return Check("whoever answered STOP got no end notice", "1 answered STOP", tuple(wrong))


def _end_told_to_the_told(session: Session) -> Check:
    """End notices go to those whom the notice reached or may have reached, and to nobody else."""
    wrong: list[int] = []
    count = 0
    for end in session.scalars(select(Campaign).where(Campaign.kind == CampaignKind.END_NOTICE)):
        told = {*HANDED_OVER, *MAYBE}
        before = select(Delivery.channel, Delivery.address_hash).where(
            Delivery.campaign_id == end.told_by_id, Delivery.state.in_(told)
        )
        reached = {(channel, hashed) for channel, hashed in session.execute(before)}
        after = select(Delivery.id, Delivery.channel, Delivery.address_hash).where(Delivery.campaign_id == end.id)
        for number, channel, hashed in session.execute(after):
            count += 1
            if (channel, hashed) not in reached:
                wrong.append(number)
    return Check("the end was told to those who were told, and to nobody else", f"{count} rows", tuple(wrong[:5]))


def _counters_are_true(session: Session) -> Check:
    counted = {
        (row.campaign_id, row.channel, row.state): row.n
        for row in session.execute(
            select(
                CampaignCount.campaign_id,
                CampaignCount.channel,
                CampaignCount.state,
                func.sum(CampaignCount.n).label("n"),
            ).group_by(CampaignCount.campaign_id, CampaignCount.channel, CampaignCount.state)
        )
        if row.n
    }
    keys = (Delivery.campaign_id, Delivery.channel, Delivery.state)
    real = {(a, b, c): n for a, b, c, n in session.execute(select(*keys, func.count()).group_by(*keys))}
    wrong = [f"{key}" for key in {*counted, *real} if counted.get(key) != real.get(key)]
    return Check("the counters on the screen are the rows", f"{len(real)} counters", tuple(wrong[:5]))
