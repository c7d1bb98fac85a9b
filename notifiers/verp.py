"""Addresses that say of themselves which delivery they belong to, and cannot be made up.

`bounce+<delivery>.<attempt>.<tag>@domain` is the envelope's sender (VERP): a bounce names its delivery however its text
is garbled. The Message-ID carries the delivery in the same way, without the attempt: a mail sent twice is one mail.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import NamedTuple

_SENDER = re.compile(r"bounce\+(\d{1,19})\.(\d{1,9})\.([0-9a-f]{20})@")
_MESSAGE_ID = re.compile(r"<?d(\d{1,19})\.([0-9a-f]{20})@")


class Named(NamedTuple):
    """`attempt` is None when only the delivery is known."""

    delivery_id: int
    attempt: int | None


class Verp:
    """Signs and reads. Hexadecimal, and read without case: relays change the case of a local part."""

    def __init__(self, secret_key: str, domain: str) -> None:
        self._key = hashlib.sha256(b"statuspage.verp\0" + secret_key.encode()).digest()
        self._domain = domain

    def sender(self, delivery_id: int, attempt: int) -> str:
        return f"bounce+{delivery_id}.{attempt}.{self._tag(f'{delivery_id}.{attempt}')}@{self._domain}"

    def message_id(self, delivery_id: int) -> str:
        """Without angle brackets."""
        return f"d{delivery_id}.{self._tag(f'id.{delivery_id}')}@{self._domain}"

    def read_sender(self, text: str) -> Named | None:
        """The delivery named by the first authentic envelope sender in `text`."""
        for delivery, attempt, tag in _SENDER.findall(text.lower()):
            if self._authentic(f"{int(delivery)}.{int(attempt)}", tag):
                return Named(int(delivery), int(attempt))
        return None

    def read_message_id(self, text: str) -> Named | None:
        for delivery, tag in _MESSAGE_ID.findall(text.lower()):
            if self._authentic(f"id.{int(delivery)}", tag):
                return Named(int(delivery), None)
        return None

    def _authentic(self, names: str, tag: str) -> bool:
        return hmac.compare_digest(self._tag(names), tag)

    def _tag(self, names: str) -> str:
        """80 bits: no one guesses one, and the local part stays within the 64 octets of RFC 5321."""
        return hashlib.blake2b(names.encode(), key=self._key, digest_size=10).hexdigest()
