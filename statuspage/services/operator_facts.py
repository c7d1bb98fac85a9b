"""What verbs need to know of the operator; the edge reads it from the settings and hands it in."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from statuspage.config import Settings


@dataclass(frozen=True)
class OperatorFacts:
    """`zone` is the page's, `phone` the number customers may call (may be empty), `locales` the page's languages."""

    zone: ZoneInfo
    phone: str
    locales: tuple[str, ...]

    @classmethod
    def of(cls, settings: Settings) -> OperatorFacts:
        return cls(settings.zone, settings.support_phone, settings.locales)
