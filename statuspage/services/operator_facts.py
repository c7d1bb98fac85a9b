"""What verbs need to know of the operator; the edge reads it from the settings and hands it in."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage.config import Settings
from statuspage.domain.route import RouteKind
from statuspage.models import Route


@dataclass(frozen=True)
class OperatorFacts:
    """`zone` is the page's, `phone` the number customers may call (may be empty), `locales` the page's languages."""

    zone: ZoneInfo
    phone: str
    locales: tuple[str, ...]

    @classmethod
    def of(cls, settings: Settings) -> OperatorFacts:
        return cls(settings.zone, settings.support_phone, settings.locales)


def support_phone(session: Session, settings: Settings) -> str:
    """The number customers may call: the setting, else that of the first way to manage services that is called, such as
    a voice menu; empty when there is neither."""
    return phone_to_call(session, settings.support_phone)


def phone_to_call(session: Session, configured: str) -> str:
    """As `support_phone`, for whoever has the setting only by its value."""
    if configured:
        return configured
    calls = select(Route.phone).where(Route.kind == RouteKind.SERVICE, Route.phone.is_not(None))
    return session.scalar(calls.order_by(Route.position, Route.id).limit(1)) or ""
