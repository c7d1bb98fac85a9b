"""What a revision told of each open incident and what its text still lacked: kept with the revision for the report."""

from __future__ import annotations

from statuspage.domain.publication import PublicationFacts, gaps
from statuspage.publish.view import IncidentView, PageView


def told(view: PageView) -> dict[str, list[str]]:
    """Public id of each incident that this revision shows as open → the gaps of its content checklist."""
    return {incident.id: _gaps(view, incident) for incident in view.open_incidents()}


def _gaps(view: PageView, incident: IncidentView) -> list[str]:
    locale = view.operator.default_locale
    newest = incident.updates[0].body if incident.updates else None
    shown = [incident.title, *([newest] if newest else [])]
    facts = PublicationFacts(
        title=incident.title[locale].body,
        what_happened=newest[locale].body if newest else "",
        started_at=incident.started_at,
        # The page itself says "all customers" or names them, "not known yet" or a time, and what not to do.
        scale_said=True,
        cause=incident.cause,
        regions=[region[locale].body for region in incident.regions],
        components=incident.component_ids,
        not_affected=[one[locale].body for one in incident.not_affected],
        expected_end_said=True,
        next_update_at=incident.next_update_at,
        contact=view.operator.support_phone or "",
        what_to_do="the page tells",
        missing_locales=[one for one in view.operator.locales if any(text[one].locale != one for text in shown)],
    )
    return [gap.field for gap in gaps(facts)]
