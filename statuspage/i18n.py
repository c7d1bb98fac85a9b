"""Words and moments in the reader's language: one folder of catalogues per locale, plural rules by CLDR."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale

TRANSLATIONS = Path(__file__).resolve().parent / "translations"
KNOWN_LOCALES = ("ru", "zh", "en")
LANGUAGE_TAGS: Mapping[str, str] = {"ru": "ru", "zh": "zh-Hans", "en": "en"}
LANGUAGE_NAMES: Mapping[str, str] = {"ru": "Русский", "zh": "中文", "en": "English"}

_CLDR: Mapping[str, str] = {"ru": "ru", "zh": "zh_Hans", "en": "en"}
_CATEGORIES = frozenset(("zero", "one", "two", "few", "many", "other"))
_SLOT = re.compile(r"\{([a-z_]+)\}")
_AFTER_NUMBER = re.compile(r"(?<=\d) ")

# A message is a sentence, or one sentence for each plural category of the language.
Message = str | Mapping[str, str]


class UnknownText(KeyError):
    """A key, or a value that a text asks for, is absent: a fault in the program, never in the data."""


def gettext(locale: str, key: str, **values: object) -> str:
    """The text of `key` in `locale`, its slots filled; a plural text is chosen by the value named `n`."""
    return fill(template(locale, key, values.get("n")), {name: str(value) for name, value in values.items()})


def template(locale: str, key: str, n: object = None) -> str:
    """The text of `key` with its slots still open, so that a caller can escape the values for its own medium."""
    message = catalogue(locale).get(key)
    if message is None:
        raise UnknownText(f"{locale}: {key}")
    if isinstance(message, str):
        return message
    if not isinstance(n, int):
        raise UnknownText(f"{locale}: {key} is a plural and needs the number n")
    category = plural(locale, n)
    return message.get(category, message["other"])


def fill(text: str, values: Mapping[str, str]) -> str:
    """Put `values` into the slots of a text we ship, in one pass, so that a value is never read as a slot itself."""
    parts = _SLOT.split(text)
    missing = [name for name in parts[1::2] if name not in values]
    if missing:
        raise UnknownText(f"no value for {', '.join(missing)} in: {text}")
    return "".join(values[part] if position % 2 else part for position, part in enumerate(parts))


def slots(text: str) -> frozenset[str]:
    return frozenset(_SLOT.findall(text))


def plural(locale: str, n: int) -> str:
    """The CLDR plural category of `n`: one, few, many or other."""
    return _plural_rule(locale)(n)


@cache
def _plural_rule(locale: str) -> Callable[[int], str]:
    rule: Callable[[int], str] = Locale.parse(_CLDR[locale]).plural_form
    return rule


@cache
def catalogue(locale: str) -> Mapping[str, Message]:
    """Every text of a locale under its dotted key; the key's first word is the file's name."""
    if locale not in KNOWN_LOCALES:
        raise UnknownText(f"no locale {locale}; known are {', '.join(KNOWN_LOCALES)}")
    texts: dict[str, Message] = {}
    for source in sorted(TRANSLATIONS.joinpath(locale).glob("*.toml")):
        texts.update(_flatten(tomllib.loads(source.read_text(encoding="utf-8")), source.stem))
    return texts


def _flatten(table: Mapping[str, Any], prefix: str) -> dict[str, Message]:
    flat: dict[str, Message] = {}
    for name, value in table.items():
        key = f"{prefix}.{name}"
        if isinstance(value, str) or _CATEGORIES.issuperset(value):
            flat[key] = value
        else:
            flat.update(_flatten(value, key))
    return flat


def listed(locale: str, names: Sequence[str], *, most: int | None = None, opening: bool = False) -> str:
    """Names as one list of a sentence. More than `most` are folded: the first ones, and how many more there are.

    `opening`: the list begins the sentence. Names after that lose their capital letter.
    """
    shown = list(names) if most is None or len(names) <= most else list(names[: most - 1])
    said = [name if opening and not place else lowered(name) for place, name in enumerate(shown)]
    joined = gettext(locale, "moments.list_separator").join(said)
    folded = len(names) - len(shown)
    return gettext(locale, "moments.list_folded", names=joined, n=folded) if folded else joined


def lowered(name: str) -> str:
    """A name inside a sentence, unless it is an abbreviation such as SMS or a brand such as iPay."""
    return name if name[1:2].isupper() or not name[1:2].isalpha() else name[:1].lower() + name[1:]


def together(text: str) -> str:
    """The text without places to break a line between a number and what it counts."""
    return _AFTER_NUMBER.sub("\N{NO-BREAK SPACE}", text)


def nearest(locale: str, written: Collection[str], default: str) -> str:
    """Of the locales a text is `written` in, the one to show a reader of `locale`: theirs, else English, which more
    strangers read than any other language, else `default`."""
    return next((one for one in (locale, "en") if one in written), default)


def negotiate(accept_language: str, offered: Sequence[str], default: str) -> str:
    """The offered locale that a browser's Accept-Language likes best (RFC 9110 §12.5.4); `default` when none fits."""
    best, best_quality = default, 0.0
    for part in accept_language.split(",")[:20]:
        tag, _, parameters = part.strip().lower().partition(";")
        name, _, number = parameters.strip().partition("=")
        try:
            quality = float(number) if name.strip() == "q" else 1.0
        except ValueError:
            continue
        locale = tag.partition("-")[0].strip()
        if locale in offered and quality > best_quality:
            best, best_quality = locale, quality
    return best


@dataclass(frozen=True, slots=True)
class Moments:
    """Prints points of time: absolute, in the operator's zone, an exclusive end as 24:00 of the day before.

    Every datetime passed in is aware. The year is printed when it differs from that of `around`.
    """

    locale: str
    zone: ZoneInfo
    around: datetime

    def moment(self, at: datetime) -> str:
        """Day, time and zone: 22.11 14:20 MSK."""
        return self._say("moment", self._local(at), zone=self.zone_name(at))

    def clock(self, at: datetime, beside: datetime | None = None) -> str:
        """The bare time when the day is that of `beside`, which stands in the same sentence; else day and time."""
        local = self._local(at)
        if beside is not None and self._local(beside).date() == local.date():
            return f"{local:%H:%M}"
        return self.day_and_time(at)

    def day_and_time(self, at: datetime) -> str:
        return self._say("day_and_time", self._local(at))

    def in_sentence(self, at: datetime) -> str:
        """Day and time as the language says them inside a sentence: «22.11 в 10:20»."""
        return self._say("in_sentence", self._local(at))

    def until(self, end: datetime) -> str:
        """An exclusive end; midnight reads as 24:00 of the day that ends, which nobody takes for another day."""
        return self._say("until", *self._closing(end))

    def by(self, end: datetime, beside: datetime | None = None) -> str:
        """A deadline, its day left out when it is the day of `beside`."""
        day, clock = self._closing(end)
        if beside is not None and self._local(beside).date() == day:
            return clock
        return self._say("by", day, clock)

    def zoned(self, said: str, at: datetime) -> str:
        """`said`, a form of `at` above, with the zone it is meant in: a reader may live in another."""
        return gettext(self.locale, "moments.zoned", said=said, zone=self.zone_name(at))

    def exact(self, at: datetime) -> str:
        """To the second, with the zone: what the page's own age is read from."""
        return self._say("exact", self._local(at), zone=self.zone_name(at), seconds=f"{self._local(at):%H:%M:%S}")

    def day(self, of: date) -> str:
        return self._say("day", of)

    def month(self, of: date) -> str:
        name = gettext(self.locale, f"moments.month_{of.month}")
        return gettext(self.locale, "moments.month", name=name, year=of.year)

    def duration(self, length: timedelta) -> str:
        """Days and hours, hours and minutes, or minutes: the two largest units, rounded down."""
        return self._duration(length, "")

    def measured(self, length: timedelta) -> str:
        """`duration` in the accusative, as it stands after «через» and «на»: «через 51 минуту»."""
        return self._duration(length, "measured_")

    def _duration(self, length: timedelta, case: str) -> str:
        minutes = int(length.total_seconds()) // 60
        days, hours = minutes // 1440, minutes // 60 % 24
        parts = [("days", days), ("hours", hours)] if days else [("hours", hours), ("minutes", minutes % 60)]
        said = [gettext(self.locale, f"moments.{case}{unit}", n=count) for unit, count in parts if count]
        return gettext(self.locale, "moments.joined").join(said) or gettext(self.locale, f"moments.{case}minutes", n=0)

    def zone_name(self, at: datetime) -> str:
        """The zone as people there call it: MSK, МСК, 北京时间; an offset where no name is known."""
        known = catalogue(self.locale).get("moments.zone_" + self.zone.key.replace("/", "_"))
        if isinstance(known, str):
            return known
        offset = at.astimezone(self.zone).utcoffset() or timedelta()
        sign, minutes = ("-" if offset < timedelta() else "+"), abs(int(offset.total_seconds())) // 60
        rest = f"{sign}{minutes // 60}" + (f":{minutes % 60:02d}" if minutes % 60 else "")
        return gettext(self.locale, "moments.zone_offset", offset=f"UTC{rest}" if minutes else "UTC")

    def zone_spoken(self, at: datetime) -> str:
        """The zone as a voice says it inside a sentence: «по московскому времени»."""
        known = catalogue(self.locale).get("moments.spoken_" + self.zone.key.replace("/", "_"))
        return known if isinstance(known, str) else self.zone_name(at)

    def iso(self, at: datetime) -> str:
        return self._local(at).isoformat(timespec="seconds")

    def _local(self, at: datetime) -> datetime:
        return at.astimezone(self.zone)

    def _closing(self, end: datetime) -> tuple[date, str]:
        local = self._local(end)
        if (local.hour, local.minute) == (0, 0):
            return local.date() - timedelta(days=1), "24:00"
        return local.date(), f"{local:%H:%M}"

    def _say(self, form: str, day: date, clock: str | None = None, **values: str) -> str:
        if clock is None and isinstance(day, datetime):
            clock = f"{day:%H:%M}"
        year = "_year" if day.year != self._local(self.around).year else ""
        printed = gettext(
            self.locale,
            f"moments.date{year}",
            day=f"{day.day:02d}",
            month=f"{day.month:02d}",
            d=str(day.day),
            m=str(day.month),
            year=str(day.year),
        )
        return gettext(self.locale, f"moments.{form}", date=printed, time=clock or "", **values)
