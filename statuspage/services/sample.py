"""The sample operator, "Demo Telecom", loaded by key: loading it again changes nothing that it did not bring."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from importlib.resources import files
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage.domain.component import ComponentState
from statuspage.domain.grace import GraceAction, Release, ReleaseMode
from statuspage.domain.incident import CauseCategory, IncidentState
from statuspage.domain.route import Behaviour, RouteKind
from statuspage.models import User
from statuspage.services import components, grace_policies, playbook, reference, routes, templates, users, words
from statuspage.services.actor import CLI, of_user
from statuspage.services.components import ComponentTerms
from statuspage.services.grace_policies import PolicyDraft
from statuspage.services.reference import RegionTerms, SegmentTerms
from statuspage.services.routes import RouteTerms
from statuspage.services.templates import MessageTerms, TemplateTerms

_MONEY = ("fee_percent", "min_amount", "max_amount")


@dataclass(frozen=True)
class FirstLogin:
    """A person made just now; the password is kept nowhere else."""

    email: str
    role: str
    password: str


def load(session: Session, *, time_zone: str, now: datetime) -> list[FirstLogin]:
    """Load the sample operator and return the log-ins that were made, none when they were there before.

    `time_zone` is the operator's: the day on which a promise ends is counted in it.
    """
    _load_places(session, now)
    _load_components(session, now)
    for position, row in enumerate(_read("routes")["routes"]):
        routes.put_route(session, CLI, _route(row), position, now=now)
    logins = _load_people(session, now)
    _load_grace(session, time_zone, now)
    for position, row in enumerate(_read("incidents")["incidents"]):
        templates.put_template(session, CLI, _incident(row), position, now=now)
    for row in _read("messages")["messages"]:
        templates.put_message(session, CLI, _message(row), now=now)
    playbook.ensure_measures(session, now)
    return logins


def _load_places(session: Session, now: datetime) -> None:
    rows = _read("places")
    for position, row in enumerate(rows["regions"]):
        reference.put_region(session, CLI, RegionTerms(**row), position, now=now)
    for position, row in enumerate(rows["segments"]):
        reference.put_segment(session, CLI, SegmentTerms(**row), position, now=now)


def _load_components(session: Session, now: datetime) -> None:
    rows = _read("components")
    for position, row in enumerate(rows["groups"]):
        components.put_group(session, CLI, row["key"], row["name"], position, now=now)
    for position, row in enumerate(rows["components"]):
        components.put_component(session, CLI, ComponentTerms(**row), position, now=now)


def _load_people(session: Session, now: datetime) -> list[FirstLogin]:
    made = []
    for row in _read("people")["people"]:
        if session.scalar(select(User.id).where(User.email == row["email"])) is None:
            _, password = users.add_user(session, CLI, **row, now=now)
            made.append(FirstLogin(row["email"], row["role"], password))
    return made


def _load_grace(session: Session, time_zone: str, now: datetime) -> None:
    author, approver = (users.find_user(session, row["email"]) for row in _read("people")["people"])
    for row in _read("grace")["policies"]:
        policy = grace_policies.put_default(session, of_user(author), row.pop("key"), _policy(row, time_zone), now=now)
        grace_policies.approve(session, of_user(approver), policy, now=now)


def _policy(row: Mapping[str, Any], time_zone: str) -> PolicyDraft:
    release = row["release"]
    typed = {
        "segments": tuple(row["segments"]),
        "actions": tuple(GraceAction(one) for one in row["actions"]),
        "release": Release(ReleaseMode(release["mode"]), release["percent_per_hour"]),
    }
    return PolicyDraft(**{**row, **typed}, time_zone=time_zone)


def _route(row: Mapping[str, Any]) -> RouteTerms:
    lists = {name: tuple(row.get(name, ())) for name in ("depends_on", "segments", "regions", "pay_types")}
    money = {name: Decimal(row[name]) for name in _MONEY if name in row}
    typed = {"kind": RouteKind(row["kind"]), "behaviour": Behaviour(row["behaviour"]), "credit": row.get("credit", {})}
    return RouteTerms(**{**row, **lists, **money, **typed})


def _incident(row: Mapping[str, Any]) -> TemplateTerms:
    title, updates = row.get("title", {}), row.get("updates", {})
    if row.get("holding"):
        title, updates = words.holding("title"), {IncidentState.INVESTIGATING: words.holding("body")}
    return TemplateTerms(
        key=row["key"],
        title=title,
        updates={IncidentState(state): bodies for state, bodies in updates.items()},
        components={key: ComponentState(state) for key, state in row["components"].items()},
        cause=CauseCategory(row.get("cause", CauseCategory.UNKNOWN)),
        segments=tuple(row.get("segments", ())),
        not_affected=tuple(row["not_affected"]),
        grace_key=row["grace_key"],
    )


def _message(row: Mapping[str, Any]) -> MessageTerms:
    mail = {locale: body.strip() for locale, body in row["mail"].items()}
    return MessageTerms(row["key"], row["purpose"], row["sms"], row["subject"], mail, row["audience"])


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(files("statuspage").joinpath("sample", f"{name}.toml").read_text(encoding="utf-8"))
