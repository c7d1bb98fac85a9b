"""The Messages resource of the stand-in for Twilio: its state, its refusals and its faults."""

from __future__ import annotations

import asyncio
import base64
import hmac
import re
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from aiohttp import web
from multidict import MultiMapping

from notifiers.base import Keyword, text_hash, utc_now
from notifiers.keywords import keyword
from notifiers.standins.chance import Chance
from notifiers.standins.ledger import Ledger
from notifiers.standins.twilio_message import Event, TwilioMessage
from notifiers.standins.twilio_webhooks import Webhooks

FAULTS = frozenset(
    {
        "busy",  # 429 with Retry-After, not taken
        "refuse",  # 400 with 21614, not taken
        "error",  # 500, not taken
        "reset",  # connection reset, not taken
        "slow",  # taken, answered after --slow-seconds
        "error_after",  # taken, answered 503
        "reset_after",  # taken, connection reset
        "undelivered",  # taken, later undelivered
        "lost",  # taken, never calls back
        "double",  # calls back twice each
        "shuffle",  # calls back in the wrong order
    }
)
MAGIC = {
    "+15005550001": (21211, "The 'To' number is not a valid phone number."),
    "+15005550002": (21612, "The 'To' phone number is not currently reachable via SMS."),
    "+15005550003": (21408, "Permission to send an SMS has not been enabled for the region."),
    "+15005550004": (21610, "Attempt to send to unsubscribed recipient."),
    "+15005550009": (21614, "'To' number is not a valid mobile number."),
}
UNDELIVERED_CODES = (30003, 30005, 30006, 30007, 30008)
_E164 = re.compile(r"\+[1-9]\d{6,14}")


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: between the steps of a message's life, and before a slow answer."""

    step: float = 0.05
    slow: float = 30.0


class TwilioMessages:
    def __init__(
        self, account_sid: str, auth_token: str, ledger: Ledger, chance: Chance, webhooks: Webhooks, pace: Pace
    ) -> None:
        self.account_sid = account_sid
        self._basic = "Basic " + base64.b64encode(f"{account_sid}:{auth_token}".encode()).decode()
        self._ledger = ledger
        self._chance = chance
        self._webhooks = webhooks
        self._pace = pace
        self._messages: dict[str, TwilioMessage] = {}
        self._blocked: set[str] = set()
        self._refused = 0

    async def create(self, request: web.Request) -> web.StreamResponse:
        """POST Messages.json: a fault's turn, then Twilio's own checks, then the message is taken."""
        if not self._authentic(request):
            return _error(401, 20003, "Authenticate")
        form = await request.post()
        fields = {name: str(value) for name, value in form.items()}
        names = dict(parse_qsl(urlsplit(fields.get("StatusCallback", "")).query))
        lot = f"{fields.get('To')}|{names.get('d')}|{names.get('a')}"
        if (fault := self._fault(request, lot)) is not None:
            return fault
        refusal = self._refusal(fields, lot)
        if refusal is not None:
            self._refused += 1
            return _error(400, *refusal)
        message = self._take(fields, names, lot)
        if self._chance.strikes("reset_after", lot):
            return _reset(request)
        if self._chance.strikes("error_after", lot):
            return _error(503, 20503, "Service unavailable")
        if self._chance.strikes("slow", lot):
            await asyncio.sleep(self._pace.slow)
        return web.json_response(message.fields(utc_now()), status=201)

    async def listing(self, request: web.Request) -> web.StreamResponse:
        """GET Messages.json: newest first, by To, From and DateSent, in pages."""
        if not self._authentic(request):
            return _error(401, 20003, "Authenticate")
        moment, query = utc_now(), request.query
        size = min(int(query.get("PageSize", "50")), 1000)
        page = int(query.get("Page", "0"))
        found = [message for message in reversed(self._messages.values()) if _matches(message, query, moment)]
        shown = found[page * size : (page + 1) * size]
        following = None
        if len(found) > (page + 1) * size:
            token = {"Page": page + 1, "PageToken": f"PA{shown[-1].sid}"}
            following = f"{request.path}?{urlencode({**query, **token})}"
        return web.json_response(
            {
                "messages": [message.fields(moment) for message in shown],
                "first_page_uri": f"{request.path}?PageSize={size}&Page=0",
                "next_page_uri": following,
                "previous_page_uri": None,
                "page": page,
                "page_size": size,
                "start": page * size,
                "end": page * size + len(shown),
                "uri": request.path_qs,
            }
        )

    async def fetch(self, request: web.Request) -> web.StreamResponse:
        """GET Messages/{sid}.json"""
        if not self._authentic(request):
            return _error(401, 20003, "Authenticate")
        message = self._messages.get(request.match_info["sid"])
        if message is None:
            return _error(404, 20404, "The requested resource was not found")
        return web.json_response(message.fields(utc_now()))

    async def inbound(self, request: web.Request) -> web.Response:
        """POST /standin/inbound {from, to, body, url, opt_out_type?}: a person answers; STOP blocks, as at Twilio."""
        asked: dict[str, str] = await request.json()
        word = keyword(asked["body"])
        if word is Keyword.STOP:
            self._blocked.add(asked["from"])
        elif word is Keyword.START:
            self._blocked.discard(asked["from"])
        sid = "SM" + text_hash(f"{asked['from']}|{asked['body']}|{utc_now().isoformat()}")
        fields = {
            "AccountSid": self.account_sid,
            "Body": asked["body"],
            "From": asked["from"],
            "MessageSid": sid,
            "SmsSid": sid,
            "To": asked["to"],
        }
        if "opt_out_type" in asked:
            fields["OptOutType"] = asked["opt_out_type"]
        self._webhooks.call(asked["url"], fields, 0.0)
        return web.json_response({"sid": sid}, status=202)

    async def counts(self, _request: web.Request) -> web.Response:
        """GET /standin/counts: how far it is; `waiting` 0 means that every callback has been made."""
        hooks = self._webhooks
        return web.json_response(
            {
                "taken": len(self._messages),
                "refused": self._refused,
                "waiting": hooks.waiting,
                "answered": hooks.answered,
                "callbacks_refused": hooks.refused,
                "callbacks_unreachable": hooks.unreachable,
            }
        )

    def _authentic(self, request: web.Request) -> bool:
        return hmac.compare_digest(request.headers.get("Authorization", ""), self._basic)

    def _fault(self, request: web.Request, lot: str) -> web.StreamResponse | None:
        if self._chance.strikes("busy", lot):
            answer = _error(429, 20429, "Too Many Requests")
            answer.headers["Retry-After"] = "1"
            return answer
        if self._chance.strikes("error", lot):
            return _error(500, 20500, "Internal Server Error")
        return _reset(request) if self._chance.strikes("reset", lot) else None

    def _refusal(self, fields: dict[str, str], lot: str) -> tuple[int, str] | None:
        to, body = fields.get("To", ""), fields.get("Body", "")
        if to in MAGIC:
            return MAGIC[to]
        if to in self._blocked:
            return MAGIC["+15005550004"]
        if _E164.fullmatch(to) is None:
            return MAGIC["+15005550001"]
        if not body:
            return 21602, "Message body is required."
        if len(body) > 1600:
            return 21617, "The concatenated message body exceeds the 1600 character limit."
        if not fields.get("From") and not fields.get("MessagingServiceSid"):
            return 21603, "A 'From' phone number is required."
        if self._chance.strikes("refuse", lot):
            return MAGIC["+15005550009"]
        return None

    def _take(self, fields: dict[str, str], names: dict[str, str], lot: str) -> TwilioMessage:
        moment = utc_now()
        message = TwilioMessage(
            account_sid=self.account_sid,
            sid=f"SM{len(self._messages) + 1:032x}",
            to=fields["To"],
            body=fields["Body"],
            sender=fields.get("From"),
            messaging_service_sid=fields.get("MessagingServiceSid"),
            created_at=moment.replace(microsecond=0),
        )
        self._live(message, moment, lot)
        self._messages[message.sid] = message
        self._ledger.write(
            {
                "sid": message.sid,
                "to": message.to,
                "text_hash": text_hash(message.body),
                "delivery": names.get("d"),
                "attempt": names.get("a"),
                "at": moment.isoformat(),
            }
        )
        if "StatusCallback" in fields and not self._chance.strikes("lost", lot):
            self._promise(message, fields["StatusCallback"], moment, lot)
        return message

    def _live(self, message: TwilioMessage, moment: datetime, lot: str) -> None:
        """Settles at once what will become of it, and when."""
        first = "accepted" if message.messaging_service_sid else "queued"
        step = timedelta(seconds=self._pace.step * (0.5 + self._chance.draw("pace", lot)))
        last = Event(moment + 2 * step, "delivered")
        if self._chance.strikes("undelivered", lot):
            code = UNDELIVERED_CODES[int(self._chance.draw("code", lot) * len(UNDELIVERED_CODES))]
            last = Event(last.at, "undelivered", code)
        message.events = [Event(moment, first), Event(moment + step, "sent"), last]

    def _promise(self, message: TwilioMessage, url: str, moment: datetime, lot: str) -> None:
        calls: Iterable[Event] = message.events[1:]
        delays = [(event.at - moment).total_seconds() for event in message.events[1:]]
        if self._chance.strikes("shuffle", lot):
            delays.reverse()
        for event, delay in zip(calls, delays, strict=True):
            for _ in range(2 if self._chance.strikes("double", lot) else 1):
                self._webhooks.call(url, message.callback(event), delay)


def _matches(message: TwilioMessage, query: MultiMapping[str], moment: datetime) -> bool:
    if "To" in query and message.to != query["To"]:
        return False
    if "From" in query and message.sender != query["From"]:
        return False
    sent = message.sent_at(moment)
    bounds = [(name, query[name]) for name in ("DateSent>", "DateSent<") if name in query]
    if bounds and sent is None:
        return False
    return all((sent >= _parse(at)) if name == "DateSent>" else (sent <= _parse(at)) for name, at in bounds if sent)


def _parse(text: str) -> datetime:
    parsed = datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _error(status: int, code: int, message: str) -> web.Response:
    more = f"https://www.twilio.com/docs/errors/{code}"
    body: dict[str, Any] = {"code": code, "message": message, "more_info": more, "status": status}
    return web.json_response(body, status=status)


def _reset(request: web.Request) -> web.StreamResponse:
    """Ends the connection with RST instead of an answer."""
    transport = request.transport
    if transport is not None:
        raw: socket.socket = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response(status=500)
