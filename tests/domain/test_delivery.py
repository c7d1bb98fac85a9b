from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.base import Channel, Failure
from statuspage.domain.delivery import (
    FINAL,
    FROM_RECEIPT,
    HELD,
    IN_FLIGHT,
    RANK,
    RETRY,
    TOLD,
    UNSENT,
    DeliveryState,
    apply_receipt,
    next_attempt,
)

S = DeliveryState
NOW = datetime(2025, 11, 22, 8, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=30)


def apply_all(current: DeliveryState, receipts: list[DeliveryState]) -> DeliveryState:
    for incoming in receipts:
        current = apply_receipt(current, incoming) or current
    return current


@given(st.sampled_from(DeliveryState), st.lists(st.sampled_from(DeliveryState), max_size=8), st.randoms())
def test_any_order_of_receipts_ends_in_the_same_state(
    current: DeliveryState, receipts: list[DeliveryState], random: object
) -> None:
    """Late, doubled and shuffled receipts give one result, also together with the settling of the sender itself."""
    shuffled = list(receipts) + receipts[:2]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert apply_all(current, shuffled) is apply_all(current, receipts)


@given(st.sampled_from(DeliveryState), st.lists(st.sampled_from(DeliveryState), max_size=8))
def test_a_state_never_falls(current: DeliveryState, receipts: list[DeliveryState]) -> None:
    """Each applied receipt raises the rank, and no receipt takes a delivery back into our own hands."""
    for incoming in receipts:
        applied = apply_receipt(current, incoming)
        if applied is not None:
            assert RANK[applied] > RANK[current]
            assert applied in FROM_RECEIPT
            current = applied


def test_every_order_of_a_whole_life() -> None:
    """All 120 orders of accepted, sent, failed, undelivered and delivered end in delivered."""
    life = [S.ACCEPTED, S.SENT, S.FAILED, S.UNDELIVERED, S.DELIVERED]
    assert {apply_all(S.SENDING, list(order)) for order in permutations(life)} == {S.DELIVERED}


@pytest.mark.parametrize(
    ("current", "incoming", "expected"),
    [
        (S.UNDELIVERED, S.DELIVERED, S.DELIVERED),
        (S.DELIVERED, S.UNDELIVERED, None),
        (S.UNKNOWN, S.ACCEPTED, S.ACCEPTED),
        (S.SENDING, S.DELIVERED, S.DELIVERED),
        (S.DELIVERED, S.SENT, None),
        (S.CANCELLED, S.DELIVERED, S.DELIVERED),
        (S.SENT, S.CANCELLED, S.FAILED),
        (S.SENT, S.PENDING, None),
        (S.SENT, S.SENT, None),
    ],
)
def test_single_receipts(current: DeliveryState, incoming: DeliveryState, expected: DeliveryState | None) -> None:
    """Undelivered may become delivered and unknown is cleared up; a provider's "cancelled" is a failure to us."""
    assert apply_receipt(current, incoming) is expected


def test_of_a_given_up_attempt_only_delivered_counts() -> None:
    """A late "failed" of the first attempt does not fail the second one, a late "delivered" saves it."""
    assert apply_receipt(S.PENDING, S.FAILED, earlier_attempt=True) is None
    assert apply_receipt(S.PENDING, S.SENT, earlier_attempt=True) is None
    assert apply_receipt(S.PENDING, S.DELIVERED, earlier_attempt=True) is S.DELIVERED


def test_the_sets_of_states_fit_together() -> None:
    """Every state has its own rank and is in exactly one of: ours, in flight, final, unknown."""
    assert len(set(RANK.values())) == len(RANK) == len(DeliveryState)
    for state in DeliveryState:
        assert sum((state in UNSENT, state in IN_FLIGHT, state in FINAL, state is S.UNKNOWN)) == 1
    assert not TOLD & UNSENT


channels = st.sampled_from(Channel)
failures = st.sampled_from(Failure)


@given(channels, failures, st.integers(1, 30), st.integers(0, 10**9), st.none() | st.floats(0, 90000))
def test_a_retry_is_later_and_before_the_message_is_stale(
    channel: Channel, failure: Failure, attempt: int, key: int, retry_after: float | None
) -> None:
    """A retry never comes before the provider's wish or after the expiry, and its spread is at most a fifth."""
    expires = NOW + timedelta(hours=6)
    at = next_attempt(channel, failure, attempt, NOW, expires, retry_after=retry_after, key=key)
    if at is None:
        return
    assert NOW <= at < expires
    if failure is not Failure.NOT_STARTED:
        delay = max(RETRY[channel, failure][attempt - 1], timedelta(seconds=retry_after or 0))
        assert delay <= at - NOW <= delay * 1.2 + timedelta(microseconds=2)


@given(channels, failures, st.integers(0, 10**6))
def test_retries_come_to_an_end(channel: Channel, failure: Failure, key: int) -> None:
    """Ten attempts are the most for any failure that was an attempt at all."""
    if failure is not Failure.NOT_STARTED:
        assert next_attempt(channel, failure, 10, NOW, LATER, key=key) is None


def test_permanent_is_final_unless_it_says_nothing_about_the_person() -> None:
    """A dead number is not tried again; whoever met a wrong sender or account waits for the campaign to resume."""
    assert next_attempt(Channel.SMS, Failure.INVALID_ADDRESS, 1, NOW, LATER, permanent=True) is None
    assert next_attempt(Channel.SMS, Failure.UNREACHABLE, 1, NOW, LATER, permanent=True) is None
    for failure in HELD:
        assert next_attempt(Channel.SMS, failure, 1, NOW, LATER, permanent=True) is not None


def test_what_may_have_been_sent_has_no_entry() -> None:
    """No answer is unknown, never a plain retry; nor are refusals of a person or a text worth another try."""
    kinds = {failure for _, failure in RETRY}
    refused = {
        Failure.NO_ANSWER, Failure.OPTED_OUT, Failure.COMPLAINT, Failure.INVALID_ADDRESS, Failure.BLOCKED,
        Failure.FILTERED, Failure.REPUTATION, Failure.EXPIRED, Failure.NOT_ROUTABLE,
    }  # fmt: skip
    assert not kinds & refused


def test_retries_of_many_do_not_come_back_at_once() -> None:
    """Ten thousand deliveries that failed in one second are spread over the fifth of the delay."""
    moments = [next_attempt(Channel.SMS, Failure.UNREACHABLE, 1, NOW, LATER, key=key) for key in range(10_000)]
    minutes = {moment.replace(second=0, microsecond=0) for moment in moments if moment is not None}
    assert len(minutes) == 12
