"""How many people an audience means now: exact, and quick enough to be asked while somebody types.

A million lines take half a second, since no address is compared and no consent looked at: whom of them a campaign may
not tell is the preview's to say.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from notifiers.base import Channel
from statuspage.domain.audience import comparisons, parse
from statuspage.domain.errors import RuleError
from statuspage.domain.roles import Permission
from statuspage.models import Campaign, Contact, Incident, Subscription
from statuspage.services import audience_sql, recipients
from statuspage.services.actor import Actor


@dataclass(frozen=True)
class AudienceCount:
    """`audience` in its one written form. `reachable`: how many of the people have an address for the channel.

    `sign_ups`: whoever signed up on the page and gets the campaign's mail besides, whatever the audience says.
    """

    audience: str
    people: int
    reachable: Mapping[Channel, int]
    sign_ups: int = 0


def count(
    session: Session, actor: Actor, expression: str, incident: Incident | None, channels: Collection[Channel]
) -> AudienceCount:
    """The people of the newest import whom `expression` means of `incident`. Writes nothing and locks nothing.

    Raises AudienceError with the place of a mistake, and RuleError when a component is named without an incident.
    """
    actor.require(Permission.CAMPAIGN_EDIT)
    written = audience_sql.check_expression(session, expression)
    fields = {one.field for one in comparisons(parse(written))}
    if incident is None and "component" in fields:
        raise RuleError(
            "audience.component_alone", "audience: a component is an incident's. Name the incident.", "audience"
        )
    touched = audience_sql.components_of(session, None if incident is None else incident.id)
    condition = audience_sql.compile_audience(session, written, touched)
    query = _PEOPLE.format(language=_LANGUAGE if "language" in fields else "", audience=condition.sql)
    generation = recipients.current_generation(session)
    found = session.execute(text(query), {**condition.parameters, "generation": generation}).one()
    reachable = {Channel.SMS: int(found.sms), Channel.EMAIL: int(found.email)}
    return AudienceCount(written, int(found.people), {one: reachable[one] for one in Channel if one in channels})


def count_for(
    session: Session, actor: Actor, campaign: Campaign, expression: str, channels: Collection[Channel]
) -> AudienceCount:
    """`count` of a campaign's incident, with those who signed up where the campaign takes them."""
    incident = None if campaign.incident_id is None else session.get(Incident, campaign.incident_id)
    found = count(session, actor, expression, incident, channels)
    if Channel.EMAIL not in found.reachable or not recipients.takes_sign_ups(campaign, Channel.EMAIL):
        return found
    return AudienceCount(found.audience, found.people, found.reachable, _sign_ups(session))


def _sign_ups(session: Session) -> int:
    query = (
        select(func.count())
        .select_from(Subscription)
        .join(Contact, Contact.id == Subscription.contact_id)
        .where(
            Subscription.public_id > "",
            Subscription.topic == "page",
            Subscription.channel == Channel.EMAIL.value,
            Subscription.state == "active",
            Contact.account_id.is_(None),
        )
    )
    return session.scalar(query) or 0


# The lines are walked once and each contact looked up by its id: who has ten lines is one person.
_PEOPLE = """SELECT count(*) AS people, count(k.sms) AS sms, count(k.email) AS email FROM contact k
WHERE k.erased_at IS NULL AND k.id IN (SELECT l.contact_id FROM line l{language}
  WHERE l.valid_from <= :generation AND l.valid_to > :generation AND ({audience}))"""
_LANGUAGE = " JOIN contact c ON c.id = l.contact_id"
