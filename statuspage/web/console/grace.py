"""A promise: what it says, its ledger, who applies it; moving it later, and the acts that take two people."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from zoneinfo import ZoneInfo

from flask import Blueprint, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage.domain.errors import RuleError
from statuspage.domain.grace import hard_cap
from statuspage.domain.local_time import end_of_day
from statuspage.domain.roles import Permission
from statuspage.models import GracePolicy, Incident, User
from statuspage.services import grace, grace_inquiries, grace_policies, incidents, texts
from statuspage.web import shell
from statuspage.web.access import access, actor, person
from statuspage.web.console import naming, touched
from statuspage.web.console.acting import act
from statuspage.web.forms import Fields, Mistake, fields
from statuspage.web.wiring import now, wiring

blueprint = Blueprint("grace", __name__, url_prefix="/console/grace")


@blueprint.get("/<public_id>")
@access(Permission.INCIDENT_VIEW)
def show(public_id: str) -> ResponseReturnValue:
    return _page(public_id, None)


@blueprint.post("/<public_id>/extend")
@access(Permission.GRACE_EDIT)
def extend(public_id: str) -> ResponseReturnValue:
    """Promises to the end of a day of the policy's own zone."""
    form = fields()

    def later(session: Session, policy: GracePolicy) -> None:
        until = _end_of(form, "day", ZoneInfo(policy.time_zone))
        form.check()
        grace.extend(session, actor(), policy, until, now=now())

    return _change(public_id, "extend", later)


@blueprint.post("/<public_id>/acknowledge")
@access(Permission.GRACE_EDIT)
def acknowledge(public_id: str) -> ResponseReturnValue:
    """A person answers for a dunning system that cannot answer itself."""
    form = fields()
    system = form.text("system", required=True, limit=60)
    held, wrong = form.count("held"), form.count("suspended_in_error")

    def applied(session: Session, policy: GracePolicy) -> None:
        form.check()
        grace.acknowledge(
            session,
            actor(),
            policy,
            system=system,
            revision=policy.revision,
            held=held,
            suspended_in_error=wrong,
            now=now(),
        )

    return _change(public_id, "acknowledge", applied)


@blueprint.post("/<public_id>/approve")
@access(Permission.GRACE_APPROVE)
def approve(public_id: str) -> ResponseReturnValue:
    return _change(public_id, "approve", lambda db, policy: grace.approve_policy(db, actor(), policy, now=now()))


@blueprint.post("/<public_id>/lift-cap")
@access(Permission.GRACE_APPROVE)
def lift_cap(public_id: str) -> ResponseReturnValue:
    return _change(public_id, "lift_cap", lambda db, policy: grace.lift_cap(db, actor(), policy, now=now()))


@blueprint.post("/<public_id>/ask-revocation")
@access(Permission.GRACE_EDIT)
def ask_revocation(public_id: str) -> ResponseReturnValue:
    return _change(public_id, "ask_revocation", lambda db, policy: grace.ask_revocation(db, actor(), policy, now=now()))


@blueprint.post("/<public_id>/revoke")
@access(Permission.GRACE_APPROVE)
def revoke(public_id: str) -> ResponseReturnValue:
    return _change(public_id, "revoke", lambda db, policy: grace.revoke(db, actor(), policy, now=now()))


def _change(public_id: str, what: str, verb: Callable[[Session, GracePolicy], None]) -> ResponseReturnValue:
    return act(
        f"grace.{what}.{public_id}",
        lambda session: verb(session, grace_policies.get_policy(session, public_id)),
        done=f"grace.done_{what}",
        onward=url_for("grace.show", public_id=public_id),
        page=lambda error: _page(public_id, error),
    )


def _end_of(form: Fields, name: str, zone: ZoneInfo) -> datetime:
    value = form.text(name, required=True)
    try:
        return end_of_day(date.fromisoformat(value), zone)
    except (ValueError, OverflowError):
        form.mistakes.setdefault(name, Mistake("no_day"))
        return now()


def _page(public_id: str, error: RuleError | None) -> str:
    with wiring().reading() as session:
        policy = grace_policies.get_policy(session, public_id)
        titles = texts.read(session, "grace_policy", [policy.id])
        incident = session.get(Incident, policy.incident_id) if policy.incident_id is not None else None
        ledger = grace_policies.ledger(session, policy)
        acknowledged = grace_policies.acknowledgements(session, policy)
        asked = grace_inquiries.last(session)
        wrote = {one.actor for one in ledger} | {one.actor for one in acknowledged}
        names = session.execute(select(User.public_id, User.name).where(User.public_id.in_(wrote))).all()
        return shell.render(
            "console/grace/show.html",
            error=error,
            policy=policy,
            title=naming.picked(titles.get((policy.id, "title"))),
            not_covered=naming.picked(titles.get((policy.id, "not_covered"))),
            incident=incident,
            incident_title=naming.picked(incidents.titles(session, [incident])[incident.id]) if incident else "",
            ledger=list(reversed(ledger)),
            acknowledged=acknowledged,
            asked=asked,
            names=dict(names),
            cap=hard_cap(grace_policies.terms(policy, now())),
            lines=touched.lines_within(session, policy.segments, policy.regions),
            segments=dict(naming.segment_names(session)),
            regions=dict(naming.region_names(session)),
            own=policy.author_id == person().id,
        )
