"""The life of an incident: every update goes through here, and what follows from a change of state happens with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from statuspage.domain.component import ComponentState
from statuspage.domain.errors import RuleError
from statuspage.domain.incident import BROKEN, ENDED, OPEN, RESTORED, CauseCategory, IncidentState, Publication
from statuspage.domain.playbook import check_resolve, open_gate
from statuspage.domain.roles import Permission
from statuspage.models import Incident, IncidentUpdate
from statuspage.services import (
    audit,
    campaign_course,
    campaigns,
    clock_facts,
    components,
    grace,
    page,
    playbook,
    updates,
    wording,
    words,
)
from statuspage.services.actor import Actor
from statuspage.services.incidents import check_editable, lock
from statuspage.services.operator_facts import OperatorFacts
from statuspage.services.texts import Texts
from statuspage.services.updates import KEEP, Keep, NewUpdate

MOST_PAYMENTS = 2**31 - 1
"""More than any operator's queue holds, and the most that its column does."""


@dataclass(frozen=True)
class Crediting:
    """A person's figures of the payments of the outage: `credited` is part of `queued`, `duplicated` of `credited`."""

    queued: int
    credited: int
    duplicated: int = 0


def add_update(
    session: Session,
    actor: Actor,
    incident: Incident,
    new: NewUpdate,
    operator: OperatorFacts,
    *,
    override: str = "",
    now: datetime,
) -> IncidentUpdate:
    """Write an update and do what its state asks for. One that names no next update renews a promise that has passed.

    Restored: outage messages are cancelled, components catch up. Resolved: the playbook's gate is asked (`override` is
    the reason to go on without it), components are back, the grace tail begins. An open state after these reopens.
    """
    actor.require(Permission.INCIDENT_EDIT)
    lock(session, incident)
    check_editable(incident)
    if incident.publication is Publication.PUBLISHED:
        actor.require(Permission.INCIDENT_PUBLISH)
    old, cause = incident.state, incident.cause
    becomes = updates.state_after(session, incident, new, now)
    if becomes in ENDED and old not in ENDED:
        _pass_gate(session, actor, incident, operator, override, now)
    if becomes is IncidentState.POSTMORTEM and old is not becomes:
        actor.require(Permission.POSTMORTEM_PUBLISH)
    new = _promising(session, incident, new, becomes, operator, now)
    update = updates.write(session, actor, incident, new, now)
    words.forget(session, incident, new.state)
    if incident.cause is CauseCategory.SECURITY is not cause:
        campaign_course.pause_for_words(session, incident, now=now)
    _follow(session, actor, incident, old, new, update, now)
    detail: audit.Detail = {"update": update.public_id, "old": old.value, "new": incident.state.value}
    if incident.cause is not cause:
        detail |= {"cause": incident.cause.value, "cause_was": cause.value}
    audit.record(session, actor, "incident.updated", "incident", incident.public_id, now, detail)
    if incident.publication is Publication.PUBLISHED:
        page.bump(session)
    return update


def keep_words(
    session: Session,
    actor: Actor,
    incident: Incident,
    state: IncidentState,
    body: Texts,
    source_locale: str,
    *,
    now: datetime,
) -> None:
    """Keep the words of an update until somebody with words:approve has agreed to them; nothing is published. The
    update to `state` is then offered with them, and takes them away."""
    actor.require(Permission.INCIDENT_EDIT)
    lock(session, incident)
    check_editable(incident)
    checked = wording.checked(body, source_locale, "body", wording.BODY_LENGTH)
    words.keep(session, incident, state, checked, source_locale, now)
    detail: audit.Detail = {"state": state.value, "locales": sorted(checked)}
    audit.record(session, actor, "incident.words_kept", "incident", incident.public_id, now, detail)


def restore_incident(
    session: Session,
    actor: Actor,
    incident: Incident,
    body: Texts,
    source_locale: str,
    operator: OperatorFacts,
    *,
    credited_by_at: datetime | None,
    now: datetime,
) -> IncidentUpdate:
    """Say that payments work again. `credited_by_at` is by when those of the outage are credited; None: not known."""
    lock(session, incident)
    if incident.state in RESTORED:
        said = f"state: the incident is {incident.state} already. Post an update."
        raise RuleError("incident.restored_already", said, "state")
    new = NewUpdate(IncidentState.RESTORED_CATCHING_UP, body, source_locale)
    if credited_by_at is not None:
        updates.check_ahead(credited_by_at, "credited_by_at", now)
    update = add_update(session, actor, incident, new, operator, now=now)
    incident.credited_by_at = credited_by_at
    session.flush()
    return update


def verify_crediting(session: Session, actor: Actor, incident: Incident, figures: Crediting, *, now: datetime) -> bool:
    """Keep a person's figures of the payments made during the outage; True when they verify that all were credited.

    Fewer credited than queued are kept too, and whatever was verified before no longer stands.
    """
    actor.require(Permission.INCIDENT_RESOLVE)
    lock(session, incident)
    _check_figures(figures)
    if incident.state not in RESTORED:
        raise RuleError(
            "incident.not_restored",
            f"state: the incident is {incident.state}; crediting is verified after the restoration. Restore it first.",
            "state",
        )
    incident.payments_queued, incident.payments_credited = figures.queued, figures.credited
    incident.payments_duplicated = figures.duplicated
    verified = figures.credited == figures.queued
    incident.crediting_verified_at = now if verified else None
    incident.crediting_verified_by = actor.id if verified else None
    incident.updated_at = now
    session.flush()
    if incident.publication is Publication.PUBLISHED:
        page.bump(session)
    detail: audit.Detail = {name: getattr(figures, name) for name in ("queued", "credited", "duplicated")}
    act = "incident.crediting_verified" if verified else "incident.crediting_unfinished"
    audit.record(session, actor, act, "incident", incident.public_id, now, detail)
    return verified


def _check_figures(figures: Crediting) -> None:
    """Counts, each a part of the one before it."""
    for name in ("queued", "credited", "duplicated"):
        count = getattr(figures, name)
        if not 0 <= count <= MOST_PAYMENTS:
            message = f"{name}: {count} is no count of payments. Give 0 to {MOST_PAYMENTS}."
            raise RuleError("incident.bad_figure", message, name)
    if figures.credited > figures.queued:
        raise RuleError(
            "incident.more_credited_than_queued",
            f"credited: {figures.credited} is more than the {figures.queued} queued. Count only payments that were "
            "queued, or correct queued.",
            "credited",
        )
    if figures.duplicated > figures.credited:
        raise RuleError(
            "incident.more_duplicated_than_credited",
            f"duplicated: {figures.duplicated} is more than the {figures.credited} credited. Count only credited "
            "payments that were paid twice, or correct credited.",
            "duplicated",
        )


def resolve_incident(
    session: Session,
    actor: Actor,
    incident: Incident,
    body: Texts,
    source_locale: str,
    operator: OperatorFacts,
    *,
    cause: CauseCategory | Keep = KEEP,
    override: str = "",
    now: datetime,
) -> IncidentUpdate:
    """Say that it is over. Asks for rows 7, 8 and 9 of the playbook, or a reason (`override`) to go on without."""
    lock(session, incident)
    if incident.state in ENDED:
        raise RuleError("incident.ended_already", f"state: the incident is {incident.state} already.", "state")
    new = NewUpdate(IncidentState.RESOLVED, body, source_locale, cause=cause)
    return add_update(session, actor, incident, new, operator, override=override, now=now)


def reopen_incident(
    session: Session, actor: Actor, incident: Incident, new: NewUpdate, operator: OperatorFacts, *, now: datetime
) -> IncidentUpdate:
    """It fails again: components as bad as they were unless `new` names some, grace active, crediting to be verified
    anew."""
    if new.state not in BROKEN:
        raise RuleError(
            "incident.bad_reopening",
            f"state: {new.state} does not reopen an incident. Use investigating, identified or monitoring.",
            "state",
        )
    if incident.state in BROKEN:
        raise RuleError(
            "incident.not_closed", f"state: the incident is {incident.state}, so it is open. Post an update.", "state"
        )
    if updates.state_after(session, incident, new, now) not in BROKEN:
        raise RuleError(
            "incident.reopened_too_early",
            "at: this lies before the last update, so the incident would stay as it is. Give a later time or none.",
            "at",
        )
    return add_update(session, actor, incident, new, operator, now=now)


def _pass_gate(
    session: Session, actor: Actor, incident: Incident, operator: OperatorFacts, override: str, now: datetime
) -> None:
    actor.require(Permission.INCIDENT_RESOLVE)
    rows = playbook.rows(session, incident, operator, now)
    check_resolve(rows, override)
    lacking = open_gate(rows)
    if lacking:
        playbook.override_gate(session, actor, incident, list(lacking), override, now)


def _promising(
    session: Session,
    incident: Incident,
    new: NewUpdate,
    becomes: IncidentState,
    operator: OperatorFacts,
    now: datetime,
) -> NewUpdate:
    """This update keeps the promise whose time has come; left standing, it would be late again at once. One that
    reopens finds no promise, since none outlives the end."""
    promised = incident.next_update_at
    due = promised is not None and promised <= now
    reopens = incident.state in ENDED and becomes in OPEN
    if not isinstance(new.next_update_at, Keep) or not (due or reopens):
        return new
    return replace(new, next_update_at=clock_facts.asked_after(session, incident, operator, now))


def _follow(
    session: Session,
    actor: Actor,
    incident: Incident,
    old: IncidentState,
    new: NewUpdate,
    update: IncidentUpdate,
    now: datetime,
) -> None:
    state = incident.state
    if state in RESTORED and old in BROKEN:
        campaigns.on_restored(session, actor, incident, now)
    if state not in ENDED:
        if old in ENDED or (old in RESTORED and state in BROKEN):
            incident.crediting_verified_at, incident.crediting_verified_by = None, None
        if old in RESTORED and state in BROKEN:
            incident.credited_by_at = None
    said = {**_components_after(session, incident, old, new), **new.components}
    if said:
        components.say(session, incident, said)
    components.apply(session, incident, update.id, update.at, now)
    grace.follow(session, actor, incident, now)


def _components_after(
    session: Session, incident: Incident, old: IncidentState, new: NewUpdate
) -> dict[str, ComponentState]:
    """What a change of state makes of the incident's components that `new` does not name. One that reopens and names
    those that fail again means only them."""
    state = incident.state
    if state is old:
        return {}
    current = components.states_of(session, incident)
    if state in ENDED:
        return dict.fromkeys(current, ComponentState.OPERATIONAL)
    if state in RESTORED:
        return {key: _catching_up(one) for key, one in components.worst_of(session, incident).items()}
    if old in RESTORED and not new.components:
        return components.worst_of(session, incident)
    return {}


def _catching_up(state: ComponentState) -> ComponentState:
    return ComponentState.DEGRADED_PERFORMANCE if state in components.BREAKING else state
