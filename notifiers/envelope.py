"""Mail as bytes: an `EmailMessage` once per (campaign, locale), then the person's few values put in.

Building one per person caps at 500 a second; filling a template in does 200,000. What the `email` package would have
checked is checked here: no value may hold a line break, and none is put where it could begin a header.
"""

from __future__ import annotations

import html
import re
from collections import OrderedDict
from datetime import datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import NamedTuple

from notifiers.base import UNSUBSCRIBE_SLOT, Failure, Message, NotifierError
from notifiers.verp import Verp

TEMPLATES_KEPT = 64
_TO, _ID, _URL = b"slot-to@slot.invalid", b"slot-id@slot.invalid", b"https://slot.invalid/url"
_DATE = b"slot-date"
_IN_TEXT, _IN_HTML = b"slot0unsubscribe0text", b"slot0unsubscribe0html"
_HEADER_SLOTS = re.compile(b"(" + b"|".join(map(re.escape, (_TO, _ID, _DATE, _URL))) + b")")
_BODY_SLOTS = re.compile(b"(" + _IN_TEXT + b"|" + _IN_HTML + b")")
# Quoted-printable may fold in the middle of a slot.
_FOLDED_SLOTS = re.compile(b"|".join(b"(?:=\r\n)?".join(bytes([one]) for one in slot) for slot in (_IN_TEXT, _IN_HTML)))
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
_LINK = re.compile(r"https?://[A-Za-z0-9._~:/?#\[\]@!$&()*+,;=%-]{1,800}")
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
        self._from = f"{_encoded(name or operator)} <{address}>"
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
            _IN_TEXT: _folded(link or ""),
            _IN_HTML: _folded(html.escape(link or "")),
        }
        body = b"".join([values.get(piece, piece) for piece in self._template(message)])
        sender = self._verp.sender(message.delivery_id, message.attempt)
        return Letter(sender, message.to, message_id, body)

    def _template(self, message: Message) -> list[bytes]:
        """The mail cut at its slots. Kept by content, so that a changed text is a new template."""
        linked = message.unsubscribe_url is not None
        key = (message.campaign, message.locale, message.subject, message.body, message.html, str(linked))
        pieces = self._templates.get(key)
        if pieces is None:
            try:
                built = self._build(message, linked)
            except ValueError as error:
                # A line break in the subject, half a surrogate pair in the text: the same for everybody.
                reason = Failure.INVALID_MESSAGE
                raise NotifierError(reason, permanent=True, code="mime", pause_campaign=True) from error
            pieces = self._templates[key] = _cut(built)
            if len(self._templates) > TEMPLATES_KEPT:
                self._templates.popitem(last=False)
        # A campaign's template stays, however many letters of one person each are made meanwhile.
        self._templates.move_to_end(key)
        return pieces

    def _build(self, message: Message, linked: bool) -> bytes:
        """Headers are written here and bodies by the package, whose new policy loses a space where it folds a Cyrillic
        subject (Python 3.11); its old `Header` does not."""
        mail = EmailMessage(policy=SMTP)
        mail.set_content(message.body.replace(UNSUBSCRIBE_SLOT, _IN_TEXT.decode()), cte="quoted-printable")
        if message.html is not None:
            markup = message.html.replace(UNSUBSCRIBE_SLOT, _IN_HTML.decode())
            mail.add_alternative(markup, subtype="html", cte="quoted-printable")
            # The package draws a boundary by chance; a fixed one keeps the bytes of a campaign the same everywhere.
            mail.set_boundary(f"=_{message.campaign}_{message.locale}")
        if _CONTROL.search(message.campaign + message.locale):
            raise ValueError("a header holds a control character")
        headers = self._headers(message, linked).items()
        return "".join(f"{name}: {value}\r\n" for name, value in headers).encode("ascii") + mail.as_bytes()

    def _headers(self, message: Message, linked: bool) -> dict[str, str]:
        headers = {
            "From": self._from,
            "To": _TO.decode(),
            "Subject": _encoded(message.subject or ""),
            "Date": _DATE.decode(),
            "Message-ID": f"<{_ID.decode()}>",
            "Content-Language": message.locale,
            "Auto-Submitted": "auto-generated",
            "Precedence": "bulk",
            "List-Id": f"<notices.{self.domain}>",
            "Feedback-ID": f"{message.campaign}:{message.locale}:status:{self.domain}",
        }
        if linked:
            headers["List-Unsubscribe"] = f"<{_URL.decode()}>"
            headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        return headers

    def _dated(self, now: datetime) -> bytes:
        second = now.replace(microsecond=0)
        if self._date is None or self._date[0] != second:
            self._date = (second, format_datetime(second).encode())
        return self._date[1]


def _encoded(text: str) -> str:
    """A header's text in ASCII (RFC 2047), folded. Raises `ValueError` for a control character, so for a line break."""
    if _CONTROL.search(text):
        raise ValueError("a header holds a control character")
    if text.isascii() and len(text) <= 60 and not set(text) & set('"(),:;<>@[\\]=?'):
        return text
    return Header(text, "utf-8", maxlinelen=75, header_name="Subject").encode(linesep="\r\n")


def _cut(built: bytes) -> list[bytes]:
    """The mail as it goes over the wire, cut at its slots: the header's and, in the body, the link."""
    head, blank, body = built.partition(b"\r\n\r\n")
    body = _FOLDED_SLOTS.sub(lambda slot: _FOLD + slot[0].replace(_FOLD, b"") + _FOLD, body)
    # With the blank line before it, also a dot that begins the body is seen.
    stuffed = (blank + body).replace(b"\r\n.", b"\r\n..") + b".\r\n"
    return [*_HEADER_SLOTS.split(head), *_BODY_SLOTS.split(stuffed)]


def _folded(link: str) -> bytes:
    """A link in quoted-printable: "=" spelled out, no line over 76, none beginning with a dot."""
    spelled = link.replace("=", "=3D")
    if len(spelled) <= 70:
        return spelled.encode()
    lines: list[str] = []
    while len(spelled) > 70:
        split = spelled.rfind("=", 68, 70)  # an escape that the cut would tear apart
        cut = 70 if split < 0 else split
        lines.append(spelled[:cut])
        spelled = spelled[cut:]
    lines.append(spelled)
    return _FOLD.join((b"=2E" + line[1:].encode()) if line.startswith(".") else line.encode() for line in lines)
