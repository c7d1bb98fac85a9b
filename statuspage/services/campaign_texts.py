"""A campaign's words: drafted with placeholders, filled with the incident's values, frozen when approval is asked.

The draft stands in the text rows ("campaign", id) draft.sms, draft.subject and draft.mail; what goes out in sms,
subject and mail. So an edit begins from the placeholders, and nobody approves a value that has moved since.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy.orm import Session

from notifiers.base import Channel
from notifiers.text import count, normalise
from statuspage.config import Settings
from statuspage.domain import message
from statuspage.domain.errors import RuleError, check_all
from statuspage.models import Campaign, Incident, MessageTemplate
from statuspage.services import campaign_values, texts
from statuspage.services.campaign_values import Values
from statuspage.services.texts import Texts

FIELDS: Mapping[Channel, tuple[str, ...]] = {Channel.SMS: ("sms",), Channel.EMAIL: ("subject", "mail")}
ESCAPES: Mapping[str, message.Escape] = {
    "sms": message.for_sms,
    "subject": message.for_header,
    "mail": message.for_text,
}
LIMITS: Mapping[str, int] = {"sms": message.LONGEST_SMS, "subject": 200, "mail": message.LONGEST_TEXT}
PLACEHOLDERS = tuple(name for name in message.PLACEHOLDERS if name not in message.OF_CONFIRMATIONS)
"""What a campaign can put in."""

_DRAFT = "draft."
SOURCE = "ru"
"""The language the shipped templates are written in first; the others are their translations."""

Bodies = Mapping[str, Texts]
"""field → locale → text"""


@dataclass(frozen=True)
class Filled:
    """The texts as they would go out now. `missing` names each "field.locale" that has no text and each placeholder
    without a value, as "field.locale: {name}"."""

    bodies: dict[str, Texts]
    missing: tuple[str, ...]

    def flat(self) -> dict[str, str]:
        """ "field.locale" → text."""
        return {f"{field}.{locale}": body for field, each in self.bodies.items() for locale, body in each.items()}


def copy_template(session: Session, campaign: Campaign, template: MessageTemplate, now: datetime) -> None:
    """Begin the draft with the template's words."""
    for (_, field), wording in texts.read(session, "message_template", [template.id]).items():
        if field in ESCAPES:
            texts.write(session, "campaign", campaign.id, _DRAFT + field, wording.bodies, wording.source, now)


def write_draft(session: Session, campaign: Campaign, bodies: Bodies, now: datetime) -> None:
    """Keep what a person wrote. RuleError names each field and what is wrong with it.

    An empty text is none where there was none; one that was there is not taken away, since its readers would then get
    nothing and nobody could approve the campaign.
    """
    unknown = [field for field in bodies if field not in ESCAPES]
    if unknown:
        raise RuleError("campaign.unknown_field", f"{unknown[0]}: use one of {', '.join(ESCAPES)}.", unknown[0])
    kept = draft(session, campaign)
    given = [(field, locale, body) for field, each in bodies.items() for locale, body in each.items()]
    check_all(partial(_check, *one, kept.get(one[0], {}).get(one[1], "")) for one in given)
    for field, each in bodies.items():
        written = {locale: body for locale, body in each.items() if body.strip()}
        if written:
            texts.write(session, "campaign", campaign.id, _DRAFT + field, written, _source(written), now)


def _check(field: str, locale: str, body: str, before: str) -> None:
    if not body.strip():
        if before:
            where = f"{field}.{locale}"
            said = f"{where}: it is empty, and whoever reads that language would get nothing. Write the text."
            raise RuleError("campaign.text_cleared", said, where)
        return
    check = message.check_subject if field == "subject" else message.check_text
    check(body, f"{field}.{locale}", LIMITS[field], PLACEHOLDERS)


def draft(session: Session, campaign: Campaign) -> dict[str, Texts]:
    """field → locale → text with its placeholders."""
    return _read(session, campaign, _DRAFT)


def drafts(session: Session, found: Iterable[Campaign]) -> dict[int, list[Texts]]:
    """row id → each text of its draft, in one query."""
    bodies: dict[int, list[Texts]] = {}
    for (place, field), wording in texts.read(session, "campaign", [one.id for one in found]).items():
        if field.startswith(_DRAFT):
            bodies.setdefault(place, []).append(wording.bodies)
    return bodies


def frozen(session: Session, campaign: Campaign) -> dict[str, Texts]:
    """field → locale → text as it goes out; empty before approval was asked."""
    return _read(session, campaign, "")


def going_out(session: Session, campaign: Campaign) -> dict[str, str]:
    """ "field.locale" → frozen text, of the campaign's channels only: what an approval is bound to."""
    wanted = {field for channel in campaign.channels for field in FIELDS[Channel(channel)]}
    kept = frozen(session, campaign)
    return {f"{field}.{at}": body for field in wanted & kept.keys() for at, body in kept[field].items()}


def fill(session: Session, campaign: Campaign, settings: Settings, *, now: datetime) -> Filled:
    """The draft with the values of this moment."""
    wanted = [field for channel in campaign.channels for field in FIELDS[Channel(channel)]]
    given = {field: each for field, each in draft(session, campaign).items() if field in wanted}
    flat = {f"{field}.{locale}": body for field, each in given.items() for locale, body in each.items()}
    lacking = list(message.absent(flat, wanted, settings.locales))
    incident = None if campaign.incident_id is None else session.get(Incident, campaign.incident_id)
    known = {locale: campaign_values.read(session, incident, settings, locale, now=now) for locale in settings.locales}
    bodies: dict[str, Texts] = {}
    for field, each in given.items():
        for locale in (one for one in settings.locales if each.get(one, "").strip()):
            body, without = _filled(field, each[locale], known[locale])
            bodies.setdefault(field, {})[locale] = body
            lacking += [f"{field}.{locale}: {{{name}}}" for name in without]
    return Filled(bodies, tuple(lacking))


def freeze(session: Session, campaign: Campaign, filled: Filled, now: datetime) -> None:
    """Keep `filled` as what goes out. Refused, naming the first gap, while anything is missing."""
    if filled.missing:
        where, _, name = filled.missing[0].partition(": ")
        said = f"{filled.missing[0]} is missing. Write the text or give the incident this value, then ask again."
        values = {"where": where, "name": name, "variant": "value" if name else "text"}
        raise RuleError("campaign.missing_text", said, where, values)
    for field, each in filled.bodies.items():
        texts.write(session, "campaign", campaign.id, field, each, _source(each), now)


def segments(bodies: Bodies) -> dict[str, int]:
    """locale → segments of one SMS; exact for a filled text, since no value is the person's own."""
    return {locale: count(normalise(body)).segments for locale, body in bodies.get("sms", {}).items()}


def _filled(field: str, body: str, values: Values) -> tuple[str, tuple[str, ...]]:
    known = values.for_field(field, body)
    if field == "mail":
        body = message.without_unsaid(body, known)
    without = message.missing(body, known)
    for name in message.placeholders(body) - set(without):
        message.check_value(name, known[name], values.locale)
    # What has no value stays to be seen as a placeholder; a value is never read as one.
    given = {**{name: f"{{{name}}}" for name in without}, **known}
    return message.fill(body, given, ESCAPES[field]), without


def _read(session: Session, campaign: Campaign, prefix: str) -> dict[str, Texts]:
    found = texts.read(session, "campaign", [campaign.id])
    return {field: found[key].bodies for field in ESCAPES if (key := (campaign.id, prefix + field)) in found}


def _source(each: Texts) -> str:
    return SOURCE if SOURCE in each else next(iter(each))
