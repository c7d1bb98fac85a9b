"""Where the stand-ins call back in these tests: keeps each request as the web process would see it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

from notifiers.base import CallbackRequest, utc_now


@dataclass
class Listener:
    url: str
    received: list[CallbackRequest] = field(default_factory=list)


@contextmanager
def listening() -> Iterator[Listener]:
    listener = Listener("")

    class Keep(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            url = urlsplit(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = dict(self.headers.items())
            listener.received.append(CallbackRequest(url.path, url.query, headers, body, utc_now()))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Keep)
    listener.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield listener
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
