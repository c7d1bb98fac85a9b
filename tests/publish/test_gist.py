"""The short list below the newest words of an open incident, in the feeds."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import feedparser
import pytest

from statuspage.domain.route import RouteState
from statuspage.i18n import KNOWN_LOCALES
from statuspage.publish import feeds, gist
from statuspage.publish.reader import Reader
from statuspage.publish.view import PageView
from tests.publish import golden, views
from tests.publish.test_several import TERMINALS, day


def heading(locale: str = "en") -> str:
    return Reader(views.OUTAGE, locale).plain("gist.heading")


def listed(view: PageView, locale: str = "en") -> str:
    return gist.text(Reader(view, locale, kept=True), view.open_incidents()[0])


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
def test_the_newest_entry_says_what_the_page_says(locale: str) -> None:
    """Below the person's words: what fails, what works, ways to pay, the promise and its limits, the next update."""
    newest = feeds.updates(Reader(views.OUTAGE, locale))[0]
    golden.matches(f"feed.{locale}", golden.visible(str(newest.html).encode()))


@pytest.mark.parametrize("kind", ["rss", "atom", "json"])
def test_only_the_newest_entry_of_what_is_open_carries_the_list(kind: str) -> None:
    """Older entries and what is resolved stay as they were told, in every kind of feed."""
    view = day(views.INCIDENT, views.PAST, replace(TERMINALS, updates=views.UPDATES[2:]))
    reader = Reader(view, "en")
    items = feeds.updates(reader)
    if kind == "json":
        document = json.loads(feeds.json_feed(reader, items, "/feed.json"))
        told = [one["content_html"] for one in document["items"]]
    else:
        write = feeds.rss if kind == "rss" else feeds.atom
        told = [one.summary for one in feedparser.parse(write(reader, items, "/x")).entries]
    with_list = [item.published for item, text in zip(items, told, strict=True) if heading() in text]
    assert with_list == [views.UPDATES[0].at, views.UPDATES[2].at]
    whole = next(item for item in feeds.history(reader) if item.incident is views.INCIDENT).html
    assert whole.count(heading()) == 1
    assert whole.index(heading()) < whole.index("Продолжаем искать причину")


def test_a_way_that_was_checked_again_wakes_nobody() -> None:
    """A check changes no byte, another state of a way changes the list; neither changes an entry's id or dates."""
    again = tuple(replace(one, checked_at=views.NOON) if one.checked_at else one for one in views.ROUTES[:4])
    broken = tuple(replace(one, state=RouteState.DOWN) for one in views.ROUTES[:4])
    before, checked, changed = (
        feeds.updates(Reader(replace(views.OUTAGE, routes=routes), "en"))[0]
        for routes in (views.ROUTES[:4], again, broken)
    )
    assert checked == before
    assert (changed.id, changed.updated, changed.published) == (before.id, before.updated, before.published)
    assert "Bank app – credited at once" in before.html
    assert "Bank app – do not use" in changed.html


def test_every_time_carries_its_day() -> None:
    """An entry is read on later days too, when a bare 22:00 would be another evening's."""
    assert "Kiosk – credited by 22.11 22:00 MSK" in listed(views.OUTAGE)
    assert "will be credited by 22.11 22:00 MSK." in listed(views.OUTAGE)
    assert "not checked since 22.11 11:20 MSK" in listed(views.OUTAGE)
    assert Reader(views.OUTAGE, "en").credit(views.ROUTES[1]) == "credited by 22:00 MSK"


def test_what_works_is_what_works_in_every_incident() -> None:
    """What fails elsewhere is not said to work in any entry."""
    assert "Not affected: Calls, Mobile data, SMS" in listed(views.OUTAGE)
    assert "Not affected: Calls, SMS" in listed(day(views.INCIDENT, TERMINALS))


def test_the_list_leaves_out_what_nobody_has_said() -> None:
    """Without promise, ticks or trouble with payments only what fails and when the next update comes is left."""
    bare = replace(views.INCIDENT, component_ids=("c1x000000005",), not_affected=())
    calm = replace(views.CALM, incidents=(bare,))
    first, last = listed(calm).split("\n")
    assert first.startswith("Affects: Mobile data – ")
    assert last.endswith("next update by 16:00 MSK")


def test_a_late_update_is_said_to_be_late() -> None:
    """Once the moment that was promised has passed the list no longer promises it."""
    late = replace(views.OUTAGE, as_of=views.NOON + timedelta(hours=3))
    assert listed(late).endswith("the update promised for 16:00 MSK is late")


def test_names_are_text() -> None:
    """What an operator calls a way or a service scripts nobody."""
    name = views.words(*("<b>x</b> & Co",) * 3)
    view = replace(
        views.OUTAGE,
        routes=(replace(views.ROUTES[2], name=name),),
        components=(replace(views.COMPONENTS[0], name=name),),
        promises=(replace(views.PROMISE, not_covered=(name,)),),
    )
    assert "<b>" not in gist.html(Reader(view, "en", kept=True), views.INCIDENT)
    assert listed(view).count("<b>x</b> & Co") == 3
