"""Generated subscribers: the same file for the same count, so that an audit knows what to expect of every one."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COLUMNS = (
    "account_id",
    "msisdn",
    "email",
    "iccid",
    "contact_msisdn",
    "language",
    "segment",
    "region",
    "time_zone",
    "balance",
    "currency",
    "paid_until",
    "consent_sms",
    "consent_email",
)
_LANGUAGES = ("ru", "ru", "ru", "zh", "en")
_SEGMENTS = (
    "prepaid",
    "prepaid",
    "prepaid",
    "prepaid",
    "postpaid",
    "postpaid",
    "business",
    "roamers",
    "pos_m2m",
    "pos_m2m",
)
_REGIONS = ("moscow", "moscow", "urals", "far_east", "kaliningrad")
_TERMINALS_OF_ONE_MERCHANT = 4


@dataclass(frozen=True)
class Person:
    """One line of the file."""

    account_id: str
    msisdn: str
    email: str
    iccid: str
    contact_msisdn: str
    language: str
    segment: str
    region: str
    consent_sms: str
    consent_email: str

    @property
    def told_at(self) -> str:
        """The number that is texted: never a terminal's own; empty when there is nobody to text."""
        return self.contact_msisdn or ("" if self.segment == "pos_m2m" else self.msisdn)


def people(count: int) -> Iterator[Person]:
    """`count` lines.

    Consumers, firms, and merchants whose terminals share one contact; some without an address or consent.
    """
    for n in range(count):
        segment = _SEGMENTS[n % len(_SEGMENTS)]
        terminal = segment == "pos_m2m"
        merchant = n // (len(_SEGMENTS) // 2 * _TERMINALS_OF_ONE_MERCHANT)
        yield Person(
            account_id=f"M{merchant:07d}" if terminal else f"A{n:08d}",
            msisdn="" if terminal else f"+7999{n:07d}",
            email="" if n % 3 == 0 else (f"merchant{merchant}@example.net" if terminal else f"person{n}@example.org"),
            iccid=_iccid(n) if terminal else "",
            contact_msisdn="" if not terminal or merchant % 11 == 10 else f"+7998{merchant:07d}",
            language=_LANGUAGES[(merchant if terminal else n // len(_SEGMENTS)) % len(_LANGUAGES)],
            segment=segment,
            region=_REGIONS[n // 7 % len(_REGIONS)],
            consent_sms="0" if n % 97 == 5 and not terminal else "",
            consent_email="1" if n % 2 else "",
        )


def write_csv(path: Path, count: int) -> None:
    """The subscriber file of CONTRACT's columns, UTF-8."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for person in people(count):
            writer.writerow(
                (
                    person.account_id,
                    person.msisdn,
                    person.email,
                    person.iccid,
                    person.contact_msisdn,
                    person.language,
                    person.segment,
                    person.region,
                    "",
                    "12.50",
                    "RUB",
                    "2026-11-30",
                    person.consent_sms,
                    person.consent_email,
                )
            )


def _iccid(n: int) -> str:
    """19 digits, the last one by Luhn."""
    body = f"897010{n:012d}"
    total = 0
    for position, digit in enumerate(reversed(body)):
        value = int(digit) * (2 if position % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return body + str(-total % 10)
