from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import brotli
import pytest

from statuspage.publish.mirror import Mirror
from statuspage.publish.site import render
from statuspage.publish.view import PageView
from statuspage.web import front as front_module
from statuspage.web.front import THREADS, Front, make_front
from tests.publish import views
from tests.publish.test_mirror import fill
from tests.waiting import PATIENCE


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def show(root: Path, view: PageView = views.OUTAGE) -> None:
    mirror = Mirror(root)
    mirror.switch(fill(mirror, render(view)))


async def ask(app: Front, path: str, method: str = "GET", **headers: str) -> Answer:
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"x=1",
        "http_version": "1.1",
        "scheme": "http",
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 5),
        "root_path": "",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], found, b"".join(message.get("body", b"") for message in sent[1:]))


def get(app: Front, path: str, method: str = "GET", **headers: str) -> Answer:
    return asyncio.run(ask(app, path, method, **headers))


def flask(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    start("200 OK", [("content-type", "text/plain")])
    return [b"flask " + environ["PATH_INFO"].encode()]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published page that no test of this module changes."""
    root = tmp_path_factory.mktemp("public")
    show(root)
    return root


@pytest.fixture
def app(shown: Path) -> Front:
    return make_front(shown, flask)


def test_a_published_page_is_answered_with_its_headers(app: Front) -> None:
    """Bytes, strong ETag, caching and policy come from memory, without a cookie."""
    answer = get(app, "/en/")
    assert answer.status == 200
    assert b"Top-up and balance are down" in answer.body
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-language"] == "en"
    assert answer.headers["etag"].startswith('"')
    assert answer.headers["content-length"] == str(len(answer.body))
    assert "stale-if-error=86400" in answer.headers["cache-control"]
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("identity", None),
        ("br;q=0.0", None),
        ("abridged", None),
    ],
)
def test_the_smallest_encoding_the_reader_takes_is_sent(app: Front, accepted: str, encoding: str | None) -> None:
    """Brotli before gzip before plain; what is refused with q=0 is not sent; every form has a validator of its own."""
    plain, packed = get(app, "/ru/"), get(app, "/ru/", accept_encoding=accepted)
    assert packed.headers.get("content-encoding") == encoding
    if encoding == "br":
        assert brotli.decompress(packed.body) == plain.body
    assert (packed.headers["etag"] == plain.headers["etag"]) is (encoding is None)
    assert packed.headers["vary"] == "accept-encoding"


def test_a_reader_who_has_the_page_gets_no_body(app: Front) -> None:
    """If-None-Match with the page's validator, of any encoding or among others, is 304; another one is not."""
    etag = get(app, "/en/", accept_encoding="br").headers["etag"]
    for known in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        answer = get(app, "/en/", accept_encoding="br", if_none_match=known)
        assert (answer.status, answer.body) == (304, b"")
        assert answer.headers["etag"] == etag
    assert get(app, "/en/", if_none_match='"other"').status == 200


def test_head_tells_the_length_without_the_body(app: Front) -> None:
    """HEAD has the headers of GET and no body."""
    answer = get(app, "/en/", "HEAD")
    assert answer.body == b""
    assert int(answer.headers["content-length"]) > 1000


def test_nothing_but_reading_is_allowed(app: Front) -> None:
    """POST to a published page is refused here, not handed on."""
    answer = get(app, "/en/", "POST")
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize(("wish", "tag"), [("zh-CN,zh;q=0.9", "zh-Hans"), ("en-GB", "en"), ("fr", "ru"), ("", "ru")])
def test_an_address_without_a_language_is_answered_in_the_readers(app: Front, wish: str, tag: str) -> None:
    """Accept-Language chooses, caches are told that it did, and the answer names its own address."""
    for path in ("/", "/pay", "/incidents/p31zjtct2jer"):
        answer = get(app, path, accept_language=wish)
        assert answer.headers["content-language"] == tag
        assert answer.headers["vary"] == "accept-encoding, accept-language"
        assert answer.headers["content-location"].endswith(path)
        assert f'lang="{tag}"'.encode() in answer.body


def test_an_unknown_incident_is_not_found_in_the_readers_language(app: Front) -> None:
    """Below the published folders an unknown address is a real 404 with a page, never a task for Flask."""
    answer = get(app, "/zh/incidents/zzzzzzzzzzzz")
    assert answer.status == 404
    assert "没有这个页面".encode() in answer.body
    assert "etag" not in answer.headers
    assert get(app, "/api/v2/nothing.json").status == 404
    bare = get(app, "/incidents/zzzzzzzzzzzz", accept_language="zh-CN")
    assert (bare.status, bare.headers["content-language"]) == (404, "zh-Hans")
    assert bare.headers["vary"] == "accept-encoding, accept-language"
    assert "没有这个页面".encode() in bare.body
    assert get(app, "/en/404").status in (200, 404)


def test_a_missing_or_superfluous_slash_is_mended(app: Front) -> None:
    """/ru leads to /ru/ and /en/pay/ to /en/pay, permanently and on this host only."""
    assert get(app, "/ru").headers["location"] == "/ru/"
    answer = get(app, "/en/pay/")
    assert (answer.status, answer.headers["location"]) == (308, "/en/pay")
    assert get(app, "//evil.example/").status == 200


def test_everything_else_goes_to_flask(app: Front) -> None:
    """Console, callbacks, sign-up and unknown addresses are Flask's."""
    for path in ("/console/", "/ru/subscribe", "/callbacks/twilio/status", "/readyz", "/favicon.ico"):
        assert get(app, path).body == b"flask " + path.encode()


@pytest.mark.parametrize("published", [True, False])
def test_the_process_is_alive_whatever_flask_waits_for(shown: Path, tmp_path: Path, published: bool) -> None:
    """/healthz is answered in the event loop: threads that all wait for a database get no web process killed."""
    app = make_front(shown if published else tmp_path / "nothing", None)
    assert get(app, "/healthz").body == b"ok\n"
    assert get(app, "/healthz", "HEAD").body == b""


def test_the_page_lives_without_flask(shown: Path) -> None:
    """When the application cannot be built the page is served, and dynamic addresses say 503 in plain words."""
    app = make_front(shown, None)
    assert get(app, "/en/").status == 200
    answer = get(app, "/console/")
    assert answer.status == 503
    assert answer.headers["retry-after"] == "30"


def test_before_the_first_publication_the_console_works_and_the_page_says_503(tmp_path: Path) -> None:
    """A new installation can be set up before it has a page."""
    app = make_front(tmp_path / "nothing", flask)
    assert get(app, "/").status == 503
    assert get(app, "/console/").status == 200


def test_a_new_revision_is_shown_without_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The manifest is looked at again, and what it names is served from the next request on."""
    monkeypatch.setattr(front_module, "CHECK_EVERY", 0.0)
    show(tmp_path)
    app = make_front(tmp_path, None)
    assert b"are down" in get(app, "/en/").body
    show(tmp_path, replace(views.CALM, revision=8))
    assert b"All services work" in get(app, "/en/").body


def test_the_manifest_is_looked_at_once_a_second_at_most(app: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hot path touches no file."""
    looks: list[int] = []
    get(app, "/en/")
    monkeypatch.setattr(Mirror, "stamp", lambda _self: looks.append(1))
    for _ in range(20):
        get(app, "/en/")
    assert not looks


@pytest.mark.parametrize("damage", ["manifest", "blob"])
def test_a_broken_revision_leaves_the_old_page_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    """A manifest that cannot be read, or names a damaged blob, changes nothing for readers."""
    monkeypatch.setattr(front_module, "CHECK_EVERY", 0.0)
    show(tmp_path)
    app = make_front(tmp_path, None)
    before = get(app, "/en/").body
    site = render(replace(views.CALM, revision=8))
    if damage == "manifest":
        (tmp_path / "manifest.json").write_bytes(b"{")
    else:
        mirror = Mirror(tmp_path)
        manifest = fill(mirror, site)
        sha256 = manifest.entries["/en/"].sha256
        (tmp_path / "blobs" / sha256[:2] / sha256).write_bytes(b"torn")
        mirror.switch(manifest)
    assert get(app, "/en/").body == before


def test_a_slow_flask_request_does_not_hold_up_the_page(shown: Path) -> None:
    """While every thread of Flask hangs, the public page is answered at once."""
    free, hangs = threading.Event(), threading.Semaphore(0)

    def slow(_environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        hangs.release()
        free.wait(PATIENCE)
        start("200 OK", [("content-type", "text/plain")])
        return [b"late"]

    app = make_front(shown, slow)

    async def both() -> list[Answer]:
        hanging = [asyncio.create_task(ask(app, "/console/")) for _ in range(30)]
        for _ in range(THREADS):
            assert await asyncio.to_thread(hangs.acquire, timeout=PATIENCE)
        assert (await ask(app, "/en/")).status == 200
        assert not any(task.done() for task in hanging)
        free.set()
        return await asyncio.gather(*hanging)

    answers = asyncio.run(both())
    assert all(answer.body == b"late" for answer in answers)


def test_the_first_readers_wait_for_the_first_page(shown: Path) -> None:
    """Readers who arrive together at a web process that has just started all get the page, none a 503."""
    app = make_front(shown, None)

    async def together() -> list[Answer]:
        return list(await asyncio.gather(*(ask(app, "/ru/") for _ in range(20))))

    assert {answer.status for answer in asyncio.run(together())} == {200}


def test_lifespan_and_websockets_are_answered(app: Front) -> None:
    """The server's start and stop are acknowledged; a websocket is closed politely."""

    async def talk(kind: str, incoming: list[str]) -> list[str]:
        sent: list[str] = []

        async def receive() -> dict[str, Any]:
            return {"type": incoming.pop(0)}

        async def send(message: Any) -> None:
            sent.append(message["type"])

        await app({"type": kind}, receive, send)
        return sent

    lifespan = asyncio.run(talk("lifespan", ["lifespan.startup", "lifespan.shutdown"]))
    assert lifespan == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert asyncio.run(talk("websocket", ["websocket.connect"])) == ["websocket.close"]
