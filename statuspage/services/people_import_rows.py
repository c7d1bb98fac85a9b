"""Every field of a row checked and brought into its one form; a million of them in a few seconds."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from hashlib import blake2b
from operator import itemgetter
from typing import NamedTuple
from zoneinfo import available_timezones

from statuspage.domain.address import AddressError, normalise_email, normalise_iccid, normalise_msisdn
from statuspage.services.addresses import AddressKey
from statuspage.services.people_import_columns import COLUMNS, NO, YES

MEMO_LIMIT = 50_000
"""Entries of a memo before it starts anew: what does not repeat is not worth keeping."""

_ACCOUNT = re.compile(r"\w[\w./:#-]{0,63}").fullmatch
_MONEY = re.compile(r"-?[0-9]{1,14}(?:\.[0-9]{1,4})?").fullmatch
_MONEY_WITH_COMMA = re.compile(r"(-?[0-9]{1,14}),([0-9]{1,2})").fullmatch
_SPACED_THOUSANDS = re.compile(r"(?<=[0-9])[ \u00a0\u202f](?=[0-9]{3}(?![0-9]))")
_CURRENCY = re.compile(r"[A-Z]{3}").fullmatch
_LANGUAGE = re.compile(r"([a-z]{2,3})(?:[-_][A-Za-z0-9]{2,8}){0,3}").fullmatch
_SCIENTIFIC = re.compile(r"[0-9][.,]?[0-9]*[Ee]\+?[0-9]+").fullmatch
_DATE = re.compile(r"(?:([0-9]{4})[-/]([0-9]{2})[-/]([0-9]{2}))|(?:([0-9]{2})\.([0-9]{2})\.([0-9]{4}))").fullmatch
_FORMULA = ("=", "@", "+", "-", "\t", "\r")

Normalise = Callable[[str], str]


class Refused(Exception):
    """A row that is not taken: which field, and why in one word."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(field, reason)
        self.field = field
        self.reason = reason


class Fault(NamedTuple):
    """One thing wrong with a row. `field` is "" for the row as a whole, `value` what stands there."""

    field: str
    reason: str
    value: str


class Consent(NamedTuple):
    """State and legal basis of a service subscription."""

    state: str
    basis: str


_AS_TYPED: tuple[Callable[[str], str], ...] = (str, str.title, str.upper)
CONSENTS = {
    "": Consent("active", "contract"),
    **{case(word): Consent("active", "consent") for word in YES for case in _AS_TYPED},
    **{case(word): Consent("refused", "consent") for word in NO for case in _AS_TYPED},
}

_SOUND = {
    "account_id": "1",
    "msisdn": "+79161234567",
    "iccid": "89701010000000000005",
    "balance": "0",
    "currency": "RUB",
}
"""What stands in for a wrong cell while the rest of its row is checked; an empty one is sound in all other columns."""


class PersonRow(NamedTuple):
    """One line of an account and whom to tell about it. `balance` and `paid_until` are the text both databases take."""

    account: str
    key: str
    msisdn: str | None
    iccid: str | None
    segment_id: int
    region_id: int
    time_zone: str | None
    balance: str | None
    currency: str | None
    paid_until: str | None
    language: str
    sms: str | None
    sms_hash: str | None
    sms_consent: Consent
    email: str | None
    email_hash: str | None
    email_consent: Consent


class Scope(NamedTuple):
    """What segment, region, time zone and language of a row come to."""

    segment_id: int
    machine: bool
    region_id: int
    time_zone: str | None
    language: str


@dataclass(frozen=True)
class Vocabulary:
    """What this operator's rows may say. Names are in lower case: keys, and the names people gave in any language."""

    segments: Mapping[str, tuple[int, bool]]
    regions: Mapping[str, tuple[int, str]]
    locales: Collection[str]
    default_locale: str
    default_region: str


class RowChecker:
    """Reads rows of one file. Not shared between threads: it remembers what repeats."""

    def __init__(self, vocabulary: Vocabulary, key: AddressKey, columns: Mapping[str, int], width: int) -> None:
        self._words = vocabulary
        self._key = key.key
        self._width = width
        # A column the file lacks is read from the empty cell that `check` puts at the end.
        self._pick = itemgetter(*(columns.get(name, width) for name in COLUMNS))
        self._scopes: dict[tuple[str, str, str, str], Scope] = {}
        self._dates: dict[str, str | None] = {"": None}

    def check(self, cells: list[str]) -> PersonRow:
        """Refused names the first field that is not as it must be."""
        if len(cells) != self._width:
            raise Refused("", _width(cells, self._width))
        try:
            return self._read(self._pick([*cells, ""]))
        except Refused:
            trimmed = [cell.strip() for cell in cells]
            if trimmed == cells:
                raise
        return self._read(self._pick([*trimmed, ""]))

    def faults(self, cells: list[str]) -> list[Fault]:
        """Everything that is wrong with a row that `check` refused; slow, since it checks again after each find."""
        if len(cells) != self._width:
            return [Fault("", _width(cells, self._width), "")]
        said = self._pick([*cells, ""])
        row = [cell.strip() for cell in said]
        found: dict[str, Fault] = {}
        while (refused := self._refusal(row)) is not None and refused.field not in found:
            place = COLUMNS.index(refused.field)
            found[refused.field] = Fault(refused.field, refused.reason, said[place])
            row[place] = self._sound(refused.field)
        return list(found.values())

    def _refusal(self, row: list[str]) -> Refused | None:
        try:
            self._read(row)
        except Refused as refused:
            return refused
        return None

    def _sound(self, field: str) -> str:
        if field in ("segment", "region"):
            return next(iter(self._words.segments if field == "segment" else self._words.regions), "")
        return _SOUND.get(field, "")

    def _read(self, cells: Sequence[str]) -> PersonRow:
        account, msisdn, email, iccid, contact, language, segment, region, zone, balance, currency, paid = cells[:12]
        if not _ACCOUNT(account):
            raise _odd("account_id", account)
        words = (segment, region, zone, language)
        scope = self._scopes.get(words) or self._scope(words)
        number = self._number("msisdn", msisdn) if msisdn else None
        card = _address("iccid", iccid, normalise_iccid) if iccid else None
        if number is None and card is None:
            raise Refused("msisdn", "missing")
        told = self._number("contact_msisdn", contact) if contact else None if scope.machine else number
        mail = _address("email", email, normalise_email) if email else None
        if balance and not _MONEY(balance):
            balance = _money(balance)
        if currency and not _CURRENCY(currency):
            raise _odd("currency", currency)
        if balance and not currency:
            raise Refused("currency", "missing")
        until = self._dates[paid] if paid in self._dates else self._date(paid)
        try:
            sms_consent, mail_consent = CONSENTS[cells[12]], CONSENTS[cells[13]]
        except KeyError:
            sms_consent, mail_consent = _consent("consent_sms", cells[12]), _consent("consent_email", cells[13])
        return PersonRow(
            account, number or card or "", number, card, scope.segment_id, scope.region_id, scope.time_zone,
            balance or None, currency or None, until, scope.language,
            told, self._hash(told) if told else None, sms_consent,
            mail, self._hash(mail) if mail else None, mail_consent,
        )  # fmt: skip

    def _hash(self, address: str) -> str:
        # The same as AddressKey.hash, without its call: it runs twice a row.
        return blake2b(address.encode(), key=self._key, digest_size=16).hexdigest()

    def _number(self, field: str, text: str) -> str:
        try:
            return normalise_msisdn(text, self._words.default_region)
        except AddressError as error:
            raise _odd(field, text, error) from None

    def _scope(self, words: tuple[str, str, str, str]) -> Scope:
        segment, region, zone, language = words
        kind = self._words.segments.get(segment.casefold())
        place = self._words.regions.get(region.casefold())
        if kind is None:
            raise Refused("segment", "unknown" if segment else "missing")
        if place is None:
            raise Refused("region", "unknown" if region else "missing")
        if zone and zone not in _zones():
            raise Refused("time_zone", "unknown")
        scope = Scope(*kind, place[0], zone if zone and zone != place[1] else None, self._language(language))
        if len(self._scopes) >= MEMO_LIMIT:
            self._scopes.clear()
        self._scopes[words] = scope
        return scope

    def _language(self, text: str) -> str:
        if not text:
            return self._words.default_locale
        match = _LANGUAGE(text.lower())
        if match is None:
            raise _odd("language", text)
        return match[1] if match[1] in self._words.locales else self._words.default_locale

    def _date(self, text: str) -> str:
        match = _DATE(text)
        if match is None:
            raise _odd("paid_until", text)
        parts = match.group(1, 2, 3) if match[1] else match.group(6, 5, 4)
        try:
            until = date(*map(int, parts)).isoformat()
        except ValueError:
            raise Refused("paid_until", "not_a_date") from None
        if len(self._dates) >= MEMO_LIMIT:
            self._dates = {"": None}
        self._dates[text] = until
        return until


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _address(field: str, text: str, normalise: Normalise) -> str:
    try:
        return normalise(text)
    except AddressError as error:
        raise _odd(field, text, error) from None


def _consent(field: str, text: str) -> Consent:
    """For the words that stand in no usual case: "dA"."""
    found = CONSENTS.get(text.casefold())
    if found is None:
        raise Refused(field, "not_yes_or_no")
    return found


def _width(cells: Sequence[str], width: int) -> str:
    return "too_few_cells" if len(cells) < width else "too_many_cells"


def _money(text: str) -> str:
    """Spaces between thousands and a decimal comma are read; "1,234" is refused, since it may be either."""
    joined = _SPACED_THOUSANDS.sub("", text)
    if _MONEY(joined):
        return joined
    match = _MONEY_WITH_COMMA(joined)
    if match is None:
        raise _odd("balance", text)
    return f"{match[1]}.{match[2]}"


def _odd(field: str, text: str, error: AddressError | None = None) -> Refused:
    if not text:
        return Refused(field, "missing")
    if "\ufffd" in text:
        return Refused(field, "broken_encoding")
    if _SCIENTIFIC(text):
        return Refused(field, "scientific_notation")
    if text.startswith(_FORMULA) and any(letter.isalpha() or letter in "=(!|" for letter in text):
        return Refused(field, "formula")
    return Refused(field, error.code.removeprefix("address.") if error else _NOT_A[field])


_NOT_A = {
    "account_id": "not_an_account_number",
    "currency": "not_a_currency_code",
    "language": "not_a_language_code",
    "balance": "not_a_decimal",
    "paid_until": "not_a_date",
}
