from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statuspage.domain.clocks import (
    PROFILES,
    Clock,
    ClockFacts,
    ClockProfile,
    PublicUpdate,
    Told,
    compliance,
    due,
    next_update,
    next_update_due,
)
from statuspage.domain.local_time import within

MOSCOW = ZoneInfo("Europe/Moscow")
DECLARED = datetime(2025, 11, 22, 7, 30, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
FACTS = ClockFacts(DECLARED, MOSCOW)
DEFAULT = PROFILES["default_billing"]


def told(*minutes: int, promised: int | None = None, ended: bool = False) -> tuple[PublicUpdate, ...]:
    """Updates so many minutes after the declaration; the last one with a promise, or as the end."""
    last = len(minutes) - 1
    return tuple(
        PublicUpdate(
            DECLARED + minute * MINUTE,
            DECLARED + promised * MINUTE if promised is not None and number == last else None,
            not (ended and number == last),
        )
        for number, minute in enumerate(minutes)
    )


def clock(key: str, facts: ClockFacts, now: datetime, profile: ClockProfile = DEFAULT) -> Clock | None:
    return next((clock for clock in due(profile, facts, now) if clock.key == key), None)


def test_the_profiles_of_the_table_are_there() -> None:
    """Every profile that the settings may name exists under its own key."""
    assert list(PROFILES) == ["default_billing", "mic_jp", "acma_au", "trai_in", "crtc_ca", "fcc_us", "nis2_eu"]
    assert all(profile.key == key for key, profile in PROFILES.items())


def test_the_first_notice_is_due_in_fifteen_minutes() -> None:
    """Not overdue on the minute, overdue after it, late when it came after it."""
    at_limit = clock("first_notice", FACTS, DECLARED + 15 * MINUTE)
    assert at_limit == Clock("first_notice", DECLARED + 15 * MINUTE, None, overdue=False)
    after = clock("first_notice", FACTS, DECLARED + 16 * MINUTE)
    assert after is not None
    assert after.overdue
    done = clock("first_notice", replace(FACTS, updates=told(20)), DECLARED + 16 * HOUR)
    assert done is not None
    assert (done.overdue, done.late) == (False, True)


def test_an_sms_is_due_only_when_it_will_last() -> None:
    """Unknown or more than two hours away: in an hour. Sooner, or restored before anybody was told: not at all."""
    far, near = DECLARED + 3 * HOUR, DECLARED + 2 * HOUR
    for facts in (FACTS, replace(FACTS, expected_end=far)):
        found = clock("first_sms", facts, DECLARED)
        assert found is not None
        assert found.due_at == DECLARED + HOUR
    assert clock("first_sms", replace(FACTS, expected_end=near), DECLARED) is None
    assert clock("first_sms", replace(FACTS, restored_at=DECLARED + 30 * MINUTE), DECLARED) is None


def test_quiet_hours_stop_the_clock_of_sms_but_not_of_the_page() -> None:
    """Declared at 23:00 in Moscow: the page is due at 23:15, the SMS at 08:00."""
    night = datetime(2025, 11, 22, 20, 0, tzinfo=UTC)
    facts = replace(FACTS, declared_at=night, restored_at=None)
    page, sms = clock("first_notice", facts, night), clock("first_sms", facts, night)
    assert page is not None
    assert sms is not None
    assert page.due_at == night + 15 * MINUTE
    assert sms.due_at == datetime(2025, 11, 23, 5, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("profile", "updates", "expected"),
    [
        ("default_billing", told(10), 70),
        ("default_billing", told(10, promised=40), 40),
        ("default_billing", told(10, promised=300), 70),
        ("default_billing", told(10, 50, ended=True), None),
        ("default_billing", (), None),
        ("acma_au", told(30), 30 + 6 * 60),
        ("acma_au", told(0, 23 * 60), 29 * 60),
        ("acma_au", told(0, 24 * 60), 48 * 60),
        ("trai_in", told(10), None),
        ("trai_in", told(10, promised=90), 90),
    ],
)
def test_when_the_next_update_is_due(profile: str, updates: tuple[PublicUpdate, ...], expected: int | None) -> None:
    """By the cadence or by the promise, whichever is earlier; never before the first notice or after the end."""
    moment = next_update_due(PROFILES[profile], replace(FACTS, updates=updates))
    assert moment == (None if expected is None else DECLARED + expected * MINUTE)


@pytest.mark.parametrize(
    ("profile", "promised", "asked", "too_late"),
    [
        ("default_billing", 300, 70, True),
        ("default_billing", 40, 70, False),
        ("default_billing", 70, 70, False),
        ("default_billing", None, 70, False),
        ("trai_in", 300, None, False),
    ],
)
def test_a_promise_later_than_the_cadence_is_named(
    profile: str, promised: int | None, asked: int | None, too_late: bool
) -> None:
    """Both times are known, so that whoever promises more than the profile grants can be told."""
    found = next_update(PROFILES[profile], told(10, promised=promised), MOSCOW)
    assert found is not None
    assert found.asked_at == (None if asked is None else DECLARED + asked * MINUTE)
    assert found.promised_at == (None if promised is None else DECLARED + promised * MINUTE)
    assert found.promised_too_late is too_late


@given(st.integers(0, 60 * 24 * 10), st.sampled_from(["default_billing", "mic_jp"]))
def test_nobody_is_asked_for_an_update_at_night(minute: int, profile: str) -> None:
    """The cadence asks for none at night, and by day within the hour or at the end of the night."""
    chosen = PROFILES[profile]
    assert chosen.night is not None
    last = DECLARED + minute * MINUTE
    moment = next_update_due(chosen, replace(FACTS, updates=(PublicUpdate(last, None, True),)))
    assert moment is not None
    assert not within(moment, MOSCOW, *chosen.night)
    assert moment == last + HOUR or within(last + HOUR, MOSCOW, *chosen.night)


def test_end_notice_and_reports() -> None:
    """They have no time until what they count from has happened; the most urgent open clock comes first."""
    assert clock("end_notice", FACTS, DECLARED) is None
    assert clock("report:public", FACTS, DECLARED) is None
    facts = replace(
        FACTS,
        updates=told(10, 60, ended=True),
        first_sms_at=DECLARED + 50 * MINUTE,
        told=(Told("subscribers", "sms", None),),
        restored_at=DECLARED + HOUR,
        resolved_at=DECLARED + 2 * HOUR,
        reports_done={"internal": DECLARED + 3 * HOUR},
    )
    clocks = due(DEFAULT, facts, DECLARED + 3 * HOUR)
    assert [found.key for found in clocks] == [
        "end_notice",
        "report:public",
        "first_notice",
        "first_sms",
        "report:internal",
    ]
    assert clocks[0].overdue
    assert clocks[1].due_at == DECLARED + 2 * HOUR + timedelta(days=10)


def test_the_end_notice_is_kept_only_when_everybody_who_was_told_has_one() -> None:
    """One audience's end notice does not stop the clock for another; the last of them does, and says whether late."""
    restored, due_at = DECLARED + HOUR, DECLARED + 90 * MINUTE
    first, last = Told("a", "sms", restored + 5 * MINUTE), Told("b", "email", None)
    facts = replace(FACTS, restored_at=restored, told=(first, Told("a", "email", restored + 6 * MINUTE), last))
    half = clock("end_notice", facts, due_at + MINUTE)
    assert half == Clock("end_notice", due_at, None, overdue=True, missing=("b",))
    done = clock("end_notice", replace(facts, told=(first, replace(last, end_at=due_at + MINUTE))), due_at + HOUR)
    assert done is not None
    assert (done.done_at, done.late, done.missing) == (due_at + MINUTE, True, ())


def test_nobody_told_directly_is_owed_no_end_notice() -> None:
    """Where no message went to anybody, the page alone says that it is over."""
    assert clock("end_notice", replace(FACTS, restored_at=DECLARED + HOUR), DECLARED + 9 * HOUR) is None


def test_compliance_of_one_afternoon() -> None:
    """Three updates were due, two on time, one 20 minutes late; the one still running does not count."""
    facts = replace(FACTS, updates=told(10, 60, 140, 190))
    found = compliance(DEFAULT, facts, DECLARED + 200 * MINUTE)
    assert (found.due, found.on_time) == (3, 2)
    assert found.longest_gap == 80 * MINUTE
    assert found.overdue == 20 * MINUTE
    silent = compliance(DEFAULT, facts, DECLARED + 300 * MINUTE)
    assert (silent.due, silent.on_time) == (4, 2)
    assert silent.longest_gap == 110 * MINUTE
    assert silent.overdue == 70 * MINUTE


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=12, unique=True), st.booleans(), st.integers(0, 600))
def test_compliance_adds_up(minutes: list[int], ended: bool, since: int) -> None:
    """On time is part of due, nothing waits without a gap, and an ended incident gathers nothing more."""
    facts = replace(FACTS, updates=told(*sorted(minutes), ended=ended))
    now = facts.updates[-1].at + since * MINUTE
    found = compliance(DEFAULT, facts, now)
    assert 0 <= found.on_time <= found.due <= len(minutes)
    assert (found.overdue > timedelta()) == (found.on_time < found.due)
    if ended:
        assert found == compliance(DEFAULT, facts, now + 100 * HOUR)


def test_after_the_end_nothing_is_owed_until_a_reopening() -> None:
    """The silence between "resolved" and a reopening is no gap."""
    updates = (*told(0, 30, ended=True), PublicUpdate(DECLARED + 10 * HOUR, None, True))
    found = compliance(DEFAULT, replace(FACTS, updates=updates), DECLARED + 10 * HOUR + 5 * MINUTE)
    assert (found.due, found.on_time, found.longest_gap) == (1, 1, 30 * MINUTE)
