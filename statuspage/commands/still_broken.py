"""Said on standard error to whoever says that it works again, while another incident holds the same services."""

from __future__ import annotations

import click
from sqlalchemy.orm import Session

from statuspage.composition import Composition
from statuspage.models import Campaign, Incident
from statuspage.services import components, incidents


def warn(parts: Composition, session: Session, incident: Incident) -> None:
    """Name the other incidents that keep services of `incident` broken; nothing where there are none."""
    others = components.also_broken_by(session, incident)
    if not others:
        return
    titles, locale = incidents.titles(session, others), parts.settings.default_locale
    named = ", ".join(f"{one.public_id} ({titles[one.id].pick(locale)[0]})" for one in others)
    said = "Another incident still keeps some of these services down. Do not say that everything works, name what does."
    click.echo(f"{said} It is: {named}", err=True)


def warn_of_notice(parts: Composition, session: Session, campaign: Campaign) -> None:
    """The same of an end notice; nothing of any other campaign."""
    incident = None if campaign.incident_id is None else session.get(Incident, campaign.incident_id)
    if campaign.told_by_id is not None and incident is not None:
        warn(parts, session, incident)
