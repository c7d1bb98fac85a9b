"""The incident room: what it shows of promises, clocks, people and other channels."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from statuspage.clock import FrozenClock
from statuspage.i18n import gettext
from tests.web.site import Browser, declare

pytestmark = pytest.mark.usefixtures("operator")
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def typed(moment: datetime) -> str:
    """As a form's field holds it, in the operator's zone."""
    return f"{moment.astimezone(ZoneInfo('Europe/Moscow')):%Y-%m-%dT%H:%M}"


def test_a_promise_later_than_the_cadence_is_published_and_warned_of(engineer: Browser, clock: FrozenClock) -> None:
    """The form warns and does not block; the room shows both times; the list is late from the earlier one."""
    room = f"/console/incidents/{declare(engineer)}"
    clock.advance(MINUTE)
    form = engineer.get(f"{room}/tell/update").text
    assert "The clock profile asks for it by" in form
    fields = {
        **engineer.filled(f"{room}/tell/update"),
        "body.ru": "Ищем.",
        "next_update_at": typed(clock.now() + 5 * HOUR),
    }
    assert engineer.post(f"{room}/tell/update", fields).status_code == 303
    page = engineer.get(room).text
    assert "but the clock profile asks for one by" in page
    assert "As the clock profile asks. The page promises it later" in page
    assert "but the clock profile asks" not in engineer.get(room).text
    late = f"– {gettext('en', 'console.clock.late')}"
    assert late not in engineer.get("/console/incidents").text
    clock.advance(HOUR + MINUTE)
    assert late in engineer.get("/console/incidents").text


def test_a_promise_within_the_cadence_is_not_warned_of(engineer: Browser, clock: FrozenClock) -> None:
    """Sooner than asked is a promise too: the room counts to it and says what the profile would grant."""
    room = f"/console/incidents/{declare(engineer)}"
    engineer.get(f"{room}/tell/update")
    fields = {
        **engineer.filled(f"{room}/tell/update"),
        "body.ru": "Ищем.",
        "next_update_at": typed(clock.now() + HOUR / 2),
    }
    engineer.post(f"{room}/tell/update", fields)
    page = engineer.get(room).text
    assert "but the clock profile asks" not in page
    assert "As the page promises. The clock profile asks for it by" in page


def test_declaring_with_a_late_promise_is_warned_of(engineer: Browser, clock: FrozenClock) -> None:
    """The declaration is out, and whoever wrote it learns of the earlier time at once."""
    public_id = declare(engineer, next_update_at=typed(clock.now() + 5 * HOUR))
    assert "but the clock profile asks for one by" in engineer.get(f"/console/incidents/{public_id}").text
