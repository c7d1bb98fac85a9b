"""The whole public side of one view: every page, feed, document and text in every language, as bytes with headers."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

import brotli

from statuspage.publish import feeds
from statuspage.publish.badge import badge
from statuspage.publish.changes import turning_points
from statuspage.publish.html import content_security_policy, page
from statuspage.publish.manifest import LOST, Entry, Manifest
from statuspage.publish.reader import Reader
from statuspage.publish.statuspage_v2 import documents
from statuspage.publish.texts import short_texts
from statuspage.publish.view import PageView

# A page that says "older than an hour may be frozen" has to be younger than that for as long as the publisher lives.
REFRESH = timedelta(minutes=15)

CACHE_CONTROL = "public, max-age=15, s-maxage=30, stale-while-revalidate=60, stale-if-error=86400"

# Below this size a compressed body and its header cost more than they save.
_WORTH_COMPRESSING = 256


@dataclass(frozen=True)
class Artifact:
    """The bytes of one path. `kind` chooses the headers: page, or data that any site may read."""

    content_type: str
    kind: str
    body: bytes

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()

    @property
    def encodings(self) -> tuple[str, ...]:
        return ("br", "gzip") if len(self.body) >= _WORTH_COMPRESSING else ()


@dataclass(frozen=True, slots=True)
class Compressed:
    gzip: bytes
    brotli: bytes


def compress(body: bytes) -> Compressed:
    """Both forms, the same bytes for the same body whenever and wherever they are made."""
    return Compressed(gzip.compress(body, compresslevel=9, mtime=0), brotli.compress(body, quality=6))


@dataclass(frozen=True, slots=True)
class Site:
    view: PageView
    artifacts: Mapping[str, Artifact]
    negotiated: tuple[str, ...]

    def manifest(self) -> Manifest:
        operator = self.view.operator
        return Manifest(
            revision=self.view.revision,
            as_of=self.view.as_of,
            locales=operator.locales,
            default_locale=operator.default_locale,
            negotiated=self.negotiated,
            headers=_headers(self.view),
            entries={
                path: Entry(artifact.sha256, artifact.content_type, artifact.kind, artifact.encodings)
                for path, artifact in self.artifacts.items()
            },
        )


def render(view: PageView) -> Site:
    """Every public path. Pages without a locale are negotiated; feeds and data without one are the default locale's."""
    artifacts: dict[str, Artifact] = {}
    pages: dict[str, Artifact] = {}
    for locale in view.operator.locales:
        reader = Reader(view, locale)
        pages = dict(_pages(reader))
        artifacts.update({f"/{locale}{path}": artifact for path, artifact in pages.items()})
        artifacts.update({f"/{locale}{path}": artifact for path, artifact in _data(reader, f"/{locale}")})
        for channel, text in short_texts(reader).items():
            artifacts[f"/text/{channel}.{locale}.txt"] = _text("text/plain", text.encode())
    artifacts.update(_data(Reader(view, view.operator.default_locale), ""))
    return Site(view, artifacts, tuple(path for path in pages if path != LOST))


def _pages(reader: Reader) -> Iterator[tuple[str, Artifact]]:
    for path, name in (("/", "status"), ("/history", "history"), ("/pay", "pay"), ("/terminal", "terminal")):
        yield path, _page(page(reader, name, path))
    for incident in reader.view.incidents:
        path = f"/incidents/{incident.id}"
        yield path, _page(page(reader, "incident", path, incident))
    for moved in reader.view.moved:
        path = f"/incidents/{moved.id}"
        yield path, _page(page(reader, "moved", path, moved.to))
    yield LOST, _page(page(reader, "lost", None))


def _data(reader: Reader, prefix: str) -> Iterator[tuple[str, Artifact]]:
    for name, items in (("history", feeds.history(reader)), ("updates", feeds.updates(reader))):
        yield f"/{name}.rss", _text("application/rss+xml", feeds.rss(reader, items, f"{prefix}/{name}.rss"))
        yield f"/{name}.atom", _text("application/atom+xml", feeds.atom(reader, items, f"{prefix}/{name}.atom"))
    yield (
        "/feed.json",
        _text("application/feed+json", feeds.json_feed(reader, feeds.history(reader), f"{prefix}/feed.json")),
    )
    for path, body in documents(reader).items():
        yield path, _text("application/json", body)
    yield "/badge.svg", _text("image/svg+xml", badge(reader))


def _page(body: bytes) -> Artifact:
    return Artifact("text/html; charset=utf-8", "page", body)


def _text(media_type: str, body: bytes) -> Artifact:
    return Artifact(f"{media_type}; charset=utf-8", "data", body)


def _headers(view: PageView) -> dict[str, tuple[tuple[str, str], ...]]:
    both = [("cache-control", CACHE_CONTROL), ("x-content-type-options", "nosniff")]
    if view.operator.base_url.startswith("https:"):
        both.append(("strict-transport-security", "max-age=31536000"))
    return {
        "page": (
            *both,
            ("content-security-policy", content_security_policy(view.operator.colours)),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
        ),
        # A badge or a JSON document opened as a page of its own must not run anything either.
        "data": (*both, ("content-security-policy", "default-src 'none'"), ("access-control-allow-origin", "*")),
    }


def boundary(view: PageView, now: datetime) -> datetime:
    """The next moment after `now` at which this view's bytes change by themselves, or the page would seem frozen."""
    zone = ZoneInfo(view.operator.time_zone)
    midnight = datetime.combine(now.astimezone(zone).date() + timedelta(days=1), datetime.min.time(), zone)
    moments = [now + REFRESH, midnight.astimezone(now.tzinfo), *turning_points(view)]
    return min(at for at in moments if at > now)
