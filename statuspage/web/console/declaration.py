"""The form that declares an incident: filled from a template, read back as a declaration."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from statuspage.domain.component import ComponentState
from statuspage.domain.incident import OPEN, CauseCategory, IncidentState, Publication
from statuspage.domain.roles import Permission
from statuspage.services import components, grace_policies, templates, texts, users
from statuspage.services.incidents import Declaration
from statuspage.web.access import person
from statuspage.web.console import naming
from statuspage.web.console.naming import Options
from statuspage.web.forms import Fields
from statuspage.web.wiring import wiring

NO_TEMPLATE = "blank"


@dataclass(frozen=True)
class Choices:
    """What the form offers. `well`: components to look at whether they work; `emergency`: some of those."""

    components: Options
    segments: Options
    regions: Options
    well: Options
    emergency: frozenset[str]
    owners: Options
    promises: Options


def choices(session: Session, template: str = NO_TEMPLATE, said: Collection[str] = ()) -> Choices:
    """`said`: components of which the incident says already that they work. Raises NotFound for an unknown template."""
    offered = {*said} if template == NO_TEMPLATE else {*said, *templates.get_template(session, template).not_affected}
    rows = components.list_components(session)
    named = naming.component_names(session)
    billing = {row.key for row in rows if row.billing}
    return Choices(
        components=named,
        segments=naming.segment_names(session),
        regions=naming.region_names(session),
        well=[(key, name) for key, name in named if key not in billing or key in offered],
        emergency=components.emergency_keys(session),
        owners=[(one.public_id, one.name) for one in users.who_may(session, Permission.INCIDENT_EDIT)],
        promises=_promises(session),
    )


def prefilled(session: Session, template: str, now: datetime) -> Declaration:
    """What the template says, owned by whoever is at the keyboard. Raises NotFound for a template there is not."""
    settings = wiring().settings
    if template == NO_TEMPLATE:
        return Declaration(
            {}, {}, settings.default_locale, {}, profile=settings.clock_profile, owner=person().public_id
        )
    found = templates.declaration(session, template, profile=settings.clock_profile, zone=settings.zone, now=now)
    return Declaration(**{**vars(found), "owner": person().public_id})


def read(form: Fields, offered: Choices, template: str) -> Declaration:
    """The submitted form; what cannot be read is among the form's mistakes, and something stands in for it."""
    source = form.text("source", required=True)
    segments = form.several("segments", [key for key, _ in offered.segments])
    regions = form.several("regions", [key for key, _ in offered.regions])
    states = {key: form.choice(f"component.{key}", ComponentState) for key, _ in offered.components}
    return Declaration(
        title=form.texts("title", limit=200, required=source),
        body=form.texts("body", required=source),
        source_locale=source,
        components={key: state for key, state in states.items() if state not in (None, ComponentState.OPERATIONAL)},
        cause=form.needed("cause", CauseCategory),
        state=form.needed("state", IncidentState),
        publication=form.needed("publication", Publication),
        segments=() if len(segments) == len(offered.segments) else tuple(segments),
        regions=() if len(regions) == len(offered.regions) else tuple(regions),
        not_affected=tuple(form.several("not_affected", [key for key, _ in offered.components])),
        started_at=form.moment("started_at"),
        expected_end_at=form.moment("expected_end_at"),
        next_update_at=form.moment("next_update_at"),
        owner=form.text("owner") or None,
        profile=wiring().settings.clock_profile,
        template=None if template == NO_TEMPLATE else template,
        grace_key=form.text("grace_key") or None,
    )


def open_states() -> list[IncidentState]:
    return [state for state in IncidentState if state in OPEN]


def _promises(session: Session) -> Options:
    approved = [one for one in grace_policies.default_policies(session) if one.approved_at is not None]
    titles = texts.read(session, "grace_policy", [one.id for one in approved])
    return [(one.key or "", naming.picked(titles.get((one.id, "title"))) or one.key or "") for one in approved]
