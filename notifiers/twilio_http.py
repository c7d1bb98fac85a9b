"""The SDK's asynchronous transport with what it lacks: a timeout that holds, Retry-After, silence in the log.

Loaded by `TwilioSms.open` only, since it pulls in the SDK and aiohttp. The SDK's own `timeout` is ignored and its
`max_retries` posts a message again on 503, so neither is ever set.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import aiohttp
from twilio.base.exceptions import TwilioException  # type: ignore[import-untyped]
from twilio.http.async_http_client import AsyncTwilioHttpClient  # type: ignore[import-untyped]
from twilio.http.response import Response  # type: ignore[import-untyped]
from twilio.rest import Client  # type: ignore[import-untyped]

from notifiers.base import Failure, NotifierError
from notifiers.twilio_account import TwilioAccount
from notifiers.twilio_codes import refusal
from notifiers.window import no_answer

CONNECT_SECONDS = 5.0


class OnePost(AsyncTwilioHttpClient):  # type: ignore[misc]
    """Sends each request exactly once and raises `NotifierError` for whatever is no answer from Twilio's API."""

    def __init__(self, window: int, answer_seconds: float) -> None:
        super().__init__(pool_connections=False)
        limits = aiohttp.ClientTimeout(
            total=None, connect=CONNECT_SECONDS, sock_connect=CONNECT_SECONDS, sock_read=answer_seconds
        )
        # The connector's own default of 100 would let a full window wait for a connection until it times out.
        self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=window), timeout=limits)
        self._auth: tuple[tuple[str, str], str] | None = None

    async def request(
        self,
        method: str,
        url: str,
        params: Any = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        **_ignored: object,
    ) -> Response:
        """Not the SDK's: that one writes the URL, and with it a person's number, into the log.

        What the SDK passes besides, its timeout and whether to follow a redirect, is settled here.
        """
        signed = {**(headers or {}), "Authorization": self._basic(auth)} if auth else headers
        try:
            async with self.session.request(
                method, url, params=params, data=data, headers=signed, allow_redirects=False
            ) as answer:
                text = await answer.text()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            raise NotifierError(Failure.NO_CONNECTION, sent="no", code=type(error).__name__) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise no_answer(type(error).__name__) from error
        if answer.status == 429 or answer.status >= 500:
            raise refusal(answer.status, None, _seconds(answer.headers.get("Retry-After")))
        return Response(answer.status, text, answer.headers)

    def _basic(self, auth: tuple[str, str]) -> str:
        if self._auth is None or self._auth[0] != auth:
            self._auth = (auth, aiohttp.encode_basic_auth(*auth))
        return self._auth[1]


class Sighting(NamedTuple):
    """A message as Twilio holds it; `status` is Twilio's word, `created_at` is in whole seconds of UTC."""

    sid: str
    status: str
    body: str
    created_at: datetime
    error_code: int | None


class TwilioApi:
    """The three calls we make, each raising `NotifierError` and nothing else of the SDK's or the network's."""

    def __init__(self, account: TwilioAccount, window: int, answer_seconds: float) -> None:
        self._transport = OnePost(window, answer_seconds)
        self._client = _client(account, self._transport)

    async def close(self) -> None:
        await self._transport.close()

    async def create(self, **fields: Any) -> str:
        """Posts one message; its SID. An answer that took it but cannot be read leaves it unknown."""
        try:
            created = await self._client.messages.create_async(**fields)
        except (TwilioException, ValueError) as error:
            raise _classify(error) from error
        if not created.sid:
            raise no_answer("no_sid")
        return str(created.sid)

    async def fetch(self, sid: str) -> Sighting | None:
        """One message, none when Twilio does not know the SID."""
        try:
            return _sighting(await self._client.messages(sid).fetch_async())
        except (TwilioException, ValueError) as error:
            if getattr(error, "status", None) == 404:
                return None
            raise _classify(error) from error

    async def newest(self, to: str, limit: int) -> list[Sighting]:
        """The newest messages to a number, whatever became of them.

        Not filtered by DateSent: a message that is still queued has none and would be missed.
        """
        try:
            listed = await self._client.messages.list_async(to=to, limit=limit, page_size=limit)
        except (TwilioException, ValueError) as error:
            raise _classify(error) from error
        return [_sighting(one) for one in listed]


def _sighting(instance: Any) -> Sighting:
    return Sighting(instance.sid, instance.status, instance.body or "", instance.date_created, instance.error_code)


def _client(account: TwilioAccount, transport: OnePost) -> Client:
    """The SDK's client, at `base_url` instead of Twilio when it is given.

    An edge or a region, also from TWILIO_EDGE and TWILIO_REGION, would rewrite the host of a stand-in
    ("127.0.0.1" becomes "127.dublin.ie1.0.1"), so they are shut out in that case.
    """
    if account.base_url is None:
        return Client(account.account_sid, account.auth_token, http_client=transport)
    # An empty mapping would make the SDK read the process's environment after all.
    nothing = {"TWILIO_EDGE": "", "TWILIO_REGION": ""}
    client = Client(account.account_sid, account.auth_token, http_client=transport, environment=nothing)
    client.api.base_url = account.base_url.rstrip("/")
    return client


def _classify(error: Exception) -> NotifierError:
    """The SDK's exceptions as ours; what carries no status is an answer that could not be read, so: unknown."""
    status: Any = getattr(error, "status", None)
    code: Any = getattr(error, "code", None)
    if not isinstance(status, int):
        return no_answer(type(error).__name__)
    return refusal(status, code if isinstance(code, int) and code != status else None)


def _seconds(header: str | None) -> float | None:
    """Retry-After as seconds; its date form is not used by Twilio and reads as absent."""
    return float(header) if header and header.isdigit() else None
