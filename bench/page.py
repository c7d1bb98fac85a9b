"""How fast the public page is answered, against a bare ASGI application that sends the same bytes from the same server.

    python bench/page.py [--seconds 3] [--rounds 3]

Prints requests per second and the server's own processor time per request, in alternating rounds, with medians.
The load comes from this process over keep-alive connections on loopback and is itself slower than the server, so the
ratio of processor time is the one that tells what the front costs.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from statuspage.publish.mirror import Mirror  # noqa: E402 -- a script of its own finds the project first
from statuspage.publish.site import compress, render  # noqa: E402
from statuspage.web.front import make_front  # noqa: E402
from tests.publish import views  # noqa: E402

CONNECTIONS = 32
FOLDER = "BENCH_PUBLIC_DIR"

Event = MutableMapping[str, Any]


def publish(root: Path) -> bytes:
    """Mirror the sample outage; the gzip bytes of its English front page."""
    site, mirror = render(views.OUTAGE), Mirror(root)
    for artifact in site.artifacts.values():
        packed = compress(artifact.body)
        forms = {"": artifact.body}
        if artifact.encodings:
            forms |= {"gzip": packed.gzip, "br": packed.brotli}
        mirror.store(artifact.sha256, forms)
    mirror.switch(site.manifest())
    return compress(site.artifacts["/en/"].body).gzip


def bare(body: bytes) -> Callable[..., Awaitable[None]]:
    """The limit: an application that knows one answer."""
    start = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]}

    async def app(scope: Event, _receive: object, send: Callable[[Event], Awaitable[None]]) -> None:
        if scope["type"] == "http":
            await send(start)
            await send({"type": "http.response.body", "body": body})

    return app


async def one_connection(port: int, request: bytes, until: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answered = 0
    while time.monotonic() < until:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
        assert lines[0].split()[1] in (b"200", b"304"), lines[0]
        if b" 304 " not in lines[0]:
            await reader.readexactly(length)
        answered += 1
    writer.close()
    return answered


async def load(port: int, seconds: float, extra: str = "") -> float:
    request = f"GET /en/ HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n{extra}\r\n".encode()
    until = time.monotonic() + seconds
    return sum(await asyncio.gather(*(one_connection(port, request, until) for _ in range(CONNECTIONS)))) / seconds


def measure(server: subprocess.Popen[bytes], port: int, seconds: float, extra: str = "") -> tuple[float, float]:
    """Requests per second, and microseconds of the server's processor time per request."""
    before = processor(server)
    rate = asyncio.run(load(port, seconds, extra))
    return rate, (processor(server) - before) / (rate * seconds) * 1e6


def processor(server: subprocess.Popen[bytes]) -> float:
    """Seconds of processor time that the server and its worker have used."""
    parent = psutil.Process(server.pid)
    times = [one.cpu_times() for one in (parent, *parent.children(recursive=True))]
    return float(sum(one.user + one.system for one in times))


def serve(name: str, folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "granian", "--interface", "asginl", "--port", str(port), "--no-ws"]
    command += ["--log-level", "warning", f"bench.page:{name}"]
    server = subprocess.Popen(command, cwd=ROOT, env={**os.environ, FOLDER: str(folder)})
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            break
    return server, port


def __getattr__(name: str) -> Any:
    """The two applications, made when the server asks for one by its name."""
    if name == "front":
        return make_front(Path(os.environ[FOLDER]), None)
    if name == "limit":
        return bare((Path(os.environ[FOLDER]) / "body").read_bytes())
    raise AttributeError(name)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        body = publish(folder)
        (folder / "body").write_bytes(body)
        etag = f'"{Mirror(folder).manifest().entries["/en/"].sha256[:32]}-gzip"'
        front, front_port = serve("front", folder)
        limit, limit_port = serve("limit", folder)
        try:
            ratios, costs, unchanged = [], [], []
            for place in range(1, chosen.rounds + 1):
                rate, cost = measure(limit, limit_port, chosen.seconds)
                front_rate, front_cost = measure(front, front_port, chosen.seconds)
                _, cost_304 = measure(front, front_port, chosen.seconds, f"If-None-Match: {etag}\r\n")
                ratios.append(front_rate / rate)
                costs.append(cost / front_cost)
                unchanged.append(cost / cost_304)
                print(
                    f"round {place}: bare {rate:,.0f}/s {cost:.0f} µs   front {front_rate:,.0f}/s {front_cost:.0f} µs"
                    f"   304 {cost_304:.0f} µs"
                )
        finally:
            for server in (front, limit):
                server.terminate()
                server.wait(10)
        print(f"page of {len(body):,} bytes (gzip), {CONNECTIONS} connections, one worker each")
        print(f"requests, front / bare: {statistics.median(ratios):.2f}")
        print(f"speed by processor time, front / bare: {statistics.median(costs):.2f}")
        print(f"the same of a 304: {statistics.median(unchanged):.2f}")


if __name__ == "__main__":
    main()
