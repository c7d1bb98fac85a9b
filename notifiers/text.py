"""How an SMS is counted and cut: GSM-7 (3GPP TS 23.038) or UCS-2, parts with an 8-bit reference (3GPP TS 23.040).

Units are septets in GSM-7 and UTF-16 code units in UCS-2; `len()` of a Python string is neither.
"""

from __future__ import annotations

import unicodedata
from enum import StrEnum
from typing import NamedTuple

GSM7_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM7_EXTENSION = frozenset("\f^{}\\[~]|€")
_GSM7 = GSM7_BASIC | GSM7_EXTENSION


class Encoding(StrEnum):
    GSM7 = "gsm7"
    UCS2 = "ucs2"

    @property
    def single(self) -> int:
        """Units of a message that fits one segment."""
        return 160 if self is Encoding.GSM7 else 70

    @property
    def concatenated(self) -> int:
        """Units of each segment of a longer one: six octets go to the header."""
        return 153 if self is Encoding.GSM7 else 67


class Count(NamedTuple):
    encoding: Encoding
    units: int
    segments: int


def normalise(text: str) -> str:
    """Composed form (NFC): `é` as two code points would make a GSM-7 text UCS-2."""
    return text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)


def encoding_of(text: str) -> Encoding:
    return Encoding.GSM7 if _GSM7.issuperset(text) else Encoding.UCS2


def units_of(text: str, encoding: Encoding) -> int:
    """Units of `text`, which must be of `encoding` (every GSM-7 text may also be counted in UCS-2)."""
    if encoding is Encoding.GSM7:
        return len(text) + sum(text.count(character) for character in GSM7_EXTENSION)
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def count(text: str) -> Count:
    """Counts `text` as it stands; call `normalise` first. An empty text is one segment of no units."""
    encoding = encoding_of(text)
    units = units_of(text, encoding)
    if units <= encoding.single:
        return Count(encoding, units, 1)
    if units == len(text):
        return Count(encoding, units, -(-units // encoding.concatenated))
    return Count(encoding, units, len(split(text)))


def split(text: str) -> list[str]:
    """The text of each segment. Neither an escaped GSM-7 character nor a surrogate pair is cut in two."""
    encoding = encoding_of(text)
    if units_of(text, encoding) <= encoding.single:
        return [text]
    parts: list[str] = []
    begin = filled = 0
    for position, character in enumerate(text):
        size = _size(character, encoding)
        if filled + size > encoding.concatenated:
            parts.append(text[begin:position])
            begin, filled = position, 0
        filled += size
    parts.append(text[begin:])
    return parts


def segments_at_most(units: int, encoding: Encoding) -> int:
    """Upper bound for any text of up to `units` units: a segment loses at most one unit to a pair that is not cut."""
    if units <= encoding.single:
        return 1
    return -(-units // (encoding.concatenated - 1))


def _size(character: str, encoding: Encoding) -> int:
    if encoding is Encoding.GSM7:
        return 2 if character in GSM7_EXTENSION else 1
    return 2 if character > "\uffff" else 1
