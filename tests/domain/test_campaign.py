from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statuspage.domain.campaign import (
    EDITABLE,
    LEGAL_FROM,
    OVER,
    CampaignContent,
    CampaignKind,
    CampaignState,
    approval_needed,
    check_approved_content,
    check_approver,
    check_break_glass,
    check_move,
    content_hash,
    overtaken,
    priority,
)
from statuspage.domain.delivery import Reason
from statuspage.domain.errors import NotAllowed, RuleError
from statuspage.domain.incident import IncidentState, Publication

S = CampaignState
K = CampaignKind
CONTENT = CampaignContent(
    kind=K.INCIDENT_NOTICE,
    audience="segment = prepaid",
    channels=("sms", "email"),
    texts={"sms.ru": "Оплата не работает", "sms.en": "Top-up is down"},
    cost_ceiling=Decimal("120.50"),
    currency="EUR",
    validity_seconds=3600,
    resend_unknown=("email",),
)


@pytest.mark.parametrize(
    ("old", "new", "legal"),
    [
        (S.DRAFT, S.AWAITING_APPROVAL, True),
        (S.DRAFT, S.APPROVED, True),
        (S.DRAFT, S.RUNNING, False),
        (S.AWAITING_APPROVAL, S.RUNNING, False),
        (S.APPROVED, S.RUNNING, True),
        (S.APPROVED, S.DRAFT, True),
        (S.SCHEDULED, S.RUNNING, True),
        (S.RUNNING, S.PAUSED, True),
        (S.RUNNING, S.DRAFT, False),
        (S.PAUSED, S.RUNNING, True),
        (S.PAUSED, S.CANCELLED, True),
        (S.FINISHED, S.RUNNING, False),
        (S.FINISHED, S.CANCELLED, False),
        (S.CANCELLED, S.RUNNING, False),
        (S.RUNNING, S.RUNNING, False),
    ],
)
def test_moves(old: CampaignState, new: CampaignState, legal: bool) -> None:
    """A campaign moves only by its table; a second start of a running one is refused."""
    if legal:
        check_move(old, new)
    else:
        with pytest.raises(RuleError) as refused:
            check_move(old, new)
        assert refused.value.code == "campaign.illegal_move"


def test_nothing_leaves_the_end_and_only_the_approved_runs() -> None:
    """Finished and cancelled are final; nothing runs that was not approved."""
    for targets in LEGAL_FROM.values():
        assert not targets & OVER
    assert LEGAL_FROM[S.RUNNING] == {S.APPROVED, S.SCHEDULED, S.PAUSED}
    assert not EDITABLE & {S.RUNNING, S.PAUSED, *OVER}


def test_confirmations_go_first_then_end_notices() -> None:
    """Codes and confirmations before end notices before incident notices."""
    assert sorted(CampaignKind, key=priority) == [K.CONFIRMATION, K.END_NOTICE, K.INCIDENT_NOTICE]
    assert [priority(kind) for kind in (K.CONFIRMATION, K.END_NOTICE, K.INCIDENT_NOTICE)] == [0, 10, 20]


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.booleans())
def test_above_the_threshold_always_below_it_by_setting(recipients: int, threshold: int, always: bool) -> None:
    """No setting lets more recipients than the threshold go without a second person."""
    needed = approval_needed(recipients, threshold, always)
    assert needed if recipients > threshold or always else not needed


@given(st.lists(st.integers(1, 600), max_size=20), st.integers(0, 1000))
def test_many_small_campaigns_are_no_way_round_the_threshold(sizes: list[int], threshold: int) -> None:
    """However an audience is cut into campaigns, what goes without a second person stays within the threshold; so does
    what one person releases alone within the cap."""
    released = alone = 0
    for recipients in sizes:
        if not approval_needed(recipients, threshold, False, released):
            released += recipients
        try:
            check_break_glass(recipients, threshold, "Nobody answers", alone)
        except NotAllowed:
            continue
        alone += recipients
    assert released <= threshold
    assert alone <= threshold


def test_nobody_approves_his_own_work() -> None:
    """Whoever wrote, edited or asked cannot approve."""
    check_approver({1, 2}, 3)
    with pytest.raises(NotAllowed):
        check_approver({1, 2}, 2)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": K.END_NOTICE},
        {"audience": "segment = postpaid"},
        {"channels": ("sms",)},
        {"texts": {"sms.ru": "Оплата не работает.", "sms.en": "Top-up is down"}},
        {"texts": {"sms.ru": "Оплата не работает"}},
        {"cost_ceiling": Decimal("120.51")},
        {"cost_ceiling": None},
        {"currency": "RUB"},
        {"validity_seconds": 3601},
        {"resend_unknown": ()},
        {"scheduled_at": datetime(2025, 11, 22, tzinfo=UTC)},
        {"others": {"incident": "abc"}},
    ],
)
def test_any_edit_voids_the_approval(change: dict[str, Any]) -> None:
    """The hash changes with every part that the approver saw."""
    edited = content_hash(replace(CONTENT, **change))
    assert edited != content_hash(CONTENT)
    with pytest.raises(RuleError) as void:
        check_approved_content(content_hash(CONTENT), edited)
    assert void.value.code == "campaign.approval_void"


def test_the_hash_is_of_the_content_not_of_its_writing() -> None:
    """The order of channels and texts and the zeros of a sum do not matter; no approval at all is void too."""
    same = replace(
        CONTENT,
        channels=("email", "sms"),
        texts=dict(reversed(list(CONTENT.texts.items()))),
        cost_ceiling=Decimal("120.5000"),
    )
    check_approved_content(content_hash(CONTENT), content_hash(same))
    with pytest.raises(RuleError):
        check_approved_content(None, content_hash(CONTENT))


texts = st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=4)


@given(texts, texts)
def test_two_contents_share_a_hash_only_if_they_are_equal(one: dict[str, str], other: dict[str, str]) -> None:
    """No arrangement of keys and texts passes for another one."""
    equal = content_hash(replace(CONTENT, texts=one)) == content_hash(replace(CONTENT, texts=other))
    assert equal == (one == other)


def test_break_glass_has_a_cap_and_a_reason() -> None:
    """One person alone reaches at most the cap, and says why in words."""
    check_break_glass(1000, 1000, "the approver is on a plane")
    with pytest.raises(NotAllowed):
        check_break_glass(1001, 1000, "the approver is on a plane")
    with pytest.raises(NotAllowed):
        check_break_glass(839, 1000, "the approver is on a plane", 872)
    with pytest.raises(RuleError):
        check_break_glass(10, 1000, "  urgent  ")


@given(st.sampled_from(CampaignKind), st.none() | st.sampled_from(IncidentState), st.sampled_from(Publication))
def test_nobody_is_told_what_is_no_longer_true(
    kind: CampaignKind, state: IncidentState | None, publication: Publication
) -> None:
    """No outage notice after restoring, no end notice while it is down, nothing of what was withdrawn; codes always."""
    reason = overtaken(kind, state, publication)
    restored = state in (IncidentState.RESTORED_CATCHING_UP, IncidentState.RESOLVED, IncidentState.POSTMORTEM)
    if kind is K.CONFIRMATION or state is None:
        assert reason is None
    elif publication in (Publication.WITHDRAWN, Publication.DUPLICATE):
        assert reason is Reason.INCIDENT_WITHDRAWN
    elif kind is K.INCIDENT_NOTICE:
        assert reason == (Reason.INCIDENT_OVER if restored else None)
    else:
        assert reason == (None if restored else Reason.SUPERSEDED)
