"""Several incidents at a time: what the page, the terminals' page, feeds and short texts say of all of them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from statuspage.domain.component import ComponentState, Indicator
from statuspage.domain.incident import CauseCategory, IncidentState
from statuspage.domain.route import RouteState
from statuspage.publish import feeds, terminals, unaffected
from statuspage.publish.html import page
from statuspage.publish.reader import Reader
from statuspage.publish.texts import short_texts
from statuspage.publish.view import ComponentView, IncidentView, PageView
from tests.publish import golden, views

CALLS, DATA, SMS = views.INCIDENT.not_affected
TERMINALS = replace(
    views.INCIDENT,
    id="b22bbbbbbbbb",
    title=views.words("На SIM терминалов нет трафика", "POS流量卡无流量", "Terminal SIMs get no data"),
    impact=Indicator.MAJOR,
    started_at=views.BEGAN + timedelta(hours=2),
    next_update_at=views.NOON + timedelta(minutes=25),
    component_ids=("c1x000000005",),
    segments=(views.TERMINALS,),
    segment_keys=(terminals.SEGMENT,),
    not_affected=(SMS, CALLS),
)
WORK = replace(
    TERMINALS,
    id="c33ccccccccc",
    title=views.words("Плановые работы: счета", "计划内维护：账单", "Planned work on invoices"),
    state=IncidentState.INVESTIGATING,
    impact=Indicator.MAINTENANCE,
    cause=CauseCategory.PLANNED_MAINTENANCE,
    expected_end_at=views.NOON + timedelta(hours=2),
    component_ids=("c1x000000003",),
    segments=(),
    segment_keys=(),
    updates=(replace(views.UPDATES[2], body=views.words("Обновляем.", "升级中。", "We renew it.")),),
)
REPAIRED = replace(TERMINALS, state=IncidentState.RESTORED_CATCHING_UP, restored_at=views.NOON, not_affected=())


def with_keys(*named: str) -> tuple[ComponentView, ...]:
    """The components, the first ones with these keys."""
    keys = (*named, *("other" for _ in views.COMPONENTS))
    return tuple(replace(one, key=key) for one, key in zip(views.COMPONENTS, keys, strict=False))


def day(*incidents: IncidentView) -> PageView:
    return replace(views.OUTAGE, incidents=incidents)


def said(view: PageView, name: str = "status", locale: str = "en") -> str:
    return golden.visible(page(Reader(view, locale), name, "/", view.incidents[0]))


@pytest.mark.parametrize("locale", ["ru", "zh", "en"])
def test_every_open_incident_stands_on_the_page(locale: str) -> None:
    """The worst is the headline, which says how many more there are; each of these has its own times and last words."""
    golden.matches(f"status_several.{locale}", said(day(WORK, views.INCIDENT, TERMINALS), locale=locale))


def test_what_works_has_been_seen_in_every_incident() -> None:
    """What one of two incidents does not name, or what fails in either, is not said to work."""
    assert unaffected.everywhere(day(views.INCIDENT)) == (CALLS, DATA, SMS)
    assert unaffected.everywhere(day(views.INCIDENT, TERMINALS)) == (CALLS, SMS)
    failing = replace(views.COMPONENTS[3], state=ComponentState.DEGRADED_PERFORMANCE)
    view = replace(day(views.INCIDENT, TERMINALS), components=(*views.COMPONENTS[:3], failing, views.COMPONENTS[4]))
    assert unaffected.everywhere(view) == (SMS,)
    assert unaffected.everywhere(day(views.INCIDENT, replace(TERMINALS, not_affected=()))) == ()


def test_what_is_restored_does_not_take_back_what_was_seen_to_work() -> None:
    """While another fails, that one's list counts; a restored incident has its say when there is nothing else."""
    assert unaffected.everywhere(day(views.INCIDENT, REPAIRED)) == (CALLS, DATA, SMS)
    assert unaffected.everywhere(day(replace(views.INCIDENT, state=REPAIRED.state))) == (CALLS, DATA, SMS)


def test_emergency_calls_are_listed_only_when_seen_in_every_incident() -> None:
    """One tick does not answer for an incident in which nobody has tried them; what fails is always told."""
    emergency = replace(views.COMPONENTS[3], emergency=True)
    for other, listed in ((TERMINALS, True), (replace(TERMINALS, not_affected=(SMS,)), False)):
        assert bool(unaffected.shown(replace(day(views.INCIDENT, other), components=(emergency,)))) is listed
    broken = replace(emergency, state=ComponentState.MAJOR_OUTAGE)
    assert unaffected.shown(replace(day(TERMINALS), components=(broken,))) == (broken,)


def test_a_service_of_which_nobody_has_said_anything_is_not_called_normal() -> None:
    """During an outage a service is normal when somebody has seen it; otherwise no disturbance of it is known."""
    calls, data = views.COMPONENTS[3:]
    outage, ticked = day(views.INCIDENT), day(replace(views.INCIDENT, not_affected=(CALLS,)))
    assert [Reader(outage, "en").condition(one) for one in (calls, data)] == ["normal", "normal"]
    assert [Reader(ticked, "en").condition(one) for one in (calls, data)] == ["normal", "no disturbance known"]
    assert Reader(ticked, "en").component_shape(data) == "none"
    assert Reader(views.CALM, "en").condition(data) == Reader(views.REPAIRED, "en").condition(data) == "normal"
    named = replace(views.INCIDENT, component_ids=(data.id,), not_affected=())
    assert Reader(day(named), "en").condition(data) == "normal"  # an update said that it works again


def test_the_terminals_page_names_what_concerns_terminals() -> None:
    """Their own incident first, then one for everybody that touches what they live on; others are not blamed."""
    view = replace(day(views.INCIDENT, TERMINALS, WORK), components=with_keys("top_up"))
    assert [one.id for one in terminals.concerning(view)] == [TERMINALS.id, views.INCIDENT.id]
    text = said(view, "terminal")
    assert "There is an outage on our side.\nTerminal SIMs get no data\n" in text
    assert "Planned work" not in text
    assert "next update by 14:30 MSK" in text


def test_the_terminals_page_does_not_blame_an_incident_elsewhere() -> None:
    """For other customers, or of services that no terminal needs: it says that nothing is known for terminals."""
    others = replace(views.INCIDENT, segments=(views.PREPAID,), segment_keys=("prepaid",))
    for incident in (others, WORK):
        text = said(replace(day(incident), components=with_keys("top_up", "balance")), "terminal")
        assert "We know of no outage that affects card terminals." in text
        assert "on our side" not in text
    assert terminals.concerning(day(WORK)) == (WORK,)  # of services with other keys nobody can tell


def test_the_terminals_page_speaks_of_a_repair_only_when_nothing_else_fails() -> None:
    """A restart is advised once the last incident that concerns terminals is restored."""
    assert "restart it once" in said(day(REPAIRED), "terminal")
    assert "If the terminal is still offline" not in said(day(REPAIRED, views.INCIDENT), "terminal")


def test_what_returned_within_a_day_is_normal() -> None:
    """An incident that said that a service works again answers for it for a day, whatever else is open since."""
    (data,) = views.COMPONENTS[4:]
    over = replace(
        TERMINALS, state=IncidentState.RESOLVED, resolved_at=views.NOON - timedelta(hours=23), not_affected=()
    )
    other = replace(views.INCIDENT, not_affected=())
    assert Reader(day(over, other), "en").condition(data) == "normal"
    assert list(unaffected.turning_points(day(over, other))) == [views.NOON + timedelta(hours=1)]
    past = replace(over, resolved_at=views.NOON - timedelta(hours=24))
    assert Reader(day(past, other), "en").condition(data) == "no disturbance known"
    assert list(unaffected.turning_points(day(over))) == []
    again = replace(data, state=ComponentState.PARTIAL_OUTAGE)
    assert Reader(day(over, other), "en").condition(again) == "partly down"


def test_where_and_for_whom_stands_with_every_incident() -> None:
    """In the headline's line, in the list of the others and above the words of each; nothing when it is for all."""
    some = replace(views.INCIDENT, regions=(views.MOSCOW,), segments=(views.PREPAID, views.TERMINALS))
    text = said(day(some, TERMINALS, WORK))
    assert "Top-up and balance are down\nonly: Moscow; prepaid, terminal SIMs · since 22.11" in text
    assert "Cause found · only: Moscow, Siberia; terminal SIMs · since" in text
    assert text.count("only: Moscow, Siberia; terminal SIMs") == 2
    assert said(day(some), locale="ru").count("только: Москва; предоплата, SIM терминалов") == 1
    assert "仅限：莫斯科；预付费、POS流量卡 · " in said(day(some), locale="zh")
    assert "only" not in said(day(replace(some, regions=(), segments=()))).split("Pay now")[0]


def test_planned_work_is_not_being_investigated() -> None:
    """Its state and end read as work, on the page and in the feeds."""
    reader = Reader(day(WORK), "en")
    assert reader.state(WORK) == "Planned work"
    assert "planned to end by" in str(reader.expected(WORK))
    assert feeds.updates(reader)[0].title == "Planned work: Planned work on invoices"


def test_an_open_incident_is_never_drawn_as_working() -> None:
    """Also one that names no service."""
    assert Reader(views.OUTAGE, "en").incident_shape(replace(views.INCIDENT, impact=Indicator.NONE)) == "delayed"


def test_short_texts_name_everything_that_is_open() -> None:
    """SMS, voice and notice tell of the others after the worst one."""
    texts = short_texts(Reader(day(views.INCIDENT, TERMINALS, WORK), "en"))
    for channel in ("sms", "ivr", "shop"):
        assert "Also: terminal SIMs get no data; planned work on invoices." in texts[channel]
    assert "Also" not in short_texts(Reader(views.OUTAGE, "en"))["sms"]


def test_ways_to_pay_are_named_while_one_of_two_incidents_is_catching_up() -> None:
    """Another open incident does not hide what somebody has seen of payments since the repair."""
    billing = replace(views.INCIDENT, state=IncidentState.RESTORED_CATCHING_UP)
    view = replace(views.REPAIRED, incidents=(billing, TERMINALS), routes=views.ROUTES)
    works = tuple(replace(one, state=RouteState.WORKS) for one in view.routes[:1])
    assert Reader(replace(view, routes=works), "en").states_matter


def test_each_promise_of_an_incident_is_told() -> None:
    """Its page and the feed know every end; the feed's single date holds for all of its segments."""
    later = replace(
        views.PROMISE, segments=("prepaid",), covered=(views.PREPAID,), until=views.PROMISE.until + timedelta(days=2)
    )
    view = replace(views.OUTAGE, promises=(views.PROMISE, later))
    assert "27.11 24:00 MSK (Prepaid), 25.11 24:00 MSK (Postpaid, terminal SIMs)" in said(view, "incident")
    reader = Reader(view, "en")
    facts = json.loads(feeds.json_feed(reader, feeds.history(reader), "/feed.json"))["items"][0]["_incident"]
    assert facts["grace_until"] == "2026-11-25T21:00:00Z"
    assert facts["grace_segments"] == ["prepaid", "postpaid", "pos_m2m"]
