"""Several promises at a time, and what a reader is told of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from statuspage.domain.grace import GraceState
from statuspage.publish.html import page
from statuspage.publish.promises import promises
from statuspage.publish.reader import Reader
from statuspage.publish.texts import short_texts
from statuspage.publish.view import PromiseView
from tests.publish import golden, views

OTHER = replace(views.PROMISE, incident_id="b22bbbbbbbbb")
LONGER = replace(OTHER, until=views.PROMISE.until + timedelta(days=2))
PREPAID = replace(OTHER, segments=("prepaid",), covered=(views.PREPAID,))
TERMINALS = replace(OTHER, segments=("pos_m2m",), covered=(views.TERMINALS,))


def told(*held: PromiseView) -> list[tuple[str, tuple[str, ...]]]:
    """The day each ends before, and whom it covers."""
    return [(f"{one.until:%d}", one.segments) for one in promises(replace(views.OUTAGE, promises=held))]


def test_the_same_promise_of_two_incidents_is_told_once() -> None:
    """Two open incidents with equal policies make one block on the page."""
    view = replace(views.OUTAGE, promises=(views.PROMISE, OTHER))
    said = golden.visible(page(Reader(view, "en"), "status", "/"))
    assert said.count("no line of these customers is suspended") == 1
    assert said.count("International roaming outside a package") == 1


def test_of_two_ends_the_later_one_counts() -> None:
    """Whoever both promises cover is told the later end only."""
    assert told(views.PROMISE, LONGER) == [("27", ("prepaid", "postpaid", "pos_m2m"))]


def test_each_is_told_the_end_that_holds_for_them() -> None:
    """A longer promise to some leaves the shorter one to the others."""
    longer = replace(PREPAID, until=LONGER.until)
    assert told(views.PROMISE, longer) == [("27", ("prepaid",)), ("25", ("postpaid", "pos_m2m"))]


def test_promises_that_differ_in_whom_alone_are_one() -> None:
    """Equal ends and limits are told together, for both."""
    assert told(PREPAID, replace(TERMINALS, incident_id="c33cccccccccc")) == [("25", ("prepaid", "pos_m2m"))]


def test_a_promise_that_says_more_is_kept_beside_a_longer_one() -> None:
    """A wider place, fewer limits or days to pay that are still to come are not swallowed by a later end."""
    narrow = replace(LONGER, regions=(views.MOSCOW,))
    strict = replace(LONGER, not_covered=(*LONGER.not_covered, views.SIBERIA))
    tail = replace(LONGER, state=GraceState.TAIL)
    for longer in (narrow, strict, tail):
        assert [day for day, _ in told(views.PROMISE, longer)] == ["27", "25"]


def test_a_promise_to_everybody_leaves_nobody_over() -> None:
    """After one that covers every segment everywhere a shorter one says nothing."""
    assert len(told(views.PROMISE, replace(LONGER, segments=(), covered=(), everybody=True))) == 1
    everybody = replace(views.PROMISE, incident_id="z99zzzzzzzzz", everybody=True)
    reader = Reader(replace(views.OUTAGE, promises=(TERMINALS, everybody)), "en")
    assert [reader.covered(one) for one in reader.promises] == ["All customers"]


def test_a_short_text_promises_nobody_too_much() -> None:
    """An SMS or a voice that cannot say to whom the later end is promised names the earlier one."""
    view = replace(views.OUTAGE, promises=(views.PROMISE, replace(PREPAID, until=LONGER.until)))
    said = short_texts(Reader(view, "en"))
    assert "until 25.11 24:00 MSK" in said["sms"]
    assert "before the end of 25 November" in said["ivr"]


def test_terminals_are_told_their_own_promise() -> None:
    """The terminals' page names the promise to their SIM cards although another one reaches further."""
    longer = replace(PREPAID, until=LONGER.until)
    view = replace(views.OUTAGE, promises=(TERMINALS, longer))
    assert "25.11 24:00 MSK" in golden.visible(page(Reader(view, "en"), "terminal", "/terminal"))
