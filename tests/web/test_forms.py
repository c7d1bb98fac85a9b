"""Reading a form: typed values, every mistake named, times in the operator's zone."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from statuspage.domain.incident import CauseCategory
from statuspage.web.forms import Fields, InputError

MOSCOW = ZoneInfo("Europe/Moscow")


def _fields(zone: ZoneInfo = MOSCOW, **values: str) -> Fields:
    return Fields(MultiDict(values), zone, ("ru", "en"))


def test_all_mistakes_come_together() -> None:
    """One answer names every field that is wrong, with its remedy."""
    form = _fields(cause="weather", at="tomorrow", n="-1", long="x" * 300)
    form.choice("cause", CauseCategory)
    form.moment("at")
    form.count("n")
    form.text("long")
    form.text("absent", required=True)
    with pytest.raises(InputError) as refused:
        form.check()
    assert set(refused.value.fields) == {"cause", "at", "n", "long", "absent"}
    assert pickle.loads(pickle.dumps(refused.value)).fields == refused.value.fields  # noqa: S301 - our own


def test_a_time_is_the_operators() -> None:
    """The browser sends no zone; the operator's is meant, summer or winter."""
    assert _fields(at="2026-11-22T14:20").moment("at") == datetime(2026, 11, 22, 11, 20, tzinfo=UTC)
    assert _fields(at="").moment("at") is None


def test_of_a_repeated_hour_the_first_is_meant() -> None:
    """When clocks go back an hour comes twice; a form cannot tell which."""
    berlin = ZoneInfo("Europe/Berlin")
    assert _fields(berlin, at="2026-10-25T02:30").moment("at") == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@given(st.text(max_size=40))
def test_no_text_breaks_the_reading(text: str) -> None:
    """Whatever is typed, it is read or named as a mistake, never an exception."""
    form = _fields(at=text, n=text, cause=text, line=text)
    form.moment("at")
    form.count("n")
    form.choice("cause", CauseCategory)
    form.several("line", ["a", "b"])
    assert "\0" not in form.text("line") or "line" in form.mistakes


def test_texts_by_language_leave_out_the_empty_ones() -> None:
    """A language that nobody wrote is absent, and the original's is asked for."""
    form = Fields(MultiDict({"title.ru": " Сбой ", "title.en": "  "}), MOSCOW, ("ru", "en"))
    assert form.texts("title", required="ru") == {"ru": "Сбой"}
    form.texts("title", required="en")
    assert set(form.mistakes) == {"title.en"}


def test_ticks_keep_the_operators_order_and_refuse_strangers() -> None:
    """What the form did not offer is a mistake."""
    form = Fields(MultiDict([("region", "urals"), ("region", "moscow")]), MOSCOW, ("ru",))
    assert form.several("region", ["moscow", "urals", "far_east"]) == ["moscow", "urals"]
    form.several("region", ["moscow"])
    assert "region" in form.mistakes
