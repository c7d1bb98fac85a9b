"""Make messages of deliveries: a campaign's texts are read once, and a thousand people cost a thousand tuples."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from notifiers.base import Channel, Message
from notifiers.text import normalise
from statuspage.domain.campaign import CampaignKind
from statuspage.i18n import nearest
from statuspage.jobs.claim import CampaignFacts, Claimed
from statuspage.models import Campaign
from statuspage.publish import letter
from statuspage.publish.letter import Letter
from statuspage.services import campaign_texts
from statuspage.services.links import Links
from statuspage.services.texts import Texts

KEPT = 32


@dataclass(frozen=True)
class Words:
    """A running campaign's texts, which no edit can change; `segments` is of one SMS by locale."""

    sms: Texts
    subjects: Texts
    mails: Texts
    letters: Mapping[str, Letter]
    segments: Mapping[str, int]


class Composer:
    """Belongs to one sender. `operator` is the name that mails are signed with."""

    def __init__(self, links: Links, operator: str, default_locale: str) -> None:
        self._links = links
        self._operator = operator
        self._default = default_locale
        self._words: OrderedDict[int, Words] = OrderedDict()

    def words(self, session: Session, facts: CampaignFacts) -> Words:
        """Those of the campaign, read at its first batch."""
        known = self._words.get(facts.id)
        # The texts of confirmations are ours and change with a new version, not by an edit.
        if known is None or facts.kind is CampaignKind.CONFIRMATION:
            known = self._words[facts.id] = self._read(session, facts)
        self._words.move_to_end(facts.id)
        if len(self._words) > KEPT:
            self._words.popitem(last=False)
        return known

    def segments(self, words: Words, row: Claimed) -> int:
        """Of this person's SMS; 1 for what is not counted."""
        return words.segments.get(self._shown(words.sms, row.locale), 1)

    def messages(
        self, facts: CampaignFacts, words: Words, channel: Channel, rows: Sequence[Claimed], left: Mapping[int, int]
    ) -> list[Message]:
        """One for each of `rows`, whose attempt is the one that begins now. `left`: delivery id → for how many seconds
        more it is worth sending."""
        if channel is Channel.SMS:
            name = facts.public_id
            bodies = {row.locale: words.sms[self._shown(words.sms, row.locale)] for row in rows}
            return [
                Message(
                    row.id, row.attempt + 1, channel, row.address, row.locale, bodies[row.locale], name,
                    None, None, None, left[row.id],
                )
                for row in rows
            ]
        if facts.kind is CampaignKind.CONFIRMATION:
            return [self._confirmation(facts, words, row, left[row.id]) for row in rows]
        return [self._mail(facts, words, row, left[row.id]) for row in rows]

    def _mail(self, facts: CampaignFacts, words: Words, row: Claimed, left: int) -> Message:
        made = words.letters[self._shown(words.letters, row.locale)]
        return Message(
            row.id,
            row.attempt + 1,
            Channel.EMAIL,
            row.address,
            row.locale,
            made.text,
            facts.public_id,
            made.subject,
            made.html,
            self._links.unsubscribe(Channel.EMAIL.value, row.address_hash),
            left,
        )

    def _confirmation(self, facts: CampaignFacts, words: Words, row: Claimed, left: int) -> Message:
        locale = self._shown(words.mails, row.locale)
        link = self._links.confirm(row.dedupe)
        made = letter.confirmation(locale, words.subjects[locale], words.mails[locale], self._operator, link)
        return Message(
            row.id,
            row.attempt + 1,
            Channel.EMAIL,
            row.address,
            locale,
            made.text,
            facts.public_id,
            made.subject,
            made.html,
            None,
            left,
        )

    def _read(self, session: Session, facts: CampaignFacts) -> Words:
        bodies = campaign_texts.frozen(session, session.get_one(Campaign, facts.id))
        sms = {locale: normalise(body) for locale, body in bodies.get("sms", {}).items()}
        subjects, mails = bodies.get("subject", {}), bodies.get("mail", {})
        confirming = facts.kind is CampaignKind.CONFIRMATION
        letters = {
            locale: letter.notice(locale, subjects[locale], mail, self._operator)
            for locale, mail in mails.items()
            if not confirming and locale in subjects
        }
        return Words(sms, subjects, mails, letters, campaign_texts.segments({"sms": sms}))

    def _shown(self, written: Collection[str], locale: str) -> str:
        return nearest(locale, written, self._default)
