"""What a customer asks during an outage, as data beside the page's own words: the key `now` of the summary document.

The same readers, promises and ways as on the page; the words' times carry their day, for whoever shows them later.
Times are ISO 8601 UTC with milliseconds, arrays are never null.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from statuspage.domain.route import RouteKind
from statuspage.publish import gist, ways
from statuspage.publish.promises import tail_days
from statuspage.publish.reader import Reader
from statuspage.publish.view import IncidentView, PromiseView, RouteView, Words

Document = dict[str, Any]


def now(reader: Reader) -> Document:
    """The worst incident, the best way to pay and the furthest promise first."""
    kept = Reader(reader.view, reader.locale, kept=True)
    return {
        "language": kept.tag,
        "incidents": [_incident(kept, one) for one in kept.view.open_incidents()],
        "not_affected": _names(kept, kept.unaffected()),
        "payment_routes": [_route(kept, one) for one in kept.routes(RouteKind.PAYMENT)],
        "crediting": _crediting(kept),
        "grace": [_promise(kept, one) for one in kept.promises],
    }


def _incident(reader: Reader, incident: IncidentView) -> Document:
    """`summary` is the list that the feeds carry, a fact a line; `state` is ours, which the outside table narrows."""
    return {
        "id": incident.id,
        "state": incident.state.value,
        "affects": [
            {"id": one.id, "key": one.key, "name": reader.say(one.name), "state": one.state.value}
            | {"text": reader.condition(one)}
            for one in gist.touched(reader, incident)
        ],
        "regions": _names(reader, incident.regions),
        "segments": list(incident.segment_keys),
        "started_at": stamp(incident.started_at),
        "restored_at": maybe(incident.restored_at),
        "expected_end_at": maybe(incident.expected_end_at),
        "next_update_at": maybe(incident.next_update_at),
        "text": gist.course(reader, incident).striptags(),
        "summary": gist.text(reader, incident),
    }


def _route(reader: Reader, route: RouteView) -> Document:
    """`state` is null where the page tells none: in peacetime nobody checks."""
    told = ways.says(reader.view, route)
    return {
        "id": route.id,
        "key": route.key,
        "name": reader.say(route.name),
        "code": route.code,
        "url": route.url,
        "state": route.state.value if told else None,
        "text": reader.credit(route),
        "credited_by": maybe(reader.waits_until(route)),
        "checked_at": maybe(reader.checked(route)),
        "receipt_needed": route.receipt_needed,
        "limits": reader.limits(route),
    }


def _crediting(reader: Reader) -> Document | None:
    """Of money that has reached us; null when nothing that payments depend on is open."""
    found, said = reader.crediting, gist.crediting(reader)
    if found is None or said is None:
        return None
    return {
        "state": found.kind.value,
        "credited_by": maybe(found.due),
        "pay_once": reader.pay_once,
        "no_way_to_pay": found.no_way,
        "text": said.striptags(),
    }


def _promise(reader: Reader, given: PromiseView) -> Document:
    """Nobody of `segments` is suspended for non-payment before `until`, an exclusive end."""
    return {
        "state": given.state.value,
        "until": stamp(given.until),
        "everybody": given.everybody,
        "segments": list(given.segments),
        "covered": _names(reader, given.covered),
        "regions": _names(reader, given.regions),
        "not_covered": _names(reader, given.not_covered),
        "tail_days": tail_days(given),
        "text": gist.promise(reader, given).striptags(),
    }


def _names(reader: Reader, words: tuple[Words, ...]) -> list[str]:
    return [reader.say(one) for one in words]


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def maybe(at: datetime | None) -> str | None:
    return stamp(at) if at else None
