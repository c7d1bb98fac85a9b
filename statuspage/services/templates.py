"""What is prepared in peacetime: incident templates that fill a declaration, and message templates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage.domain.audience import parse
from statuspage.domain.clocks import PROFILES, asked_after
from statuspage.domain.component import ComponentState
from statuspage.domain.errors import NotFound
from statuspage.domain.incident import CauseCategory, IncidentState
from statuspage.domain.message import check_subject, check_text
from statuspage.domain.roles import Permission
from statuspage.models import Incident, IncidentTemplate, MessageTemplate
from statuspage.services import audit, components, grace_policies, reference, texts, words
from statuspage.services.actor import Actor
from statuspage.services.incidents import Declaration
from statuspage.services.texts import Texts

SOURCE = "ru"
_NEXT_UPDATE = timedelta(minutes=60)
"""Where a profile sets no cadence: the news is an hour old at most."""


@dataclass(frozen=True)
class TemplateTerms:
    """`updates`: state → first words. `not_affected` is offered to whoever looks whether it works, never ticked."""

    key: str
    title: Texts
    updates: Mapping[IncidentState, Texts]
    components: Mapping[str, ComponentState]
    cause: CauseCategory = CauseCategory.UNKNOWN
    segments: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    not_affected: tuple[str, ...] = ()
    grace_key: str | None = None


@dataclass(frozen=True)
class MessageTerms:
    """A message template; `mail` is Markdown without HTML.

    `purpose` is outage, security, merchants, end or merchants_end.
    """

    key: str
    purpose: str
    sms: Texts
    subject: Texts
    mail: Texts
    audience: str = "all"


def list_templates(session: Session) -> list[IncidentTemplate]:
    return list(session.scalars(select(IncidentTemplate).order_by(IncidentTemplate.position, IncidentTemplate.id)))


def titles(session: Session) -> dict[int, texts.Wording]:
    """template row id → title."""
    found = texts.read(session, "incident_template", [one.id for one in list_templates(session)])
    return {entity_id: wording for (entity_id, name), wording in found.items() if name == "title"}


def get_template(session: Session, key: str) -> IncidentTemplate:
    """Raises NotFound naming the templates there are."""
    template = session.scalar(select(IncidentTemplate).where(IncidentTemplate.key == key))
    if template is None:
        known = ", ".join(one.key for one in list_templates(session)) or "none"
        raise NotFound("template.not_found", f"template: {key!r} is unknown. There are: {known}.", "template")
    return template


def declaration(session: Session, key: str, *, profile: str, zone: ZoneInfo, now: datetime) -> Declaration:
    """A declaration filled from the template. It says of nothing that it works: only whoever looked does. `zone` is the
    operator's, by whose night the clock profile may put the next update off."""
    template = get_template(session, key)
    said = texts.read(session, "incident_template", [template.id])
    first = said[template.id, f"update.{IncidentState.INVESTIGATING}"]
    return Declaration(
        title=said[template.id, "title"].bodies,
        body=first.bodies,
        source_locale=first.source,
        components={component: ComponentState(state) for component, state in template.components.items()},
        cause=template.cause,
        segments=tuple(template.segments),
        regions=tuple(template.regions),
        next_update_at=_next_update(profile, zone, now),
        profile=profile,
        template=key,
        grace_key=template.grace_key,
    )


def words_for(session: Session, incident: Incident, state: IncidentState) -> texts.Wording | None:
    """The words kept for an update to `state`, else the incident's template's own, or None where there are none."""
    waiting = next((one for one in words.kept(session, incident) if one.state is state), None)
    if waiting is not None:
        return waiting.wording
    if incident.template_id is None:
        return None
    found = texts.read(session, "incident_template", [incident.template_id])
    return found.get((incident.template_id, f"update.{state}"))


def put_template(
    session: Session, actor: Actor, terms: TemplateTerms, position: int, *, now: datetime
) -> IncidentTemplate:
    """Make the incident template or change it; the key says which."""
    actor.require(Permission.SETTINGS_EDIT)
    components.by_key(session, [*terms.components, *terms.not_affected])
    reference.check_keys(session, terms.segments, terms.regions)
    if terms.grace_key is not None:
        grace_policies.default_policy(session, terms.grace_key)
    template = session.scalar(select(IncidentTemplate).where(IncidentTemplate.key == terms.key))
    if template is None:
        template = IncidentTemplate(key=terms.key)
    template.cause, template.grace_key, template.position = terms.cause, terms.grace_key, position
    template.components = {key: state.value for key, state in terms.components.items()}
    template.segments, template.regions = list(terms.segments), list(terms.regions)
    template.not_affected = list(terms.not_affected)
    session.add(template)
    session.flush()
    texts.write(session, "incident_template", template.id, "title", terms.title, SOURCE, now)
    for state, bodies in terms.updates.items():
        texts.write(session, "incident_template", template.id, f"update.{state}", bodies, SOURCE, now)
    audit.record(session, actor, "incident_template.put", "incident_template", template.public_id, now)
    return template


def put_message(session: Session, actor: Actor, terms: MessageTerms, *, now: datetime) -> MessageTemplate:
    """Make the message template or change it. Unknown placeholders and a subject of two lines are refused by name."""
    actor.require(Permission.CAMPAIGN_EDIT)
    fields = {"sms": terms.sms, "subject": terms.subject, "mail": terms.mail}
    for name, bodies in fields.items():
        for locale, body in bodies.items():
            check = check_subject if name == "subject" else check_text
            check(body, f"{name}.{locale}")
    parse(terms.audience)
    template = session.scalar(select(MessageTemplate).where(MessageTemplate.key == terms.key))
    if template is None:
        template = MessageTemplate(key=terms.key)
    template.purpose, template.audience, template.updated_at = terms.purpose, terms.audience, now
    session.add(template)
    session.flush()
    for name, bodies in fields.items():
        texts.write(session, "message_template", template.id, name, bodies, SOURCE, now)
    audit.record(session, actor, "message_template.put", "message_template", template.public_id, now)
    return template


def _next_update(profile: str, zone: ZoneInfo, now: datetime) -> datetime:
    known = PROFILES.get(profile)
    asked = None if known is None else asked_after(known, now, now, zone)
    return asked or now + _NEXT_UPDATE
