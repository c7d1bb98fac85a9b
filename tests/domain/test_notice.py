from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statuspage.domain.audience import AudienceFacts, matches, parse
from statuspage.domain.notice import Notice, told_of, within

PREPAID, POSTPAID, ALL = "segment = prepaid", "segment = postpaid", "all"


def notice(audience: str, told: int, reachable: int, channel: str = "sms") -> Notice:
    return Notice(channel, parse(audience), reachable, told)


@pytest.mark.parametrize(
    ("notices", "expected"),
    [
        ([], (0, 0)),
        ([notice(ALL, 95, 100), notice(ALL, 10, 100)], (95, 100)),
        ([notice(ALL, 50, 100), notice(ALL, 95, 100)], (95, 100)),
        ([notice(ALL, 95, 100), notice(PREPAID, 0, 60)], (95, 100)),
        ([notice(PREPAID, 60, 60), notice(ALL, 0, 100)], (60, 100)),
        ([notice(PREPAID, 60, 60), notice(POSTPAID, 0, 40)], (60, 100)),
        ([notice(ALL, 95, 100), notice(ALL, 10, 50, "email")], (105, 150)),
        ([notice(ALL, 7, 7), notice(ALL, 7, 7), notice(ALL, 7, 7)], (7, 7)),
    ],
)
def test_a_repetition_neither_adds_nor_takes_away(notices: list[Notice], expected: tuple[int, int]) -> None:
    """The same people, or some of them, written to again count once; others, and other channels, count on top."""
    assert told_of(notices, ()) == expected


@pytest.mark.parametrize(
    ("inner", "outer", "expected"),
    [
        (PREPAID, ALL, True),
        (ALL, PREPAID, False),
        ("segment = prepaid and region = msk", PREPAID, True),
        ("not segment = pos_m2m", "not segment in (pos_m2m, business)", False),
        ("component = top_up", PREPAID, False),
        ("component = balance", PREPAID, True),
        ("segment in (prepaid, postpaid)", "segment = postpaid or segment = prepaid", True),
    ],
)
def test_who_is_meant_by_whom(inner: str, outer: str, expected: bool) -> None:
    """An audience lies within another when nobody it means is missing there; a component means all or nobody."""
    assert within(parse(inner), parse(outer), {"top_up"}) is expected


_TEXTS = [ALL, PREPAID, "not segment = prepaid", "region = msk", "segment = prepaid or language = zh", "region != spb"]


@given(
    st.sampled_from(_TEXTS),
    st.sampled_from(_TEXTS),
    st.sampled_from([None, "prepaid", "vip"]),
    st.sampled_from([None, "msk", "spb", "omsk"]),
    st.sampled_from([None, "zh", "ru"]),
)
def test_within_holds_for_every_person(
    inner: str, outer: str, segment: str | None, region: str | None, language: str | None
) -> None:
    """Whoever is meant by the inner expression is meant by the outer, whatever his values."""
    facts = AudienceFacts(segment, region, language)
    if within(parse(inner), parse(outer), ()) and matches(parse(inner), facts):
        assert matches(parse(outer), facts)


@given(st.lists(st.builds(notice, st.sampled_from(_TEXTS), st.integers(0, 9), st.just(9)), max_size=5))
def test_never_more_told_than_reachable(notices: list[Notice]) -> None:
    """However often and to whomever, the share is between nothing and all."""
    told, reachable = told_of(notices, ())
    assert 0 <= told <= reachable
