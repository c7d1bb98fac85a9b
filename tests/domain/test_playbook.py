from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statuspage.domain.clocks import PROFILES
from statuspage.domain.errors import RuleError
from statuspage.domain.evidence import Evidence
from statuspage.domain.incident import CauseCategory
from statuspage.domain.measure import BY_KEY, MEASURES
from statuspage.domain.playbook import RESOLVE_GATE, Record, Row, RowState, check_resolve, due_at, open_gate, rows, tick
from statuspage.domain.roles import ROLES

DECLARED = datetime(2025, 11, 22, 7, 30, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
PROFILE = PROFILES["default_billing"]
NOTHING = Evidence(DECLARED, CauseCategory.SECURITY, pos_affected=True, partners_affected=True)
ALL = replace(
    NOTHING,
    published=True,
    owner="u1",
    cause_said=True,
    end_said=True,
    reachable=1000,
    told=950,
    campaign_ran=True,
    payment_routes_shown=3,
    routes_in_message=True,
    routes_checked_at=DECLARED,
    service_routes_shown=1,
    updates_due=1,
    updates_on_time=1,
    next_update_due=DECLARED + 60 * DAY,
    grace_policies=1,
    mute_confirmed=1,
    restored_at=DECLARED + 5 * HOUR,
    credited_at=DECLARED + 5 * HOUR,
    postmortem_at=DECLARED + 6 * HOUR,
    script_acknowledged=True,
    short_texts_published=True,
    independent_channels=("page", "sms"),
    triage_linked=True,
    pos_contacts_told=1,
    partners_told=True,
    words_approved_at=DECLARED,
    phishing_notice_shown=True,
    compensation_decided=True,
    filed_at=DECLARED,
)


def row(key: str, evidence: Evidence, now: datetime, record: Record | None = None) -> Row:
    records = {} if record is None else {key: record}
    return next(found for found in rows(evidence, records, PROFILE, now) if found.key == key)


def test_the_table_has_its_sixteen_rows_in_every_language() -> None:
    """Rows 1 to 16, each with a text in ru, zh and en, and an owner who is a role."""
    assert [measure.number for measure in MEASURES] == list(range(1, 17))
    assert len(BY_KEY) == 16
    for measure in MEASURES:
        assert set(measure.text) == {"ru", "zh", "en"}
        assert all(text.strip() for text in measure.text.values())
        assert set(measure.owners) <= set(ROLES)


def test_nothing_happened_so_nothing_is_done() -> None:
    """Without evidence no row is done; with all of it every row is."""
    assert {found.state for found in rows(NOTHING, {}, PROFILE, DECLARED)} == {RowState.OPEN}
    assert {found.state for found in rows(ALL, {}, PROFILE, DECLARED + HOUR)} == {RowState.DONE}


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("page_tells", {"published": False}),
        ("page_tells", {"gaps": ("contact",)}),
        ("told_directly", {"campaign_ran": False}),
        ("told_directly", {"told": 899}),
        ("payment_routes", {"payment_uncovered": 1}),
        ("payment_routes", {"payment_routes_shown": 0}),
        ("payment_routes", {"routes_in_message": False}),
        ("service_routes", {"service_routes_shown": 0}),
        ("grace_active", {"grace_policies": 0}),
        ("grace_active", {"grace_uncovered": ("prepaid",)}),
        ("grace_active", {"grace_unacknowledged": ("",)}),
        ("grace_active", {"grace_unacknowledged": ("dunning",)}),
        ("dunning_muted", {"mute_confirmed": 0}),
        ("dunning_muted", {"mute_unconfirmed": 1}),
        ("repair_owned", {"owner": None}),
        ("repair_owned", {"cause_said": False}),
        ("repair_owned", {"end_said": False}),
        ("updates_on_time", {"update_overdue": True}),
        ("updates_on_time", {"updates_due": 0}),
        ("updates_on_time", {"published": False}),
        ("restored_truthfully", {"restored_at": None}),
        ("restored_truthfully", {"credited_at": None}),
        ("postmortem", {"postmortem_at": None}),
        ("call_centre", {"script_acknowledged": False}),
        ("call_centre", {"short_texts_published": False}),
        ("independent_channels", {"independent_channels": ("page",)}),
        ("independent_channels", {"independent_channels": ()}),
        ("merchants", {"pos_contacts_told": 0}),
        ("merchants", {"triage_linked": False}),
        ("partners", {"partners_told": False}),
        ("security_words", {"words_approved_at": None}),
        ("security_words", {"phishing_notice_shown": False}),
        ("compensation", {"compensation_decided": False}),
        ("compensation", {"filed_at": None}),
    ],
)
def test_each_piece_of_evidence_is_needed(key: str, change: dict[str, Any]) -> None:
    """Taking one fact away reopens its row."""
    assert row(key, ALL, DECLARED).state is RowState.DONE
    assert row(key, replace(ALL, **change), DECLARED).state is RowState.OPEN


@pytest.mark.parametrize(
    ("key", "minutes"),
    [
        ("page_tells", 15), ("told_directly", 60), ("payment_routes", 15), ("service_routes", 30), ("grace_active", 30),
        ("dunning_muted", 30), ("repair_owned", 15), ("call_centre", 15), ("independent_channels", 60),
        ("merchants", 60), ("partners", 240),
    ],
)  # fmt: skip
def test_due_times_of_the_table(key: str, minutes: int) -> None:
    """Open on the minute, overdue after it."""
    limit = DECLARED + minutes * MINUTE
    assert due_at(BY_KEY[key], NOTHING, PROFILE) == limit
    assert row(key, NOTHING, limit).state is RowState.OPEN
    late = row(key, NOTHING, limit + MINUTE)
    assert (late.state, late.late) == (RowState.OVERDUE, True)


def test_what_counts_from_resolving_has_no_time_before() -> None:
    """The postmortem is due ten days after resolving, compensation seven, and neither before there was a resolving."""
    resolved = replace(NOTHING, open=False, resolved_at=DECLARED + DAY)
    for key, days in (("postmortem", 10), ("compensation", 7)):
        assert due_at(BY_KEY[key], NOTHING, PROFILE) is None
        assert due_at(BY_KEY[key], resolved, PROFILE) == DECLARED + (1 + days) * DAY


def test_the_profile_overrides_when_it_is_stricter() -> None:
    """A profile's shorter clock wins over the operator's longer one, a longer one does not loosen it."""
    strict = replace(PROFILE, first_notice=5 * MINUTE)
    measure = BY_KEY["page_tells"]
    assert due_at(measure, NOTHING, strict, after=10 * MINUTE) == DECLARED + 5 * MINUTE
    assert due_at(measure, NOTHING, PROFILES["acma_au"]) == DECLARED + 15 * MINUTE
    assert due_at(measure, NOTHING, PROFILES["trai_in"], after=90 * MINUTE) == DECLARED + 90 * MINUTE
    asleep = replace(NOTHING, first_sms_due=DECLARED + 9 * HOUR)
    assert due_at(BY_KEY["told_directly"], asleep, PROFILE) == DECLARED + 9 * HOUR


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("told_directly", {"expected_end": DECLARED + 2 * HOUR}),
        ("merchants", {"pos_affected": False}),
        ("partners", {"partners_affected": False}),
        ("security_words", {"cause": CauseCategory.SOFTWARE}),
    ],
)
def test_rows_that_are_not_needed_say_why(key: str, change: dict[str, Any]) -> None:
    """A row is left out only with a reason, and counts as done if it was done all the same."""
    found = row(key, replace(NOTHING, **change), DECLARED + 9 * HOUR)
    assert found.state is RowState.NOT_NEEDED
    assert found.reason.startswith("playbook.")
    assert row(key, replace(ALL, **change), DECLARED).state is RowState.DONE


def test_a_proof_that_goes_stale_is_due_again() -> None:
    """Routes checked at 40 minutes are due again at 70; once they are stale the row is open, then overdue."""
    checked = replace(ALL, routes_checked_at=DECLARED + 40 * MINUTE, restored_at=None)
    record = Record(done_at=DECLARED + 10 * MINUTE)
    assert row("payment_routes", checked, DECLARED + 60 * MINUTE, record).done_at == DECLARED + 10 * MINUTE
    stale = replace(checked, payment_routes_shown=0)
    assert row("payment_routes", stale, DECLARED + 70 * MINUTE, record).state is RowState.OPEN
    assert row("payment_routes", stale, DECLARED + 71 * MINUTE, record).state is RowState.OVERDUE


@pytest.mark.parametrize("key", ["payment_routes", "service_routes"])
def test_another_way_to_pay_is_not_asked_for_after_the_restoration(key: str) -> None:
    """While payments catch up the row stays as it last was; when they fail again it is judged again."""
    stale = replace(ALL, payment_routes_shown=0, service_routes_shown=0, routes_checked_at=None)
    record = Record(done_at=DECLARED + 10 * MINUTE)
    assert row(key, stale, DECLARED + 9 * HOUR, record).state is RowState.DONE
    assert row(key, replace(stale, restored_at=None), DECLARED + 9 * HOUR, record).state is RowState.OVERDUE


def test_updates_on_time_are_not_done_at_declaration() -> None:
    """Only published: open until its next update is due. Followed in time: done. Late once: done, and says so. An
    update that is only due later keeps nobody from resolving, an overdue one does."""
    next_due = DECLARED + HOUR
    fresh = replace(NOTHING, published=True, next_update_due=next_due, credited_at=DECLARED, restored_at=DECLARED)
    fresh = replace(fresh, owner="u1", cause_said=True, end_said=True)
    first = row("updates_on_time", fresh, DECLARED)
    assert (first.state, first.due_at, first.done_at) == (RowState.OPEN, next_due, None)
    assert open_gate(rows(fresh, {}, PROFILE, DECLARED)) == ()
    kept = replace(fresh, updates_due=1, updates_on_time=1)
    assert (row("updates_on_time", kept, DECLARED).state, row("updates_on_time", kept, DECLARED).late) == (
        RowState.DONE,
        False,
    )
    assert row("updates_on_time", replace(kept, updates_on_time=0), DECLARED).late
    overdue = replace(kept, update_overdue=True)
    assert row("updates_on_time", overdue, next_due + MINUTE).state is RowState.OVERDUE
    assert [one.key for one in open_gate(rows(overdue, {}, PROFILE, next_due + MINUTE))] == ["updates_on_time"]
    assert row("updates_on_time", replace(fresh, next_update_due=None), DECLARED).state is RowState.DONE


def test_a_message_is_not_needed_when_it_was_over_before_it_was_due() -> None:
    """Restored within the hour: not needed. Restored after it with nobody told: overdue, for it was not done."""
    early = replace(NOTHING, restored_at=DECLARED + 30 * MINUTE)
    assert row("told_directly", early, DECLARED + 9 * HOUR).reason == "playbook.over_before_due"
    late = replace(NOTHING, restored_at=DECLARED + 61 * MINUTE)
    assert row("told_directly", late, DECLARED + 9 * HOUR).state is RowState.OVERDUE
    asleep = replace(late, first_sms_due=DECLARED + 9 * HOUR)
    assert row("told_directly", asleep, DECLARED + 10 * HOUR).state is RowState.NOT_NEEDED


def test_what_is_shown_is_what_is_judged() -> None:
    """A row is proved exactly when each fact that its reader sees holds."""
    for evidence in (NOTHING, ALL, replace(ALL, told=1), replace(ALL, gaps=("contact",)), replace(ALL, owner=None)):
        for found in rows(evidence, {}, PROFILE, DECLARED):
            assert found.facts
            assert found.proved == all(fact.holds for fact in found.facts)


def test_lasting_rows_stay_done_and_all_rows_stand_still_after_the_end() -> None:
    """What was told stays told; once resolved, a row stays as it last was."""
    record = Record(done_at=DECLARED + 20 * MINUTE)
    told = row("page_tells", NOTHING, DECLARED + DAY, record)
    assert (told.state, told.late, told.done_at) == (RowState.DONE, True, DECLARED + 20 * MINUTE)
    over = replace(NOTHING, open=False, resolved_at=DECLARED + DAY)
    assert row("payment_routes", over, DECLARED + 9 * DAY, record).state is RowState.DONE
    assert row("payment_routes", over, DECLARED + 9 * DAY).state is RowState.OVERDUE


def test_a_named_person_answers_for_what_the_system_cannot_know() -> None:
    """A tick needs a note; "not needed" is told apart from "done"; the evidence is shown beside it."""
    measure = BY_KEY["dunning_muted"]
    with pytest.raises(RuleError) as refused:
        tick(measure, Record(), "u1", "  ")
    assert refused.value.code == "playbook.note_missing"
    done = row(measure.key, NOTHING, DECLARED, tick(measure, Record(), "u1", "muted by hand in the CRM"))
    assert (done.state, done.by, done.reason, done.proved) == (RowState.DONE, "u1", "muted by hand in the CRM", False)
    waived = row(measure.key, NOTHING, DECLARED, tick(measure, Record(), "u1", "no dunning runs today", waived=True))
    assert waived.state is RowState.NOT_NEEDED


def test_resolving_asks_for_rows_7_8_and_9_and_a_reason_overrides() -> None:
    """The gate names what is not done; a reason of some length opens it."""
    assert [BY_KEY[key].number for key in RESOLVE_GATE] == [7, 8, 9]
    playbook = rows(NOTHING, {}, PROFILE, DECLARED)
    assert [found.number for found in open_gate(playbook)] == [7, 8, 9]
    with pytest.raises(RuleError) as refused:
        check_resolve(playbook)
    assert refused.value.code == "playbook.gate"
    check_resolve(playbook, "the operator's chief engineer decided")
    check_resolve(rows(ALL, {}, PROFILE, DECLARED))


def test_a_drill_is_marked() -> None:
    """Every row of a drill says so."""
    assert all(found.drill for found in rows(NOTHING, {}, PROFILE, DECLARED, drill=True))
    assert not any(found.drill for found in rows(NOTHING, {}, PROFILE, DECLARED))


switches = [field.name for field in fields(Evidence) if field.type == "bool" and field.name != "update_overdue"]


@given(st.sets(st.sampled_from(switches)), st.integers(0, 60 * 24 * 20))
def test_more_evidence_never_undoes_a_row(names: set[str], minutes: int) -> None:
    """Adding a fact to the full evidence leaves every row done, and no state is without its due reason."""
    now = DECLARED + minutes * MINUTE
    part = replace(NOTHING, **dict.fromkeys(names, True))  # type: ignore[arg-type]
    for before, after in zip(rows(part, {}, PROFILE, now), rows(ALL, {}, PROFILE, now), strict=True):
        assert after.state is RowState.DONE
        if before.state is RowState.OVERDUE:
            assert before.due_at is not None
            assert now > before.due_at
        if before.state is RowState.NOT_NEEDED:
            assert before.reason


def test_done_by_a_share_only_while_the_share_says_so() -> None:
    """Row 2 is not done beside a figure below nine of ten, whenever it falls; when it holds, late is still said."""
    kept = Record(done_at=DECLARED + 2 * HOUR)
    for ended in (False, True):
        few = replace(ALL, told=899, open=not ended)
        assert row("told_directly", few, DECLARED + 9 * HOUR, kept).state is RowState.OVERDUE
    again = row("told_directly", ALL, DECLARED + 9 * HOUR, kept)
    assert (again.state, again.late) == (RowState.DONE, True)
