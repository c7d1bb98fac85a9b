"""What an open incident comes down to now, as a short list in the page's own words: for feeds and for documents.

Such a list is read on later days too, so it is made by a reader whose times carry their day (`Reader(…, kept=True)`).
"""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup, escape

from statuspage.domain.route import RouteKind
from statuspage.publish.reader import Reader
from statuspage.publish.view import ComponentView, IncidentView, PromiseView, RouteView


@dataclass(frozen=True, slots=True)
class Line:
    """One fact: what it is called, where it needs a name, and what is said of it; `rows` are said one below another."""

    said: Markup
    name: str = ""
    rows: tuple[Markup, ...] = ()


def lines(reader: Reader, incident: IncidentView) -> list[Line]:
    """What fails, what works, how to pay now, until when nobody is suspended, and when the next update comes.

    Like the page it leaves out what nobody has said: what works is only what somebody has seen.
    """
    fails = [_stated(reader, reader.say(one.name), reader.condition(one)) for one in touched(reader, incident)]
    works = [escape(reader.say(one)) for one in reader.unaffected()]
    ways = tuple(way(reader, route) for route in reader.front_routes(RouteKind.PAYMENT))
    credited = crediting(reader)
    found = [
        Line(_joined(reader, fails), reader.plain("incident.affects")) if fails else None,
        Line(_joined(reader, works), reader.plain("unaffected.heading")) if works else None,
        Line(Markup(""), reader.plain("route.heading"), ways) if ways else None,
        Line(credited) if credited else None,
        *(Line(promise(reader, one)) for one in reader.promises),
        Line(course(reader, incident)),
    ]
    return [line for line in found if line is not None]


def touched(reader: Reader, incident: IncidentView) -> tuple[ComponentView, ...]:
    return tuple(one for one in reader.view.components if one.id in incident.component_ids)


def way(reader: Reader, route: RouteView) -> Markup:
    """A way to pay, whom it is for when not for everybody, and what becomes of a payment made now."""
    limits = reader.limits(route)
    code = f" {route.code}" if route.code else ""
    return _stated(reader, reader.say(route.name) + code + (f" ({limits})" if limits else ""), reader.credit(route))


def crediting(reader: Reader) -> Markup | None:
    """What becomes of money that has reached us, after the request not to pay twice."""
    said = reader.credited()
    if said is None or not reader.pay_once:
        return said
    return escape(reader.gap).join([reader.t("crediting.twice"), said])


def promise(reader: Reader, given: PromiseView) -> Markup:
    """Until when nobody of whom is suspended, and what that does not cover."""
    limits = reader.t("promise.nothing_left_out")
    if given.not_covered:
        left_out = reader.separator.join(reader.say(one) for one in given.not_covered)
        limits = escape(reader.gap).join([reader.t("promise.not_covered"), escape(left_out)])
    line = reader.t("promise.line", until=reader.until(given.until))
    return escape(reader.gap).join([line, reader.t("promise.covered", covered=reader.covered(given)), limits])


def course(reader: Reader, incident: IncidentView) -> Markup:
    """Its state, where and whom it is limited to, since when, when it is expected to end, and when the next update
    comes or that it is late."""
    limits = reader.limits(incident)
    only = reader.t("headline.only", names=limits) if limits else None
    told = (only, reader.since(incident), reader.expected(incident), reader.next_update(incident))
    return Markup(" · ").join([escape(reader.state(incident)), *(one for one in told if one)])


def html(reader: Reader, incident: IncidentView) -> Markup:
    """The list as it stands in a feed, with the way to the page, since a feed's reader may keep an older copy."""
    listed = Markup("").join(_item(reader, line) for line in lines(reader, incident))
    page = Markup('<a href="{}">{}</a>').format(reader.absolute(reader.link("/")), reader.plain("gist.page"))
    older = reader.t("gist.older", page=page)
    return Markup("<p><strong>{}</strong></p><ul>{}</ul><p><small>{}</small></p>").format(
        reader.plain("gist.heading"), listed, older
    )


def text(reader: Reader, incident: IncidentView) -> str:
    """The list as plain text, a fact a line."""
    told: list[str] = []
    for line in lines(reader, incident):
        said = line.said.striptags()
        told.append(reader.plain("gist.named", name=line.name, said=said).rstrip() if line.name else said)
        told += [f"– {row.striptags()}" for row in line.rows]
    return "\n".join(told)


def _item(reader: Reader, line: Line) -> Markup:
    rows = Markup("").join(Markup("<li>{}</li>").format(row) for row in line.rows)
    name = Markup("<strong>{}</strong>").format(line.name)
    said = reader.t("gist.named", name=name, said=line.said) if line.name else line.said
    return Markup("<li>{}{}</li>").format(said, Markup("<ul>{}</ul>").format(rows) if rows else "")


def _stated(reader: Reader, name: str, state: str) -> Markup:
    return reader.t("gist.stated", name=name, state=state) if state else escape(name)


def _joined(reader: Reader, said: list[Markup]) -> Markup:
    return escape(reader.separator).join(said)
