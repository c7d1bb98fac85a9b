"""What a look-up answers: whether the line is held stands first, then who it is, then what was sent there."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from http import HTTPStatus

import structlog
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage.domain.errors import RuleError
from statuspage.domain.roles import Permission
from statuspage.models import GracePolicy, Incident
from statuspage.services import incidents, lookups, people_found, people_told, texts
from statuspage.services.erasure import Erased
from statuspage.services.lookups import LookedUp
from statuspage.services.people_found import Case
from statuspage.services.people_told import Notice
from statuspage.web import shell
from statuspage.web.access import actor, may, person
from statuspage.web.console import naming
from statuspage.web.errors import status_of
from statuspage.web.wiring import now, wiring

RETRY_AFTER_SECONDS = "600"

logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Promise:
    """A policy that holds a line, in the reader's words."""

    policy: GracePolicy
    title: str
    not_covered: str
    incident: Incident | None


@dataclass(frozen=True)
class Answer:
    """Everything that is said of whoever was looked up. `elsewhere`: row ids of the current incidents that concern none
    of the lines. `touched`: contacts and lines that an erasure would take."""

    found: LookedUp
    promises: dict[str, Promise]
    current: list[Incident]
    elsewhere: frozenset[int]
    notices: list[Notice]
    incident_titles: dict[int, str]
    touched: tuple[int, int]


def look_up(text: str) -> ResponseReturnValue:
    """The look-up and its audit entry are one transaction: who could not be written down has seen nothing."""
    try:
        with wiring().writing() as session:
            found = lookups.look_up(session, actor(), text, wiring().settings, now=now())
            answer = _answer(session, found)
    except RuleError as error:
        if error.code == lookups.TOO_MANY:
            logger.warning("people.too_many_lookups", user=person().public_id)
        return page(text, error=error)
    return page(text, answer=answer)


def page(
    text: str, *, answer: Answer | None = None, error: RuleError | None = None, erased: Erased | None = None
) -> ResponseReturnValue:
    """The form with what was asked, and one of the three."""
    with wiring().reading() as session:
        segments, regions = dict(naming.segment_names(session)), dict(naming.region_names(session))
    shown = shell.render(
        "console/people/found.html",
        error=error,
        address=text,
        answer=answer,
        erased=erased,
        segments=segments,
        regions=regions,
        most_lines=people_found.MOST_LINES,
    )
    if error is None:
        return shown
    if error.code == lookups.TOO_MANY:
        return shown, HTTPStatus.TOO_MANY_REQUESTS, {"Retry-After": RETRY_AFTER_SECONDS}
    return shown, status_of(error)


def _answer(session: Session, found: LookedUp) -> Answer:
    promises = _promises(session, found.found.cases)
    current = people_told.current_incidents(session)
    notices = people_told.notices(session, current, found.found.places) if found.found.cases else []
    named = {one.id: one for one in (*current, *(one.incident for one in promises.values() if one.incident))}
    titles = incidents.titles(session, list(named.values()))
    touched = (0, 0)
    address = found.sought.address
    if address is not None and may(Permission.SUBSCRIBER_ERASE):
        touched = people_found.count_at(session, address)
    words = {key: naming.picked(one) for key, one in titles.items()}
    elsewhere = frozenset(one.id for one in current if not people_told.concerns(one, found.found.cases))
    return Answer(found, promises, current, elsewhere, notices, words, touched)


def _promises(session: Session, cases: Iterable[Case]) -> dict[str, Promise]:
    """policy public id → the promise, for every policy that holds one of the lines."""
    wanted = _policies(cases)
    policies = list(session.scalars(select(GracePolicy).where(GracePolicy.public_id.in_(wanted))))
    written = texts.read(session, "grace_policy", [one.id for one in policies])
    return {
        one.public_id: Promise(
            one,
            naming.picked(written.get((one.id, "title"))),
            naming.picked(written.get((one.id, "not_covered"))),
            session.get(Incident, one.incident_id) if one.incident_id is not None else None,
        )
        for one in policies
    }


def _policies(cases: Iterable[Case]) -> Collection[str]:
    answers = [standing.answer for case in cases for standing in case.standings]
    return {one.policy for one in answers if one is not None and one.policy is not None}
