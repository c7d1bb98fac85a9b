"""Where a request really comes from: the peer, or what a trusted proxy says of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from flask import request

from statuspage.config import Network

Address = IPv4Address | IPv6Address
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
THROUGH_PROXY = "statuspage.through_proxy"
_TOLD_BY_PROXIES = ("HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_REAL_IP", "HTTP_CF_CONNECTING_IP", "HTTP_TRUE_CLIENT_IP")
"""What proxies add besides X-Forwarded-*; not believed from anybody, but a request that has one came through one."""


class TrustedProxies:
    """Believes X-Forwarded-For, -Proto and -Host only from the named networks; strips them from everybody else.

    The client is the last address in the chain that is not a trusted proxy itself. Marks what came through any proxy.
    """

    def __init__(self, app: Wsgi, networks: Sequence[Network]) -> None:
        self.app = app
        self.networks = networks

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        peer = _parse(environ.get("REMOTE_ADDR", ""))
        trusted = peer is not None and self._trusts(peer)
        if trusted or any(name in _TOLD_BY_PROXIES or name.startswith("HTTP_X_FORWARDED_") for name in environ):
            environ[THROUGH_PROXY] = True
        forwarded = {name: environ.pop(f"HTTP_X_FORWARDED_{name}", "") for name in ("FOR", "PROTO", "HOST")}
        if trusted:
            chain = [*(_parse(part) for part in forwarded["FOR"].split(",") if part.strip()), peer]
            environ["REMOTE_ADDR"] = str(self._client(chain))
            if forwarded["PROTO"] in {"http", "https"}:
                environ["wsgi.url_scheme"] = forwarded["PROTO"]
            if forwarded["HOST"]:
                environ["HTTP_HOST"] = forwarded["HOST"].split(",")[-1].strip()
        return self.app(environ, start_response)

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self.networks)

    def _client(self, chain: list[Address | None]) -> Address | None:
        for address in reversed(chain):
            if address is None or not self._trusts(address):
                return address
        return chain[0]


def _parse(text: str) -> Address | None:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def peer() -> str:
    """The client's address, or "" where it cannot be told."""
    return request.remote_addr or ""


def from_loopback() -> bool:
    """Whether the client is this machine itself; an unknown one is not, nor one behind any proxy, named or not.

    A proxy's word is not enough: one that hands on what its client wrote would make every visitor local.
    """
    address = _parse(peer())
    return address is not None and address.is_loopback and THROUGH_PROXY not in request.environ
