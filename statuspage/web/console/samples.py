"""A campaign's words as their readers get them: the SMS with its segments, the two parts of a mail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from notifiers.base import UNSUBSCRIBE_SLOT
from notifiers.text import normalise
from statuspage.config import Settings
from statuspage.publish import letter
from statuspage.publish.letter import Letter
from statuspage.services import campaign_texts
from statuspage.services.campaign_texts import Bodies

NO_ONE = "…"
"""Stands for the recipient's own part of the link: the true one stops somebody's messages."""


@dataclass(frozen=True)
class Sample:
    """One language. `sms`, `subject` and `text` are None where the campaign has none; `segments` is of the SMS."""

    locale: str
    sms: str | None
    segments: int
    subject: str | None
    text: str | None


def samples(bodies: Bodies, settings: Settings) -> list[Sample]:
    """In the order of the operator's languages; those in which nothing is written are left out."""
    each = campaign_texts.segments(bodies)
    found: list[Sample] = []
    for locale in settings.locales:
        sms, mail = bodies.get("sms", {}).get(locale), mail_of(bodies, locale, settings)
        if sms is not None or mail is not None:
            said = None if sms is None else normalise(sms)
            subject, text = (None, None) if mail is None else (mail.subject, mail.text)
            found.append(Sample(locale, said, each.get(locale, 0), subject, text))
    return found


def mail_of(bodies: Bodies, locale: str, settings: Settings) -> Letter | None:
    """The mail in `locale` with a link that leads nowhere; None where there is none."""
    mails: Mapping[str, str] = bodies.get("mail", {})
    if locale not in mails:
        return None
    subject = bodies.get("subject", {}).get(locale, "")
    made = letter.notice(locale, subject, mails[locale], settings.operator_name)
    link = f"{settings.base_url}/unsubscribe/{NO_ONE}"
    return Letter(made.subject, made.text.replace(UNSUBSCRIBE_SLOT, link), made.html.replace(UNSUBSCRIBE_SLOT, link))
