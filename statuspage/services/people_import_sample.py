"""A subscriber file to begin with: it can be imported as it is, and nobody lives at its addresses."""

from __future__ import annotations

import csv
import io

from sqlalchemy.orm import Session

from statuspage.config import Settings
from statuspage.services import reference
from statuspage.services.people_import_columns import COLUMNS


def sample_file(session: Session, settings: Settings) -> str:
    """Two people and a terminal in the operator's own segments and first region; the header alone where it has none."""
    places, segments = reference.regions(session)[:1], reference.segments(session)
    told = [one.key for one in segments if not one.machine][:2]
    machines = [one.key for one in segments if one.machine][:1]
    text = io.StringIO()
    file = csv.DictWriter(text, COLUMNS, lineterminator="\r\n")
    file.writeheader()
    for place in places:
        # +1 201 555 01xx is kept free for films; example.com belongs to nobody.
        for number, segment in enumerate(told, 1):
            file.writerow(_person(number, segment, settings) | {"region": place.key})
        for segment in machines:
            file.writerow(_terminal(segment, settings) | {"region": place.key})
    return text.getvalue()


def _person(number: int, segment: str, settings: Settings) -> dict[str, str]:
    return {
        "account_id": f"100{number}",
        "msisdn": f"+1201555010{number}",
        "email": f"person{number}@example.com",
        "language": settings.default_locale,
        "segment": segment,
        "balance": "250.00",
        "currency": settings.currency,
        "paid_until": "2027-01-31",
        "consent_sms": "yes" if number == 1 else "",
        "consent_email": "no" if number == 1 else "",
    }


def _terminal(segment: str, settings: Settings) -> dict[str, str]:
    return {
        "account_id": "2001",
        "iccid": "89701010000000000005",
        "contact_msisdn": "+12015550109",
        "email": "shop@example.com",
        "language": settings.default_locale,
        "segment": segment,
    }
