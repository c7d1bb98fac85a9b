from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from statuspage.domain.errors import NotAllowed, RuleError
from statuspage.domain.incident import CauseCategory, Publication
from statuspage.domain.publication import (
    Gap,
    PublicationFacts,
    check_not_affected,
    check_publication,
    check_words,
    gaps,
    unexplained,
)

NOW = datetime(2025, 11, 22, 8, 0, tzinfo=UTC)
FULL = PublicationFacts(
    title="Top-up is down",
    what_happened="Top-up and balance do not work since 10:20.",
    started_at=NOW,
    scale_said=True,
    cause=CauseCategory.UNKNOWN,
    regions=(),
    components=("top_up",),
    not_affected=("calls",),
    expected_end_said=True,
    next_update_at=NOW,
    contact="0500",
    what_to_do="Do not pay twice.",
)


def test_a_complete_text_has_no_gaps() -> None:
    """Cause "unknown", region "everywhere" and end "unknown" are said, so they are not gaps."""
    assert gaps(FULL) == ()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"title": " "}, "title"),
        ({"what_happened": "down"}, "what_happened"),
        ({"started_at": None}, "started_at"),
        ({"scale_said": False}, "scale"),
        ({"cause": None}, "cause"),
        ({"regions": None}, "regions"),
        ({"components": ()}, "components"),
        ({"not_affected": ()}, "not_affected"),
        ({"expected_end_said": False}, "expected_end"),
        ({"next_update_at": None}, "next_update"),
        ({"contact": ""}, "contact"),
        ({"what_to_do": ""}, "what_to_do"),
        ({"missing_locales": ("zh",)}, "locale:zh"),
    ],
)
def test_each_gap_is_named(change: dict[str, object], field: str) -> None:
    """What the text does not say is named by its field, with a hint; it is a warning and raises nothing."""
    found = gaps(replace(FULL, **change))  # type: ignore[arg-type]
    assert [gap.field for gap in found] == [field]
    assert all(gap.hint.startswith("checklist.") for gap in found)


def test_a_reason_explains_a_gap() -> None:
    """A gap with a reason is explained, an empty reason is none."""
    found = (Gap("contact", "checklist.contact"), Gap("scale", "checklist.scale"))
    assert unexplained(found, {"contact": "no call centre at night", "scale": " "}) == (found[1],)


def test_what_was_public_never_becomes_a_draft() -> None:
    """A published incident is withdrawn or marked a duplicate; it may be published again."""
    check_publication(Publication.DRAFT, Publication.PUBLISHED)
    check_publication(Publication.PUBLISHED, Publication.WITHDRAWN)
    check_publication(Publication.WITHDRAWN, Publication.PUBLISHED)
    check_publication(Publication.PUBLISHED, Publication.PUBLISHED)
    with pytest.raises(RuleError) as refused:
        check_publication(Publication.PUBLISHED, Publication.DRAFT)
    assert refused.value.code == "incident.illegal_publication"


def test_security_words_need_approval_but_the_holding_statement_does_not() -> None:
    """Nothing delays the first, shipped sentence; anything beyond it waits for legal."""
    check_words(CauseCategory.SECURITY, holding_statement=True, approved=False)
    check_words(CauseCategory.SECURITY, holding_statement=False, approved=True)
    check_words(CauseCategory.SOFTWARE, holding_statement=False, approved=False)
    with pytest.raises(NotAllowed):
        check_words(CauseCategory.SECURITY, holding_statement=False, approved=False)


def test_emergency_calls_are_ticked_by_a_person_only() -> None:
    """A template or a token may say that calls work, never that emergency calls do."""
    check_not_affected({"calls"}, {"emergency_calls"}, by_person=False)
    check_not_affected({"emergency_calls"}, {"emergency_calls"}, by_person=True)
    with pytest.raises(NotAllowed):
        check_not_affected({"calls", "emergency_calls"}, {"emergency_calls"}, by_person=False)
