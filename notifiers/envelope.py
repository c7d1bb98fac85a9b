"""Mail as bytes: an `EmailMessage` once per (campaign, locale), then the person's few values put in.

Building one per person caps at 500 a second; filling a template in does 200,000. What the `email` package would have
checked is checked here: no value may hold a line break, and none is put where it could begin a header.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import NamedTuple

from notifiers.base import UNSUBSCRIBE_SLOT, Failure, Message, NotifierError
from notifiers.verp import Verp

TEMPLATES_KEPT = 64
_TO, _ID, _DATE, _URL = b"slot-to@slot.invalid", b"slot-id@slot.invalid", b"slotdateslot", b"https://slot.invalid/url"
_MARK = "slotunsubscribeslot"
# Quoted-printable may fold in the middle of the mark; the folds inside it go, one fold is put on either side.
_FOLDED_MARK = re.compile(b"(?:=\r\n)?".join(re.escape(bytes([each])) for each in _MARK.encode()))
_PIECES = re.compile(b"(" + b"|".join((_TO, _ID, _DATE, _URL, _MARK.encode())) + b")")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
_LINK = re.compile(r"https?://[!-;=?-~]{1,800}")
_FOLD = b"=\r\n"


class Letter(NamedTuple):
    """What goes over the wire: `body` is dot-stuffed and ends with the final dot."""

    sender: str
    recipient: str
    message_id: str
    body: bytes


class Envelopes:
    """Makes the letters of one From address. `operator` is the display name when `mail_from` brings none."""

    def __init__(self, mail_from: str, operator: str, verp: Verp) -> None:
        """Raises `ValueError` when `mail_from` is no address."""
        name, address = parseaddr(mail_from)
        if _ADDRESS.fullmatch(address) is None:
            raise ValueError(f"MAIL_FROM {mail_from!r} is no mail address; write status@example.com or Name <address>")
        self._from = Address(display_name=name or operator, addr_spec=address)
        self.domain = address.rpartition("@")[2].lower()
        self._verp = verp
        self._templates: OrderedDict[tuple[str | None, ...], list[bytes]] = OrderedDict()
        self._date: tuple[datetime, bytes] | None = None

    def letter(self, message: Message, now: datetime) -> Letter:
        """Raises `NotifierError` for an address or a link that cannot stand in a header."""
        if _ADDRESS.fullmatch(message.to) is None:
            raise NotifierError(Failure.INVALID_ADDRESS, permanent=True, code="syntax")
        link = message.unsubscribe_url
        if link is not None and _LINK.fullmatch(link) is None:
            raise NotifierError(Failure.INVALID_MESSAGE, permanent=True, code="unsubscribe_url")
        message_id = self._verp.message_id(message.delivery_id)
        values = {
            _TO: message.to.encode(),
            _ID: message_id.encode(),
            _DATE: self._dated(now),
            _URL: (link or "").encode(),
            _MARK.encode(): _folded(link or ""),
        }
        body = b"".join([values.get(piece, piece) for piece in self._template(message)])
        sender = self._verp.sender(message.delivery_id, message.attempt)
        return Letter(sender, message.to, message_id, body)

    def _template(self, message: Message) -> list[bytes]:
        """The mail in pieces, every second one a slot. Kept by content, so that a changed text is a new template."""
        linked = message.unsubscribe_url is not None
        key = (message.campaign, message.locale, message.subject, message.body, message.html, str(linked))
        pieces = self._templates.get(key)
        if pieces is None:
            pieces = self._templates[key] = _PIECES.split(self._build(message, linked))
            if len(self._templates) > TEMPLATES_KEPT:
                self._templates.popitem(last=False)
        return pieces

    def _build(self, message: Message, linked: bool) -> bytes:
        mail = EmailMessage(policy=SMTP)
        try:
            mail["Subject"] = message.subject or ""
        except ValueError as error:
            raise NotifierError(Failure.INVALID_MESSAGE, permanent=True, code="subject", pause_campaign=True) from error
        mail["From"] = self._from
        for name, value in self._headers(message, linked):
            mail[name] = value
        mail.set_content(message.body.replace(UNSUBSCRIBE_SLOT, _MARK), cte="quoted-printable")
        if message.html is not None:
            html = message.html.replace(UNSUBSCRIBE_SLOT, _MARK)
            mail.add_alternative(html, subtype="html", cte="quoted-printable")
            # The package draws a boundary by chance; a fixed one keeps the bytes of a campaign the same everywhere.
            mail.set_boundary(f"=_{message.campaign}_{message.locale}")
        whole = _FOLDED_MARK.sub(_FOLD + _MARK.encode() + _FOLD, mail.as_bytes())
        return whole.replace(b"\r\n.", b"\r\n..") + b".\r\n"

    def _headers(self, message: Message, linked: bool) -> list[tuple[str, str]]:
        status_list = f"status.{self.domain}"
        headers = [
            ("To", _TO.decode()),
            ("Date", _DATE.decode()),
            ("Message-ID", f"<{_ID.decode()}>"),
            ("Auto-Submitted", "auto-generated"),
            ("Precedence", "bulk"),
            ("List-Id", f"<{status_list}>"),
            ("Feedback-ID", f"{message.campaign}:{message.locale}:status:{self.domain}"),
            ("Content-Language", message.locale),
        ]
        if linked:
            headers.append(("List-Unsubscribe", f"<{_URL.decode()}>"))
            headers.append(("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
        return headers

    def _dated(self, now: datetime) -> bytes:
        second = now.replace(microsecond=0)
        if self._date is None or self._date[0] != second:
            self._date = (second, format_datetime(second).encode())
        return self._date[1]


def _folded(link: str) -> bytes:
    """A link in quoted-printable: "=" spelled out, no line over 76, none beginning with a dot."""
    spelled = "".join("=3D" if each == "=" else each for each in link)
    lines: list[str] = []
    while len(spelled) > 70:
        cut = 70 - ("=" in spelled[68:70]) * (70 - spelled.rindex("=", 0, 70))
        lines.append(spelled[:cut])
        spelled = spelled[cut:]
    lines.append(spelled)
    return _FOLD.join((b"=2E" + line[1:].encode()) if line.startswith(".") else line.encode() for line in lines)
