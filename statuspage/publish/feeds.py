"""Feeds: one item an incident (history) or one an update (updates), in RSS and Atom, and a JSON Feed.

Every date is that of a real change, never of the rendering, so that an unchanged feed keeps its bytes and its ETag.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from html import unescape
from typing import Any
from urllib.parse import urlsplit

from feedgen.feed import FeedGenerator
from markupsafe import Markup

from statuspage.domain.incident import cause_told
from statuspage.publish import gist
from statuspage.publish.promises import of_incident
from statuspage.publish.reader import Reader
from statuspage.publish.view import IncidentView, UpdateView

ITEMS = 50


@dataclass(frozen=True, slots=True)
class Item:
    """`id` is a tag URI (RFC 4151) that stays the same through every later update of the same thing."""

    id: str
    link: str
    title: str
    html: Markup
    published: datetime
    updated: datetime
    incident: IncidentView


def history(reader: Reader) -> list[Item]:
    """One item an incident, all its updates inside, the latest incident first."""
    return [
        Item(
            id=_tag(reader, f"Incident/{incident.id}"),
            link=_link(reader, incident),
            title=reader.say(incident.title),
            html=Markup("").join(_told(reader, incident, update) for update in incident.updates),
            published=incident.created_at,
            updated=incident.updated_at,
            incident=incident,
        )
        for incident in _latest(reader)
    ]


def updates(reader: Reader) -> list[Item]:
    """One item an update, the latest first: what a chat channel or a reader that never re-reads needs."""
    told = [(update, incident) for incident in _latest(reader) for update in incident.updates]
    told.sort(key=lambda pair: (pair[0].at, pair[0].id), reverse=True)
    return [
        Item(
            id=_tag(reader, f"Update/{update.id}"),
            link=_link(reader, incident),
            title=f"{reader.step(incident, update.state)}: {reader.say(incident.title)}",
            html=_told(reader, incident, update),
            published=update.at,
            updated=max(update.updated_at, update.at),
            incident=incident,
        )
        for update, incident in told[:ITEMS]
    ]


def rss(reader: Reader, items: list[Item], path: str) -> bytes:
    feed = _feed(reader, items, path, "application/rss+xml")
    feed.title(spelled_for_rss(_title(reader)))
    for item in items:
        entry = feed.add_entry(order="append")
        entry.title(spelled_for_rss(item.title))
        entry.link(href=item.link)
        entry.description(str(item.html))
        # After `description`, `guid` alone: feedgen's `id` would mark it a permalink or not by its own rule.
        entry.guid(item.id, permalink=False)
        entry.pubDate(item.updated)
    document: bytes = feed.rss_str(pretty=True)
    return document


def atom(reader: Reader, items: list[Item], path: str) -> bytes:
    feed = _feed(reader, items, path, "application/atom+xml")
    for item in items:
        entry = feed.add_entry(order="append")
        entry.id(item.id)
        entry.title(item.title)
        entry.link(href=item.link, rel="alternate")
        entry.content(str(item.html), type="html")
        entry.published(item.published)
        entry.updated(item.updated)
    document: bytes = feed.atom_str(pretty=True)
    return document


def json_feed(reader: Reader, items: list[Item], path: str) -> bytes:
    """JSON Feed 1.1; `_incident` carries what a machine asks first: state, next update, the end of the promise."""
    operator = reader.view.operator
    document = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": _title(reader),
        "home_page_url": reader.absolute(reader.link("/")),
        "feed_url": reader.absolute(path),
        "language": reader.tag,
        "authors": [{"name": operator.name}],
        "items": [
            {
                "id": item.id,
                "url": item.link,
                "title": item.title,
                "content_html": str(item.html),
                "date_published": _stamp(item.published),
                "date_modified": _stamp(item.updated),
                "_incident": _facts(reader, item.incident),
            }
            for item in items
        ],
    }
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()


def _facts(reader: Reader, incident: IncidentView) -> dict[str, Any]:
    made = of_incident(reader.view, incident)
    return {
        "id": incident.id,
        "state": incident.state.value,
        "impact": incident.impact.value,
        "cause": incident.cause.value if cause_told(incident.state, incident.cause) else None,
        "started_at": _stamp(incident.started_at),
        "restored_at": _maybe(incident.restored_at),
        "resolved_at": _maybe(incident.resolved_at),
        "next_update_at": _maybe(incident.next_update_at if incident.is_open else None),
        "expected_end_at": _maybe(incident.expected_end_at),
        "credited_by": _maybe(incident.credited_by),
        "components": list(incident.component_ids),
        # Of several the end that comes first: it holds for all of them.
        "grace_until": _maybe(made[-1].until if made else None),
        "grace_segments": [key for one in made for key in one.segments],
    }


def _feed(reader: Reader, items: list[Item], path: str, media_type: str) -> FeedGenerator:
    feed = FeedGenerator()
    feed.id(_tag(reader, f"Feed{path}"))
    feed.title(_title(reader))
    feed.subtitle(reader.plain("history.lead"))
    feed.author(name=reader.view.operator.name)
    feed.language(reader.tag)
    feed.generator("statuspage")
    # RSS takes its channel link from the last one added, so the page comes after the feed itself.
    feed.link(href=reader.absolute(path), rel="self", type=media_type)
    feed.link(href=reader.absolute(reader.link("/")), rel="alternate")
    changed = max((item.updated for item in items), default=reader.view.updated_at)
    feed.updated(changed)
    feed.lastBuildDate(changed)
    return feed


def _title(reader: Reader) -> str:
    return f"{reader.view.operator.name}: {reader.plain('home')}"


def spelled_for_rss(title: str) -> str:
    """The title spelled so that it reads the same to everybody: of RSS nobody has said whether a title is text or HTML.

    Atom (RFC 4287 §3.1.1: text, when it names no type) and JSON Feed have, so there it stands as it was written.
    """
    # The wide ampersand reads the same and begins no reference; "AT&T" begins none either and stays.
    whole = title if unescape(title) == title else title.replace("&", "＆")
    return whole.replace("<", "‹").replace(">", "›")


def _latest(reader: Reader) -> list[IncidentView]:
    ordered = sorted(reader.view.incidents, key=lambda one: (one.updated_at, one.id), reverse=True)
    return ordered[:ITEMS]


def _told(reader: Reader, incident: IncidentView, update: UpdateView) -> Markup:
    text = update.body[reader.locale]
    note = reader.pending(text)
    parts = [
        Markup("<p><small>{}</small><br><strong>{}</strong></p>").format(
            reader.moments.moment(update.at), reader.step(incident, update.state)
        ),
        reader.prose(text),
    ]
    if note:
        parts.append(Markup("<p><small>{}</small></p>").format(note))
    if incident.is_open and update is incident.updates[0]:
        # Below the newest words alone, and without a date of its own: a way to pay that was checked again wakes nobody.
        parts.append(gist.html(Reader(reader.view, reader.locale, kept=True), incident))
    return Markup("").join(parts)


def _tag(reader: Reader, what: str) -> str:
    host = urlsplit(reader.view.operator.base_url).hostname or "localhost"
    return f"tag:{host},2005:{what}"


def _link(reader: Reader, incident: IncidentView) -> str:
    return reader.absolute(reader.link(f"/incidents/{incident.id}"))


def _stamp(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def _maybe(at: datetime | None) -> str | None:
    return _stamp(at) if at else None
