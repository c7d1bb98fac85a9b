"""An incident as the command line shows it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import click
from sqlalchemy.orm import Session

from statuspage.commands.options import source_of, texts
from statuspage.commands.printing import local, print_facts, print_table
from statuspage.composition import Composition
from statuspage.domain.incident import IncidentState, cause_unsaid
from statuspage.models import Incident
from statuspage.services import (
    break_glass,
    clock_facts,
    components,
    grace_policies,
    incidents,
    playbook,
    templates,
    updates,
)
from statuspage.services import texts as stored
from statuspage.services import words as said
from statuspage.services.operator_facts import OperatorFacts
from statuspage.services.texts import Texts

_TIMES = (
    "started_at",
    "declared_at",
    "published_at",
    "expected_end_at",
    "next_update_at",
    "restored_at",
    "credited_by_at",
    "crediting_verified_at",
    "resolved_at",
)


def words(
    parts: Composition, session: Session, incident: Incident, state: IncidentState, given: Iterable[str]
) -> tuple[Texts, str]:
    """What the update says and in which language it was written: the given texts, else those kept for `state` or the
    template's."""
    found = texts(parts, given)
    if found:
        return found, source_of(parts, found)
    prepared = templates.words_for(session, incident, state)
    if prepared is None:
        raise click.UsageError(f"The incident's template has no words for {state}; give --text.")
    return prepared.bodies, prepared.source


def summary(incident: Incident, title: str) -> dict[str, Any]:
    return {
        "id": incident.public_id,
        "title": title,
        "state": incident.state,
        "publication": incident.publication,
        "cause": incident.cause,
        "started_at": incident.started_at,
        "resolved_at": incident.resolved_at,
    }


def document(session: Session, incident: Incident, operator: OperatorFacts, now: datetime) -> dict[str, Any]:
    """Everything about the incident; texts by language, times aware."""
    title = incidents.titles(session, [incident])[incident.id]
    policies = grace_policies.policies_of(session, incident)
    awaited = clock_facts.next_update(session, incident, operator)
    return {
        "id": incident.public_id,
        "title": title.bodies,
        "state": incident.state,
        "publication": incident.publication,
        "cause": incident.cause,
        "components": components.states_of(session, incident),
        "segments": incident.segments,
        "regions": incident.regions,
        "not_affected": incident.not_affected,
        **{name: getattr(incident, name) for name in _TIMES},
        "next_update_asked_at": None if awaited is None else awaited.asked_at,
        "next_update_due_at": None if awaited is None else awaited.due_at,
        "released_alone": _released_alone(session, incident),
        "recurrence_90_days": playbook.recurrence(session, incident).count,
        "updates": _updates(session, incident),
        "kept_words": [
            {"state": one.state, "approved": one.approved, "body": one.wording.bodies}
            for one in said.kept(session, incident)
        ],
        "grace": [
            {"policy": one.public_id, "state": one.state, "until": one.published_until, "revision": one.revision}
            for one in policies
        ],
        "clocks": _clocks(session, incident, operator, now),
    }


def warn(shown: dict[str, Any], zone: ZoneInfo) -> None:
    """Say on standard error what whoever has just written should know."""
    promised, asked = shown["next_update_at"], shown["next_update_asked_at"]
    if promised is not None and asked is not None and promised > asked:
        click.echo(
            f"The page promises the next update by {local(promised, zone)}, but the clock profile asks for one by "
            f"{local(asked, zone)}. It counts as late from the earlier time.",
            err=True,
        )
    if cause_unsaid(shown["state"], shown["cause"]):
        click.echo("The state says that the cause is found, but not which. Say it: incident update --cause.", err=True)


def print_document(shown: dict[str, Any], zone: ZoneInfo) -> None:
    facts = {"id": shown["id"], **{f"title {locale}": body for locale, body in shown["title"].items()}}
    facts |= {name: shown[name] for name in ("state", "publication", "cause")}
    facts["components"] = [f"{key}={state}" for key, state in shown["components"].items()]
    facts |= {name: shown[name] or "all" for name in ("segments", "regions")}
    facts["not affected"] = shown["not_affected"]
    facts |= {name.removesuffix("_at").replace("_", " "): local(shown[name], zone) for name in _TIMES if shown[name]}
    facts["expected end"] = local(shown["expected_end_at"], zone) if shown["expected_end_at"] else "unknown"
    facts["in 90 days"] = shown["recurrence_90_days"]
    for one in shown["released_alone"]:
        looked = f"then {one['reviewed_by']}" if one["reviewed_by"] else "nobody has looked at it since"
        facts[f"campaign {one['campaign']}"] = (
            f"released alone by {one['by']}, {one['messages']} messages: {one['reason']} ({looked})"
        )
    for one in shown["kept_words"]:
        facts[f"kept for {one['state']}"] = "agreed to" if one["approved"] else "waits for a person with words:approve"
    for one in shown["grace"]:
        facts[f"grace {one['policy']}"] = f"{one['state']}, until {local(one['until'], zone)} (exclusive)"
    print_facts(facts)
    click.echo()
    print_table(
        ("at", "state", "update"),
        [(local(one["at"], zone), one["state"], one["body"][one["source"]]) for one in shown["updates"]],
    )
    click.echo()
    print_table(
        ("clock", "due", "done", "overdue", "missing for campaigns"),
        [
            (
                one["clock"],
                local(one["due_at"], zone),
                local(one["done_at"], zone),
                "overdue" if one["overdue"] else "",
                one["missing"],
            )
            for one in shown["clocks"]
        ],
    )


def _clocks(session: Session, incident: Incident, operator: OperatorFacts, now: datetime) -> list[dict[str, Any]]:
    return [
        {
            "clock": one.key,
            "due_at": one.due_at,
            "done_at": one.done_at,
            "overdue": one.overdue,
            "missing": one.missing,
        }
        for one in clock_facts.due(session, incident, operator, now)
    ]


def _released_alone(session: Session, incident: Incident) -> list[dict[str, Any]]:
    return [
        {
            "campaign": one.campaign.public_id,
            "by": one.by,
            "at": one.at,
            "messages": one.messages,
            "reason": one.campaign.break_glass_reason,
            "reviewed_by": one.reviewed_by,
            "reviewed_at": one.reviewed_at,
        }
        for one in break_glass.released_alone(session, [incident.id]).get(incident.id, ())
    ]


def _updates(session: Session, incident: Incident) -> list[dict[str, Any]]:
    found = updates.list_updates(session, incident)
    bodies = stored.read(session, "incident_update", [one.id for one in found])
    return [
        {
            "id": one.public_id,
            "state": one.state,
            "at": one.at,
            "created_at": one.created_at,
            "source": bodies[one.id, "body"].source,
            "body": bodies[one.id, "body"].bodies,
        }
        for one in found
    ]
