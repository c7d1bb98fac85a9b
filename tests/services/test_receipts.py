"""Receipts: late, doubled, unmatched and in any order, they end in the same state."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import select, text, update

from notifiers.base import Channel, Failure, Inbound, Keyword, Receipt
from statuspage.db import Sessions, transaction
from statuspage.domain.delivery import RANK, DeliveryState
from statuspage.models import CampaignCount, Delivery, Suppression
from statuspage.models import Receipt as Stored
from statuspage.services import receipts
from tests.databases import NOW
from tests.outbox import KEY, Person, World, settings
from tests.test_metrics import scraped


@pytest.fixture
def world(sessions: Sessions, tmp_path: Path) -> World:
    """Two accepted SMS, known to the provider as SM1 and SM2."""
    made = World(sessions)
    made.people(Person(1), Person(2))
    public_id = made.start(made.incident(), settings(tmp_path), channels=(Channel.SMS,))
    made.expand(public_id, settings(tmp_path))
    _reset(made)
    return made


def _reset(world: World) -> None:
    with transaction(world.sessions) as session:
        session.execute(text("DELETE FROM receipt"))
        session.execute(text("DELETE FROM attempt"))
        session.execute(text("DELETE FROM suppression"))
        session.execute(text("DELETE FROM campaign_count"))
        session.add(CampaignCount(campaign_id=1, channel="sms", state="accepted", reason="", n=2))
        for one in session.scalars(select(Delivery)).all():
            one.state, one.reason, one.attempt, one.final_at = "accepted", None, 1, None
            one.provider, one.provider_id, one.not_before = "fake", f"SM{one.id}", NOW


def _news(state: str, delivery: int | None = 1, attempt: int | None = 1, **given: object) -> Receipt:
    known = {"provider": "fake", "provider_id": f"SM{delivery}", "delivery_id": delivery, "attempt": attempt}
    return Receipt(**{**known, "status": state, "state": state, "at": NOW, **given})  # type: ignore[arg-type]


def _apply(world: World, *news: Receipt) -> int:
    with transaction(world.sessions) as session:
        receipts.store_receipts(session, news, NOW)
    with transaction(world.sessions) as session:
        return receipts.apply_receipts(session, now=NOW)[0]


_STATES = ("accepted", "sent", "delivered", "undelivered", "failed", "expired")


@given(order=st.permutations(_STATES), cuts=st.sets(st.integers(1, 5)))
@hypothesis_settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_ends_in_one_state(world: World, order: list[str], cuts: set[int]) -> None:
    """The same receipts in any order and in any batches end in the highest rank, and the counters agree."""
    _reset(world)
    batch: list[Receipt] = []
    for place, state in enumerate(order, 1):
        batch.append(_news(state))
        if place in cuts or place == len(order):
            _apply(world, *batch)
            batch = []
    found = world.deliveries()[0]
    assert found.state == max(_STATES, key=lambda state: RANK[DeliveryState(state)])
    with transaction(world.sessions, read_only=True) as session:
        counted = {row.state: row.n for row in session.execute(text("SELECT state, n FROM campaign_count")) if row.n}
    assert counted == {"delivered": 1, "accepted": 1}


def test_the_same_callback_twice_is_one(world: World) -> None:
    """A doubled callback is stored once and applied once."""
    assert _apply(world, _news("delivered"), _news("delivered")) == 1
    assert _apply(world, _news("delivered")) == 0
    assert world.deliveries()[0].state == "delivered"


def test_a_receipt_may_know_only_the_providers_id(world: World) -> None:
    """Without our delivery's id it is matched by provider and id; another provider's same id is another message."""
    foreign = _news("failed", None, provider="other", provider_id="SM1", attempt=None)
    own = _news("delivered", None, provider_id="SM1", attempt=None)
    _apply(world, foreign, own)
    assert [one.state for one in world.deliveries()] == ["delivered", "accepted"]


def test_an_unmatched_receipt_waits_three_days(world: World) -> None:
    """It is tried again until 72 hours have passed and then laid aside, counted as unmatched."""
    early = _news("delivered", None, provider_id="SM-later", attempt=None)
    _apply(world, early)
    with transaction(world.sessions) as session:
        session.execute(update(Delivery).where(Delivery.id == 2).values(provider_id="SM-later"))
    assert _apply(world) == 1
    assert world.deliveries()[1].state == "delivered"
    _apply(world, _news("delivered", None, provider_id="never", attempt=None))
    with transaction(world.sessions) as session:
        receipts.apply_receipts(session, now=NOW + timedelta(hours=73))
        assert session.scalars(select(Stored.effect).where(Stored.provider_id == "never")).one() == "unmatched"


def test_a_callback_resolves_an_unknown_one(world: World) -> None:
    """A callback that carries our delivery and attempt makes the state known and adopts the provider's id."""
    with transaction(world.sessions) as session:
        session.execute(update(Delivery).values(state="unknown", provider=None, provider_id=None))
    _apply(world, _news("sent", 1, provider_id="SM-new"))
    found = world.deliveries()[0]
    assert (found.state, found.provider, found.provider_id) == ("sent", "fake", "SM-new")


def test_a_receipt_about_another_message_is_not_believed(world: World) -> None:
    """Rightly signed and with our delivery's name, but about a message that the provider did not make of it: nothing
    changes, also for the receipts that follow, and it is counted for three days."""
    _apply(world, _news("failed", 1, provider_id="SM-foreign", reason=Failure.INVALID_ADDRESS, permanent=True))
    assert [one.state for one in world.deliveries()] == ["accepted", "accepted"]
    assert world.deliveries()[0].provider_id == "SM1"
    assert _figure(world, "receipts_foreign") == 1
    assert _figure(world, "receipts_waiting") == 0
    assert _apply(world, _news("delivered", 1)) == 1
    assert world.deliveries()[0].state == "delivered"
    with transaction(world.sessions) as session:
        receipts.apply_receipts(session, now=NOW + timedelta(hours=73))
        assert session.scalars(select(Stored.effect).where(Stored.provider_id == "SM-foreign")).one() == "foreign"
        assert session.scalars(select(Suppression)).all() == []
    assert _figure(world, "receipts_foreign") == 0


def test_the_first_of_one_batch_names_the_message(world: World) -> None:
    """Where nobody has told the provider's id yet, what comes first is believed, and what contradicts it is not."""
    with transaction(world.sessions) as session:
        session.execute(update(Delivery).values(state="sending", provider=None, provider_id=None))
    _apply(world, _news("sent", 1, provider_id="SM-new"), _news("failed", 1, provider_id="SM-foreign"))
    assert (world.deliveries()[0].state, world.deliveries()[0].provider_id) == ("sent", "SM-new")


def test_our_own_answer_decides_which_message_it_is(world: World) -> None:
    """A foreign receipt that was faster than the provider's answer does not make the true ones foreign."""
    with transaction(world.sessions) as session:
        session.execute(update(Delivery).values(state="sending", provider=None, provider_id=None))
    _apply(world, _news("sent", 1, provider_id="SM-foreign"))
    _apply(world, _news("accepted", 1, status=f"{receipts.OUR_ANSWER}accepted"), _news("delivered", 1))
    assert (world.deliveries()[0].state, world.deliveries()[0].provider_id) == ("delivered", "SM1")


def test_the_next_attempt_is_another_message(world: World) -> None:
    """Its receipts come under another id than those of the attempt that the network gave up."""
    _apply(world, _news("undelivered", 1, reason=Failure.UNREACHABLE, error_code="30003"))
    with transaction(world.sessions) as session:
        session.execute(update(Delivery).where(Delivery.id == 1).values(state="sending", attempt=2))
    _apply(world, _news("sent", 1, attempt=2, provider_id="SM-second"))
    _apply(world, _news("delivered", 1, attempt=2, provider_id="SM-second"))
    assert (world.deliveries()[0].state, world.deliveries()[0].provider_id) == ("delivered", "SM-second")


def _figure(world: World, name: str) -> float:
    return scraped(world.sessions)[(f"statuspage_{name}",)]


def test_of_a_former_attempt_only_delivery_counts(world: World) -> None:
    """A failure reported for an attempt that was given up changes nothing; that it was delivered after all does."""
    with transaction(world.sessions) as session:
        session.execute(update(Delivery).values(attempt=2))
    _apply(world, _news("failed", 1, attempt=1))
    assert world.deliveries()[0].state == "accepted"
    _apply(world, _news("delivered", 1, attempt=1))
    assert world.deliveries()[0].state == "delivered"


def test_an_unreachable_handset_is_tried_again(world: World) -> None:
    """The network's temporary failure puts the SMS back to wait as the retry table says, and the attempt is kept."""
    _apply(world, _news("undelivered", 1, reason=Failure.UNREACHABLE, error_code="30003"))
    found = world.deliveries()[0]
    assert found.state == "pending"
    assert found.not_before >= NOW + timedelta(hours=1)
    with transaction(world.sessions, read_only=True) as session:
        assert session.execute(text("SELECT outcome, reason FROM attempt")).all() == [("failed", "unreachable")]


def test_a_dead_number_is_suppressed(world: World) -> None:
    """What the network calls invalid is not used again, by anybody."""
    _apply(world, _news("failed", 1, reason=Failure.INVALID_ADDRESS, permanent=True))
    with transaction(world.sessions, read_only=True) as session:
        row = session.scalars(select(Suppression)).one()
    assert (row.address_hash, row.reason, row.source) == (world.deliveries()[0].address_hash, "invalid", "fake")


def test_stop_and_start(world: World) -> None:
    """STOP opts the sender's number out, once however often it comes; START lifts exactly that."""

    def said(keyword: Keyword, message: str) -> int:
        word = Inbound("fake", message, Channel.SMS, Person(1).msisdn, "+79990000000", keyword, NOW, "…")
        with transaction(world.sessions) as session:
            return receipts.store_inbound(session, [word], KEY, NOW)

    assert said(Keyword.STOP, "IN1") == 1
    assert said(Keyword.STOP, "IN1") == 0
    with transaction(world.sessions, read_only=True) as session:
        assert session.scalars(select(Suppression.reason)).all() == ["opt_out"]
    assert said(Keyword.HELP, "IN2") == 1
    assert said(Keyword.START, "IN3") == 1
    with transaction(world.sessions, read_only=True) as session:
        assert session.scalars(select(Suppression.reason)).all() == []
