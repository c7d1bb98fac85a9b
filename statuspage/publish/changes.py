"""When what the page says last changed, and when it will change by itself: never when it was merely rendered again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from statuspage.models import GraceLedger, GracePolicy, Incident, LocalizedText, Route
from statuspage.publish import unaffected
from statuspage.publish.reader import leaves_page_at
from statuspage.publish.view import PageView

# Texts of incidents and their updates are not among them: an edit of these is in `Incident.updated_at`, and a draft's
# words are not on the page.
_NAMED = ("component", "component_group", "route", "region", "segment")


def turning_points(view: PageView) -> Iterator[datetime]:
    """Moments, past and to come, at which the view's words change though nobody changes anything."""
    yield from view.turns_at
    for incident in view.incidents:
        if incident.is_open:
            yield from filter(None, (incident.next_update_at, incident.expected_end_at, incident.credited_by))
        else:
            yield leaves_page_at(incident)
    yield from unaffected.turning_points(view)
    yield from (promise.until for promise in view.promises if promise.stands)


def last_change(session: Session, view: PageView, published_at: datetime | None) -> datetime:
    """The latest change by anybody of anything that `view` shows, or the latest of its turning points."""
    moments = [one.updated_at for one in view.components]
    moments += [one.updated_at for one in view.incidents]
    moments += [*turning_points(view), *_written(session, view.drill)]
    return max((at for at in moments if at <= view.as_of), default=published_at or view.as_of)


def _written(session: Session, drill: bool) -> list[datetime]:
    """Of routes, names, promises, and of incidents that have been on the page, also of those taken off it since."""
    promised = select(GracePolicy.id).join(Incident, Incident.id == GracePolicy.incident_id)
    promised = promised.where(Incident.drill == drill, GracePolicy.published_until.is_not(None))
    limits = (LocalizedText.entity == "grace_policy") & LocalizedText.entity_id.in_(promised)
    latest = (
        select(func.max(Route.updated_at)),
        select(func.max(LocalizedText.updated_at)).where(LocalizedText.entity.in_(_NAMED) | limits),
        select(func.max(GraceLedger.at)).where(GraceLedger.policy_id.in_(promised)),
        select(func.max(Incident.updated_at)).where(Incident.published_at.is_not(None), Incident.drill == drill),
    )
    return [at for at in session.execute(select(*(one.scalar_subquery() for one in latest))).one() if at is not None]
