"""The public face: published bytes answered in the event loop, everything else handed to Flask's threads.

Nothing here needs the database or Flask: a host whose database is dead, or whose Flask application cannot be built,
goes on serving the last page it has. No cookie is read or set, and no query string changes what a published path says.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from a2wsgi import WSGIMiddleware

from statuspage.i18n import LANGUAGE_TAGS, negotiate
from statuspage.publish.manifest import LOST, Entry, Manifest
from statuspage.publish.mirror import BrokenMirror, Mirror
from statuspage.web.answers import Answers, WsgiApp, stoppable
from statuspage.web.bodies import USUAL, Bodies, Event, Headers, Limits, Receive, Scope, Send, plain

CHECK_EVERY = 1.0  # seconds between two looks at the manifest
THREADS = 10
ALIVE = "/healthz"
_ENCODINGS = ("br", "gzip")
# Below these only published paths exist, so that an unknown one is "not found" here and never a task for Flask.
_OWN = ("/incidents/", "/api/v2/", "/text/")

_log = logging.getLogger("statuspage.front")


@dataclass(frozen=True, slots=True)
class Form:
    """One path in one encoding, as the messages that answer it."""

    start: Event
    body: bytes
    not_modified: Event
    missing: Event  # the same bytes as an answer to an address that does not exist


@dataclass(frozen=True, slots=True)
class Page:
    etag: bytes
    forms: Mapping[str, Form]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A manifest with all its bytes in memory."""

    manifest: Manifest
    pages: Mapping[str, Page]
    negotiated: frozenset[str]
    bodies: Mapping[tuple[str, str], bytes]


class Front:
    """ASGI application over a mirror's directory; `app` is Flask's WSGI callable, None when it cannot be built."""

    def __init__(self, public_dir: Path, app: WsgiApp | None, limits: Limits = USUAL) -> None:
        self._mirror = Mirror(public_dir)
        self._dynamic: Bodies | None = None
        if app is not None:
            threads = WSGIMiddleware(stoppable(app), workers=THREADS)
            self._dynamic = Bodies(Answers(threads, limits), limits)  # type: ignore[arg-type]
        self._snapshot: Snapshot | None = None
        self._seen: tuple[int, int] | None = None
        self._checked = float("-inf")
        self._lock = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await _other_protocol(scope, receive, send)
            return
        if self._snapshot is None or time.monotonic() - self._checked >= CHECK_EVERY:
            await self._look()
        path: str = scope["path"]
        snapshot = self._snapshot
        if snapshot is None:
            await self._without_pages(path, scope, receive, send)
            return
        page = snapshot.pages.get(path)
        if page is not None:
            await _answer(page, scope, send)
        elif path in snapshot.negotiated:
            await self._negotiate(snapshot, path, scope, send)
        else:
            await self._unpublished(snapshot, path, scope, receive, send)

    async def _look(self) -> None:
        """Load the manifest when the file is another than last time; others are answered from the old one meanwhile."""
        if self._lock.locked() and self._snapshot is not None:
            return
        async with self._lock:
            if self._snapshot is not None and time.monotonic() - self._checked < CHECK_EVERY:
                return
            self._checked = time.monotonic()
            seen = self._mirror.stamp()
            if seen is None or seen == self._seen:
                return
            try:
                self._snapshot = await asyncio.to_thread(load, self._mirror, self._snapshot)
                self._seen = seen
            except BrokenMirror as error:
                _log.warning("the published page cannot be loaded, the one in memory stays: %s", error)

    async def _negotiate(self, snapshot: Snapshot, path: str, scope: Scope, send: Send, status: int = 200) -> None:
        manifest = snapshot.manifest
        wish = _header(scope, b"accept-language").decode("latin-1")
        locale = negotiate(wish, manifest.locales, manifest.default_locale)
        extra = [
            (b"content-language", LANGUAGE_TAGS[locale].encode()),
            (b"content-location", f"/{locale}{path}".encode()),
        ]
        vary = b"accept-encoding, accept-language"
        await _answer(snapshot.pages[f"/{locale}{path}"], scope, send, extra, status, vary)

    async def _unpublished(self, snapshot: Snapshot, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        other = path[:-1] if path.endswith("/") else path + "/"
        if other in snapshot.pages or other in snapshot.negotiated:
            await plain(send, 308, b"", [(b"location", quote(other).encode())])
            return
        locale, below = _split(path, snapshot.manifest)
        if below.startswith(_OWN):
            if below == path:
                await self._negotiate(snapshot, LOST, scope, send, status=404)
            else:
                await _answer(snapshot.pages[f"/{locale}{LOST}"], scope, send, status=404)
            return
        await self._flask(scope, receive, send)

    async def _without_pages(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        if path == "/" or (self._dynamic is None and path != ALIVE):
            await plain(send, 503, b"The status page has not been published yet.\n", [(b"retry-after", b"10")])
        else:
            await self._flask(scope, receive, send)

    async def _flask(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == ALIVE:
            # Answered here, so that threads which all wait for a locked database get no web process killed.
            await plain(send, 200, b"" if scope["method"] == "HEAD" else b"ok\n", [])
        elif self._dynamic is None:
            body = b"This part of the service is not available right now. The status page itself is: /\n"
            await plain(send, 503, body, [(b"retry-after", b"30")])
        else:
            await self._dynamic(scope, receive, send)


def make_front(public_dir: Path, wsgi_app: WsgiApp | None) -> Front:
    """The ASGI application of a web process."""
    return Front(public_dir, wsgi_app)


def load(mirror: Mirror, old: Snapshot | None = None) -> Snapshot:
    """The snapshot that the mirror shows now; bytes that `old` has already are not read again."""
    manifest = mirror.manifest()
    have = old.bodies if old is not None else {}
    bodies: dict[tuple[str, str], bytes] = {}
    for entry in manifest.entries.values():
        for form in ("", *entry.encodings):
            key = (entry.sha256, form)
            if key not in bodies:
                bodies[key] = have[key] if key in have else mirror.read(*key)
    pages = {path: _page(manifest, path, entry, bodies) for path, entry in manifest.entries.items()}
    return Snapshot(manifest, pages, frozenset(manifest.negotiated), bodies)


def _page(manifest: Manifest, path: str, entry: Entry, bodies: Mapping[tuple[str, str], bytes]) -> Page:
    etag = entry.sha256[:32].encode()
    shared = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in manifest.headers[entry.kind]]
    if entry.encodings:
        shared.append((b"vary", b"accept-encoding"))
    locale, below = _split(path, manifest)
    if below != path:
        shared.append((b"content-language", LANGUAGE_TAGS[locale].encode()))
    forms = {}
    for form in ("", *entry.encodings):
        body = bodies[entry.sha256, form]
        # Strong validators differ between encodings (RFC 9110 §8.8.3).
        validators = [(b"etag", b'"' + etag + (b"-" + form.encode() if form else b"") + b'"'), *shared]
        full = [
            *validators,
            (b"content-type", entry.content_type.encode()),
            (b"content-length", str(len(body)).encode()),
        ]
        if form:
            full.append((b"content-encoding", form.encode()))
        kept = [pair for pair in full if pair[0] not in (b"etag", b"cache-control")]
        forms[form] = Form(
            start={"type": "http.response.start", "status": 200, "headers": full},
            body=body,
            not_modified={"type": "http.response.start", "status": 304, "headers": validators},
            missing={
                "type": "http.response.start",
                "status": 404,
                "headers": [*kept, (b"cache-control", b"public, max-age=15")],
            },
        )
    return Page(etag, forms)


def _split(path: str, manifest: Manifest) -> tuple[str, str]:
    """The locale a path begins with, else the default one, and the path below it."""
    locale = path.removeprefix("/").partition("/")[0]
    if locale in manifest.locales:
        return locale, path.removeprefix(f"/{locale}")
    return manifest.default_locale, path


async def _answer(
    page: Page, scope: Scope, send: Send, extra: Headers | None = None, status: int = 200, vary: bytes | None = None
) -> None:
    accepted = known = b""
    for name, value in scope["headers"]:
        if name == b"accept-encoding":
            accepted = value
        elif name == b"if-none-match":
            known = value
    method = scope["method"]
    if method not in ("GET", "HEAD"):
        await plain(send, 405, b"", [(b"allow", b"GET, HEAD")])
        return
    form = page.forms[_encoding(accepted, page.forms)]
    if status == 404:
        start, body = form.missing, form.body
    elif known and (page.etag in known or known.strip() == b"*"):
        start, body = form.not_modified, b""
    else:
        start, body = form.start, form.body
    if extra is not None:
        headers = [pair for pair in start["headers"] if pair[0] not in (b"vary", b"content-language")]
        start = {**start, "headers": [*headers, *extra, (b"vary", vary or b"accept-encoding")]}
    await send(start)
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})


def _encoding(accepted: bytes, forms: Mapping[str, Form]) -> str:
    """The smallest form the reader takes; one refused with q=0 is not sent (RFC 9110 §12.5.3)."""
    if not accepted:
        return ""
    wishes = accepted.decode("latin-1").lower()
    for form in _ENCODINGS:
        if form in forms and form in wishes:
            for wish in wishes.split(","):
                name, _, quality = wish.partition(";")
                if name.strip() == form and quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000"):
                    return form
    return ""


async def _other_protocol(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1000})
        return
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def _header(scope: Scope, wanted: bytes) -> bytes:
    return next((value for name, value in scope["headers"] if name == wanted), b"")
