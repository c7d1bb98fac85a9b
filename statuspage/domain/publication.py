"""What the public may see of an incident, and what its text should say."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from statuspage.domain.errors import NotAllowed, RuleError
from statuspage.domain.incident import CauseCategory, Publication

LEGAL_FROM: Mapping[Publication, frozenset[Publication]] = MappingProxyType(
    {
        Publication.DRAFT: frozenset({Publication.SCHEDULED}),
        Publication.SCHEDULED: frozenset({Publication.DRAFT}),
        Publication.PUBLISHED: frozenset(
            {Publication.DRAFT, Publication.SCHEDULED, Publication.WITHDRAWN, Publication.DUPLICATE}
        ),
        Publication.WITHDRAWN: frozenset({Publication.DRAFT, Publication.SCHEDULED, Publication.PUBLISHED}),
        Publication.DUPLICATE: frozenset({Publication.DRAFT, Publication.SCHEDULED, Publication.PUBLISHED}),
    }
)
"""From which publications one may come. What was once public never becomes a draft again, it is withdrawn."""


def check_publication(old: Publication, new: Publication) -> None:
    if old is not new and old not in LEGAL_FROM[new]:
        allowed = ", ".join(sorted(old_ for old_ in LEGAL_FROM[new]))
        raise RuleError(
            "incident.illegal_publication",
            f"publication: from {old} to {new}. It can become {new} only from: {allowed}.",
            "publication",
        )


def check_words(cause: CauseCategory, holding_statement: bool, approved: bool) -> None:
    """With a security cause only the holding statement ("payments are suspended") goes out without legal approval."""
    if cause is CauseCategory.SECURITY and not holding_statement and not approved:
        raise NotAllowed(
            "incident.words_not_approved",
            "text: the cause is security, so these words need the approval of a person with words:approve. Keep them "
            "for that person (`incident update --keep`) and say them then. The holding statement can go out at once.",
            "text",
        )


def check_not_affected(keys: Collection[str], emergency: Collection[str], by_person: bool) -> None:
    """That emergency calls work is only ever said by a person who looked, never by a template, an alert or a token."""
    claimed = sorted(set(keys) & set(emergency))
    if claimed and not by_person:
        raise NotAllowed(
            "incident.emergency_not_confirmed",
            f"not_affected: {', '.join(claimed)} can be ticked only by a person in the console. Leave it out.",
            "not_affected",
        )


@dataclass(frozen=True, slots=True)
class PublicationFacts:
    """What an incident says to the public in one language, before it is published."""

    title: str
    what_happened: str
    started_at: datetime | None
    scale_said: bool
    cause: CauseCategory | None
    regions: Collection[str] | None
    """None: nobody chose; an empty collection means everywhere, and says so."""
    components: Collection[str]
    not_affected: Collection[str]
    expected_end_said: bool
    """A moment, or the word "unknown"."""
    next_update_at: datetime | None
    contact: str
    what_to_do: str
    missing_locales: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Gap:
    """One thing the text does not say yet; a warning, never a block. `hint` is a key of the catalogues."""

    field: str
    hint: str


def gaps(facts: PublicationFacts) -> tuple[Gap, ...]:
    """The content checklist of an incident's publication: scale, cause or "unknown", area, services, expected end or
    "unknown", next update, contact, what to do, what is not affected; in every language.

    Source: the contents that outage standards ask for (ACMA F2024L01447, MIC guideline), adopted voluntarily.
    """
    present = {
        "title": bool(facts.title.strip()),
        "what_happened": _says_something(facts.what_happened),
        "started_at": facts.started_at is not None,
        "scale": facts.scale_said,
        "cause": facts.cause is not None,
        "regions": facts.regions is not None,
        "components": bool(facts.components),
        "not_affected": bool(facts.not_affected),
        "expected_end": facts.expected_end_said,
        "next_update": facts.next_update_at is not None,
        "contact": bool(facts.contact.strip()),
        "what_to_do": bool(facts.what_to_do.strip()),
    }
    found = [Gap(field, f"checklist.{field}") for field, there in present.items() if not there]
    found += [Gap(f"locale:{locale}", "checklist.locale") for locale in sorted(facts.missing_locales)]
    return tuple(found)


def unexplained(found: Iterable[Gap], reasons: Mapping[str, str]) -> tuple[Gap, ...]:
    """The gaps for which nobody gave a reason (`reasons`: field → why it is left out)."""
    return tuple(gap for gap in found if not reasons.get(gap.field, "").strip())


def _says_something(text: str) -> bool:
    # One boilerplate line ("currently down, inconvenience regretted") was the complaint of NetOne's customers in 2022.
    return len(text.split()) >= 3 or len(text.strip()) >= 12
