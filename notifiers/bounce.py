"""What comes back to the return path: bounces (RFC 3464), complaints (ARF, RFC 5965), and noise.

Only a mail that names one of our signed addresses is believed; the Status field is read by `smtp_codes`, not by a
library's notion of permanent.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from email import message_from_bytes
from email.message import Message as Mail
from email.policy import compat32

from notifiers.base import BadSignature, Failure, Receipt, ReceiptState
from notifiers.bounce_gate import bounded, head
from notifiers.smtp_codes import enhanced, verdict
from notifiers.verp import Named, Verp

BOUNCE_PATH = "/callbacks/mail/bounce"
_ADDRESSED = ("To", "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To")
_ORIGINAL = ("text/rfc822-headers", "message/rfc822", "message/rfc822-headers", "text/rfc822")
_STATES: dict[str, ReceiptState] = {
    "failed": "undelivered",
    "delayed": "sent",
    "delivered": "delivered",
    "relayed": "sent",
    "expanded": "sent",
}


class Bounces:
    """Reads what the mail server pipes to the bounce address, headers and all."""

    def __init__(self, provider: str, verp: Verp) -> None:
        self._provider = provider
        self._verp = verp

    def parse(self, raw: bytes, received_at: datetime) -> list[Receipt]:
        """An out-of-office answer is [].

        Raises `BadSignature` when no signed address of ours is in the first 256 kB, and when parsing it would cost
        more than a bounce may: whoever got one of our mails has an address to sign such a thing with.
        """
        read = head(raw)
        if not (self._signed(read) and bounded(read)):
            raise BadSignature(self._provider)
        try:
            return self._read(message_from_bytes(read, policy=compat32), received_at)
        except RecursionError:
            # Its thousand frames would be logged.
            raise BadSignature(self._provider) from None

    def _signed(self, read: bytes) -> bool:
        """Whether an authentic address of ours stands anywhere in it, sought without parsing."""
        text = read.decode("latin-1")
        return (self._verp.read_sender(text) or self._verp.read_message_id(text)) is not None

    def _read(self, mail: Mail, received_at: datetime) -> list[Receipt]:
        named = self._named(mail)
        if named is None:
            raise BadSignature(self._provider)
        fields = next(_reports(mail, "message/delivery-status"), None)
        if fields is not None:
            receipt = self._bounced(named, fields, received_at)
            return [] if receipt is None else [receipt]
        feedback = next(_reports(mail, "message/feedback-report"), None)
        if feedback is not None:
            return [self._complained(named, feedback, received_at)]
        return []

    def _bounced(self, named: Named, fields: dict[str, str], at: datetime) -> Receipt | None:
        action = fields.get("action", "").lower()
        status = enhanced(fields.get("status", "")) or enhanced(fields.get("diagnostic-code", ""))
        state = _STATES.get(action)
        if state is None or (state == "undelivered" and status is None):
            return None
        code = ".".join(map(str, status)) if status else None
        row = verdict(status) if status and status[0] != 2 else None
        return Receipt(
            provider=self._provider,
            provider_id=self._verp.message_id(named.delivery_id),
            delivery_id=named.delivery_id,
            attempt=named.attempt,
            status=action,
            state=state,
            at=at,
            error_code=code,
            reason=row.reason if row else None,
            # A report that says "failed" with 4.x.x gave up on a fault that may pass: worth another day.
            permanent=row.permanent if row and state == "undelivered" else False,
        )

    def _complained(self, named: Named, fields: dict[str, str], at: datetime) -> Receipt:
        """Who complains has the mail: delivered, and never again."""
        kind = fields.get("feedback-type", "abuse").lower()[:32]
        return Receipt(
            provider=self._provider,
            provider_id=self._verp.message_id(named.delivery_id),
            delivery_id=named.delivery_id,
            attempt=named.attempt,
            status=f"complaint:{kind}",
            state="delivered",
            at=at,
            error_code=None,
            reason=Failure.COMPLAINT,
            permanent=True,
        )

    def _named(self, mail: Mail) -> Named | None:
        """By the address it came to, else by what it encloses: the return path or the Message-ID of our mail."""
        for header in _ADDRESSED:
            for value in mail.get_all(header, []):
                if (named := self._verp.read_sender(str(value))) is not None:
                    return named
        enclosed = "\n".join(_enclosed(mail))
        return self._verp.read_sender(enclosed) or self._verp.read_message_id(enclosed)


def _reports(mail: Mail, kind: str) -> Iterator[dict[str, str]]:
    """Each report of that kind as one set of fields, names in lower case; a per-recipient field wins."""
    for part in mail.walk():
        if part.get_content_type() == kind:
            payload = part.get_payload()
            blocks = payload if isinstance(payload, list) else [payload]
            fields: dict[str, str] = {}
            for block in blocks:
                fields.update(_fields(block))
            yield fields


def _fields(block: object) -> dict[str, str]:
    if isinstance(block, Mail):
        pairs = {name.lower(): str(value).strip() for name, value in block.items()}
        # The parser leaves the fields of a report it does not know as a text.
        rest = block.get_payload()
        return pairs if pairs or not isinstance(rest, str) else _fields(rest)
    lines = [line.partition(":") for line in str(block).splitlines()]
    return {name.strip().lower(): value.strip() for name, colon, value in lines if colon}


def _enclosed(mail: Mail) -> Iterator[str]:
    for part in mail.walk():
        if part.get_content_type() in _ORIGINAL:
            yield from _texts(part)
        if part.get_content_type() == "message/feedback-report":
            yield from (value for fields in _reports(part, "message/feedback-report") for value in fields.values())


def _texts(part: Mail) -> Iterator[str]:
    payload = part.get_payload()
    for inner in payload if isinstance(payload, list) else [payload]:
        if isinstance(inner, Mail):
            yield from (f"{name}: {value}" for name, value in inner.items())
        else:
            yield str(inner)
