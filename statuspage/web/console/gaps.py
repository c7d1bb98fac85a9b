"""What a campaign's texts still lack, said once for each value and each kind of text, not once a language."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from statuspage.web import shell


@dataclass(frozen=True)
class Gap:
    """`name` is the placeholder that nothing can be put in for, "" where the texts themselves are not written."""

    name: str
    texts: tuple[str, ...]


def gathered(missing: Iterable[str]) -> list[Gap]:
    """`missing` as `campaign_texts.Filled` has it; the texts by their names in the reader's language."""
    found: dict[str, list[str]] = {}
    for one in missing:
        field, _, name = one.partition(": ")
        found.setdefault(name.strip("{}"), []).append(shell.field_name(field))
    return [Gap(name, tuple(texts)) for name, texts in found.items()]
