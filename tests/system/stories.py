"""What happens in the background of a bad day: an incident, declared and published."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from statuspage.clock import FrozenClock, SystemClock
from statuspage.db import transaction
from statuspage.services import incidents, templates
from statuspage.services.actor import CLI
from statuspage.services.texts import Texts
from tests.system.place import Place


def declare(
    place: Place,
    title: Texts | None = None,
    body: Texts | None = None,
    now: datetime | None = None,
    *,
    publish: bool = True,
) -> str:
    """A billing outage from its template, with these words; the page brought up to date. Its public id."""
    moment = now or SystemClock().now()
    with transaction(place.sessions) as session:
        said = templates.declaration(
            session, "billing_outage", profile="default_billing", zone=ZoneInfo("Europe/Moscow"), now=moment
        )
        said = replace(said, title=title or said.title, body=body or said.body)
        made = incidents.declare_incident(session, CLI, said, now=moment)
    if publish:
        place.publish(FrozenClock(moment))
    return made.public_id
