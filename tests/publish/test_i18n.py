from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from statuspage import i18n
from statuspage.i18n import KNOWN_LOCALES, Moments, UnknownText

ROOT = Path(i18n.__file__).resolve().parents[1]
MOSCOW = ZoneInfo("Europe/Moscow")
NOON = datetime(2026, 11, 22, 11, 5, 12, tzinfo=UTC)


def moments(locale: str, zone: ZoneInfo = MOSCOW) -> Moments:
    return Moments(locale, zone, NOON)


def test_every_locale_has_every_text() -> None:
    """A text that exists in one language exists in all of them."""
    keys = {locale: set(i18n.catalogue(locale)) for locale in KNOWN_LOCALES}
    assert keys["ru"] == keys["en"] == keys["zh"]


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
def test_every_text_has_the_slots_of_the_english_one(locale: str) -> None:
    """A translation loses no value and asks for none that nobody gives."""
    for key, english in i18n.catalogue("en").items():
        if key.startswith("moments.date"):
            continue  # each language builds a date from the parts it needs
        translated = i18n.catalogue(locale)[key]
        assert isinstance(english, str) == isinstance(translated, str), key
        wanted = i18n.slots(english if isinstance(english, str) else english["other"])
        for text in [translated] if isinstance(translated, str) else translated.values():
            assert i18n.slots(text) == wanted, (key, text)


@pytest.mark.parametrize(("n", "said"), [(1, "1 день"), (2, "2 дня"), (5, "5 дней"), (11, "11 дней"), (21, "21 день")])
def test_russian_plurals_are_right(n: int, said: str) -> None:
    """Russian counts as CLDR says: 1 день, 2 дня, 5 дней, 21 день."""
    assert i18n.gettext("ru", "moments.days", n=n) == said


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
def test_every_plural_has_the_categories_of_its_language(locale: str) -> None:
    """No number from 0 to 199 falls back to a wrong form."""
    needed = {i18n.plural(locale, n) for n in range(200)}
    for key, message in i18n.catalogue(locale).items():
        if not isinstance(message, str):
            assert needed <= set(message), key


def test_an_unknown_key_and_a_missing_value_are_faults() -> None:
    """A typing error in a key never reaches a customer as an empty text."""
    with pytest.raises(UnknownText):
        i18n.gettext("ru", "page.no.such.text")
    with pytest.raises(UnknownText):
        i18n.gettext("ru", "page.promise.line")
    with pytest.raises(UnknownText):
        i18n.catalogue("fr")


def test_a_value_is_never_read_as_a_slot() -> None:
    """What an operator writes into a value stays what it is, however it looks."""
    assert i18n.fill("{a} {b}", {"a": "{b} {{7*7}} {0.__class__}", "b": "x"}) == "{b} {{7*7}} {0.__class__} x"


@pytest.mark.parametrize(("locale", "said"), [("en", "25.11 24:00"), ("ru", "24:00 25.11"), ("zh", "11月25日24:00")])
def test_an_exclusive_end_at_midnight_is_24_00_of_the_day_that_ends(locale: str, said: str) -> None:
    """26.11 00:00 in the operator's zone is printed as the last minute of 25.11."""
    assert moments(locale).until(datetime(2026, 11, 25, 21, 0, tzinfo=UTC)) == said


def test_an_end_within_the_day_is_printed_as_it_is() -> None:
    """Only local midnight becomes 24:00."""
    assert moments("en").until(datetime(2026, 11, 25, 20, 59, tzinfo=UTC)) == "25.11 23:59"


@pytest.mark.parametrize(
    ("locale", "said"),
    [("en", "22.11 14:05 MSK"), ("ru", "22.11 в 14:05 МСК"), ("zh", "莫斯科时间11月22日14:05")],
)
def test_a_moment_names_its_zone(locale: str, said: str) -> None:
    """A time is never printed without the zone it is meant in."""
    assert moments(locale).moment(NOON) == said


def test_another_year_is_named() -> None:
    """A date of another year than the page's carries its year."""
    assert moments("en").moment(datetime(2025, 12, 31, 21, 0, tzinfo=UTC)) == "01.01 00:00 MSK"
    assert moments("en").moment(datetime(2025, 12, 31, 20, 0, tzinfo=UTC)) == "31.12.2025 23:00 MSK"


@pytest.mark.parametrize(
    ("locale", "zone", "said"),
    [
        ("en", "Europe/Moscow", "25.11 24:00 MSK"),
        ("ru", "Europe/Moscow", "24:00 25.11 МСК"),
        ("zh", "Europe/Moscow", "莫斯科时间11月25日24:00"),
        ("en", "Asia/Yekaterinburg", "26.11 02:00 UTC+5"),
        ("zh", "Asia/Yekaterinburg", "UTC+5时间11月26日02:00"),
        ("zh", "UTC", "UTC时间11月25日21:00"),
    ],
)
def test_a_promise_names_its_zone_for_readers_elsewhere(locale: str, zone: str, said: str) -> None:
    """Whoever lives in another zone reads the same end, and no offset runs into the date."""
    found, end = moments(locale, ZoneInfo(zone)), datetime(2026, 11, 25, 21, 0, tzinfo=UTC)
    assert found.zoned(found.until(end), end) == said


@pytest.mark.parametrize(
    ("locale", "count", "said"),
    [
        ("en", 1, "a1"),
        ("en", 3, "a1, a2, a3"),
        ("en", 11, "a1, a2 and 9 more"),
        ("ru", 4, "a1, a2 и ещё 2 услуги"),
        ("ru", 11, "a1, a2 и ещё 9 услуг"),
        ("ru", 23, "a1, a2 и ещё 21 услуга"),
        ("zh", 11, "a1、a2及另外9项服务"),
    ],
)
def test_a_long_list_is_folded(locale: str, count: int, said: str) -> None:
    """More than three names become two and the number of the others, counted as the language counts."""
    assert i18n.listed(locale, [f"A{n + 1}" for n in range(count)], most=3).replace("A", "a") == said


@pytest.mark.parametrize(
    ("zone", "said"), [("Asia/Yekaterinburg", "UTC+5"), ("Asia/Kolkata", "UTC+5:30"), ("America/St_Johns", "UTC-3:30")]
)
def test_a_zone_without_a_name_is_an_offset(zone: str, said: str) -> None:
    """Where people have no name for a zone its offset is printed."""
    assert moments("en", ZoneInfo(zone)).zone_name(NOON) == said


def test_a_deadline_of_the_same_day_leaves_the_day_out() -> None:
    """ "Next update by 16:00" stands beside a date; on another day the date is said again."""
    due = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)
    assert moments("en").by(due, beside=NOON) == "16:00"
    assert moments("en").by(due + timedelta(days=1), beside=NOON) == "23.11 16:00"


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (timedelta(minutes=1), "1 минута"),
        (timedelta(hours=4, minutes=40), "4 часа 40 минут"),
        (timedelta(days=2, hours=5, minutes=59), "2 дня 5 часов"),
        (timedelta(), "0 минут"),
    ],
)
def test_a_duration_is_said_in_its_two_largest_units(length: timedelta, said: str) -> None:
    """Days and hours, or hours and minutes, and never an empty text."""
    assert moments("ru").duration(length) == said


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (timedelta(minutes=1), "через 1 минуту"),
        (timedelta(minutes=2), "через 2 минуты"),
        (timedelta(minutes=5), "через 5 минут"),
        (timedelta(minutes=21), "через 21 минуту"),
        (timedelta(minutes=51), "через 51 минуту"),
        (timedelta(hours=21), "через 21 час"),
        (timedelta(days=1), "через 1 день"),
        (timedelta(days=2, hours=5), "через 2 дня 5 часов"),
        (timedelta(), "через 0 минут"),
    ],
)
def test_a_duration_after_a_preposition_is_in_the_accusative(length: timedelta, said: str) -> None:
    """ "In 51 minutes", as the room's clocks say it, takes another form than "51 minutes" by itself."""
    assert i18n.gettext("ru", "console.clock.in", span=moments("ru").measured(length)) == said


@pytest.mark.parametrize(
    ("header", "locale"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("de, en;q=0.5, ru;q=0.7", "ru"),
        ("fr", "ru"),
        ("", "ru"),
        ("en;q=0, zh;q=0.1", "zh"),
        ("en;q=nonsense, zh", "zh"),
        ("*", "ru"),
    ],
)
def test_accept_language_is_followed(header: str, locale: str) -> None:
    """The best-liked language we have is chosen, the default when there is none."""
    assert i18n.negotiate(header, KNOWN_LOCALES, "ru") == locale


def test_every_key_that_the_public_templates_name_exists() -> None:
    """A template cannot ask for a text that nobody wrote."""
    asked = set()
    for template in (ROOT / "templates" / "public").glob("*.html"):
        asked |= set(re.findall(r'r\.(?:t|plain)\("([a-z_.]+)"[,)]', template.read_text(encoding="utf-8")))
    assert asked
    assert {f"page.{key}" for key in asked} <= set(i18n.catalogue("en"))
