"""The same news in a few words, for channels that are not the page: SMS, a voice menu, USSD, a notice in the shop.

The order is that of tried outage messages: sender, what fails, since when, the promise, what not to do, where to look.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from babel.dates import format_date

from statuspage import i18n
from statuspage.domain.route import RouteKind, RouteState
from statuspage.publish.headline import HeadlineKind, working_again
from statuspage.publish.reader import Reader
from statuspage.publish.view import PromiseView

_CLDR_DATE = {"ru": ("ru", "d MMMM"), "zh": ("zh_Hans", "M月d日"), "en": ("en", "d MMMM")}


def short_texts(reader: Reader) -> dict[str, str]:
    """Channel → text."""
    channels: dict[str, Callable[[Reader], str]] = {"sms": sms, "ussd": ussd, "ivr": ivr, "shop": shop}
    return {channel: write(reader) + "\n" for channel, write in channels.items()}


def sms(reader: Reader) -> str:
    """The news as an SMS: everything a person needs without a link, which an SMS of ours never carries."""
    parts = [_opening(reader), _also(reader), _promise(reader), _twice(reader), _next(reader), _phone(reader)]
    return _joined(reader, parts)


def ussd(reader: Reader) -> str:
    """The sentence and the promise, without since when: USSD shows 91 characters outside GSM-7."""
    return _joined(reader, [_opening(reader, dated=False), _promise(reader)])


def ivr(reader: Reader) -> str:
    """To be read aloud: dates in words, no abbreviations."""
    top, locale = reader.headline, reader.locale
    name = reader.view.operator.name
    parts: list[str | None] = []
    if top.kind is HeadlineKind.OK:
        parts.append(_say(locale, "ivr.ok", operator=name))
    elif top.kind is HeadlineKind.REPAIRED:
        parts.append(_say(locale, "ivr.repaired", operator=name, sentence=reader.sentence()))
        if reader.crediting is not None:
            parts.append(_say(locale, f"ivr.{reader.crediting.kind}"))
    elif top.incident is not None:
        began = top.incident.started_at
        parts.append(_say(locale, "ivr.down", operator=name, sentence=reader.sentence(), **_spoken(reader, began)))
    else:
        parts.append(_opening(reader))
    parts.append(_also(reader))
    given = _for_all(reader)
    if given is not None:
        spoken = _spoken(reader, given.until)
        form = "ivr.promise_day" if spoken["time"] == "24:00" else "ivr.promise_time"
        parts.append(_say(locale, form, **spoken))
    if reader.pay_once:
        parts.append(_say(locale, "ivr.twice"))
        parts += [
            _ways(reader, "ivr.ways", RouteState.WORKS),
            _ways(reader, "ivr.ways_delayed", RouteState.WORKS_DELAYED),
        ]
    due = _due(reader)
    if due is not None:
        parts.append(_say(locale, "ivr.next", **_spoken(reader, due)))
    return _joined(reader, parts)


def shop(reader: Reader) -> str:
    """A notice to print and hang on the door, one fact a line."""
    locale = reader.locale
    lines = [
        _say(locale, "shop.title", operator=reader.view.operator.name),
        "",
        reader.sentence() + ("。" if locale == "zh" else "."),
        _also(reader),
        _promise(reader),
        _twice(reader),
        _ways(reader, "shop.works", RouteState.WORKS),
        _ways(reader, "shop.delayed", RouteState.WORKS_DELAYED),
        _ways(reader, "shop.down", RouteState.DOWN),
        _next(reader),
        _phone(reader),
        "",
        _say(locale, "shop.as_of", time=reader.moments.moment(reader.view.as_of)),
    ]
    return "\n".join(line for line in lines if line is not None)


def _opening(reader: Reader, *, dated: bool = True) -> str:
    top, name = reader.headline, reader.view.operator.name
    if top.kind is HeadlineKind.OK:
        return _say(reader.locale, "ok", operator=name)
    if top.incident is None or not dated:
        return _say(reader.locale, "down_open", operator=name, sentence=reader.sentence())
    began = (top.incident.restored_at if top.incident.repaired else None) or top.incident.started_at
    key = "repaired" if top.kind is HeadlineKind.REPAIRED else "down"
    since = reader.moments.zoned(reader.moments.in_sentence(began), began)
    return _say(reader.locale, key, operator=name, sentence=reader.sentence(), since=since)


def _also(reader: Reader) -> str | None:
    """What else is open, the worse first; of what is repaired nothing while others hold all of its services."""
    telling = [one for one in reader.others if not one.repaired or working_again(reader.view, one)]
    said = [i18n.lowered(reader.sentence(one)) for one in telling]
    return _say(reader.locale, "also", sentences=_say(reader.locale, "also_separator").join(said)) if said else None


def _promise(reader: Reader) -> str | None:
    given = _for_all(reader)
    if given is None:
        return None
    until = reader.moments.zoned(reader.moments.until(given.until), given.until)
    return _say(reader.locale, "promise", until=until)


def _for_all(reader: Reader) -> PromiseView | None:
    """Of several promises the one that ends first: a few words cannot say to whom a later end is promised."""
    return next(reversed(reader.promises), None)


def _twice(reader: Reader) -> str | None:
    return _say(reader.locale, "twice") if reader.pay_once else None


def _due(reader: Reader) -> datetime | None:
    incident = reader.headline.incident
    if incident is None or incident.next_update_at is None or incident.next_update_at <= reader.view.as_of:
        return None
    return incident.next_update_at


def _next(reader: Reader) -> str | None:
    due = _due(reader)
    if due is None or reader.headline.incident is None:
        return None
    said = reader.moments.by(due, beside=reader.headline.incident.started_at)
    return _say(reader.locale, "next", time=reader.moments.zoned(said, due))


def _phone(reader: Reader) -> str | None:
    phone = reader.view.operator.support_phone
    return _say(reader.locale, "phone", phone=phone) if phone else None


def _ways(reader: Reader, key: str, state: RouteState) -> str | None:
    """The sentence `key` about every way to pay that is in `state`; nothing when none is."""
    chosen = [route for route in reader.routes(RouteKind.PAYMENT) if route.state is state]
    named = [f"{reader.say(route.name)} {route.code}" if route.code else reader.say(route.name) for route in chosen]
    names = i18n.gettext(reader.locale, "moments.list_separator").join(named)
    return _say(reader.locale, key, names=names) if names else None


def _spoken(reader: Reader, at: datetime) -> dict[str, str]:
    """Day, time and zone as a voice says them; midnight is the end of the day before."""
    local = at.astimezone(reader.moments.zone)
    midnight = (local.hour, local.minute) == (0, 0)
    day = local.date() - timedelta(days=1) if midnight else local.date()
    locale, pattern = _CLDR_DATE[reader.locale]
    clock = "24:00" if midnight else f"{local:%H:%M}"
    return {"date": format_date(day, pattern, locale=locale), "time": clock, "zone": reader.moments.zone_spoken(at)}


def _joined(reader: Reader, parts: list[str | None]) -> str:
    return _say(reader.locale, "separator").join(part for part in parts if part)


def _say(locale: str, key: str, **values: str) -> str:
    return i18n.gettext(locale, f"text.{key}", **values)
