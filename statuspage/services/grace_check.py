"""What a dunning system asks: hold this line, or proceed? Now, and as it was at a moment in the past."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from statuspage.domain.errors import RuleError
from statuspage.domain.grace import GraceAction, GraceExclusion, GraceState, Release, release_moment
from statuspage.domain.hold import Decision, Hold, decide
from statuspage.domain.roles import Permission
from statuspage.models import Account, GraceLedger, GracePolicy, Installation, Line, Region, Segment
from statuspage.services import grace_policies
from statuspage.services.actor import Actor

TTL = timedelta(minutes=5)
"""How long an answer may be kept; a promise is moved a day at a time, a new one should be heard of soon."""

MOST_QUERIES = 1000
_LAST_BUCKET = 99


@dataclass(frozen=True)
class Query:
    """One subject: an identifier already normalised (E.164, ICCID, account number), or attributes, or both.

    Given attributes win over what our copy of the subscribers says. `known` are reasons against the line; only those
    that the policy excludes count. `overdue_since` matters to a revoked policy, which covers no newer debts.
    """

    msisdn: str | None = None
    iccid: str | None = None
    account: str | None = None
    segment: str | None = None
    region: str | None = None
    known: frozenset[GraceExclusion] = frozenset()
    overdue_since: datetime | None = None


@dataclass(frozen=True)
class Answer:
    """`until` is an exclusive end, `actions` says until when each is held; `ttl_seconds` how long the answer is good.

    `promised_until` is what the page says of the same policy, and `release` how lines leave the hold after that: in
    steps, `until` is later. `recognised` False: neither our copy nor the question says what the line is, so every
    policy in force was applied, to the last step.
    """

    decision: Decision
    until: datetime | None
    policy: str | None
    revision: int | None
    actions: dict[GraceAction, datetime]
    ttl_seconds: int
    recognised: bool
    promised_until: datetime | None
    release: Release | None


@dataclass(frozen=True)
class _Promise:
    policy: GracePolicy
    revision: int
    until: datetime
    revoked_at: datetime | None


@dataclass(frozen=True)
class _Subject:
    segment: str | None
    region: str | None
    bucket: int


def check(session: Session, actor: Actor, queries: Sequence[Query], *, now: datetime) -> list[Answer]:
    """An answer for each query, in order, from the published values. 1 to 1,000 queries."""
    return _answers(session, actor, queries, _promises_now(session), now)


def check_at(session: Session, actor: Actor, queries: Sequence[Query], at: datetime, *, now: datetime) -> list[Answer]:
    """What held at `at`, from the ledger, for disputes. Lines are looked up as they are today."""
    if at > now:
        raise RuleError("grace.at_in_future", f"time: {at.isoformat()} is yet to come. Give a past moment.", "time")
    return _answers(session, actor, queries, _promises_at(session, at), at)


def _answers(
    session: Session, actor: Actor, queries: Sequence[Query], promises: list[_Promise], at: datetime
) -> list[Answer]:
    actor.require(Permission.GRACE_CHECK)
    if not 1 <= len(queries) <= MOST_QUERIES:
        raise RuleError(
            "grace.too_many", f"queries: {len(queries)} were asked. Ask 1 to {MOST_QUERIES} at a time.", "queries"
        )
    lines = _lines(session, queries)
    return [_answer(query, lines, promises, at) for query in queries]


def _answer(query: Query, lines: dict[str, list[_Subject]], promises: list[_Promise], at: datetime) -> Answer:
    names = (query.msisdn, query.iccid, None if query.account is None else f"account {query.account}")
    found = [subject for name in names if name is not None for subject in lines.get(name, ())]
    subjects = found or [_Subject(None, None, _LAST_BUCKET)]
    holds = [
        hold for subject in subjects for promise in promises if (hold := _hold(promise, query, subject)) is not None
    ]
    answer = decide(holds, query.known, at)
    ttl = TTL if answer.until is None else min(TTL, answer.until - at)
    promise = next((one for one in promises if one.policy.public_id == answer.policy), None)
    return Answer(
        answer.decision,
        answer.until,
        answer.policy,
        answer.revision,
        dict(answer.actions),
        max(int(ttl.total_seconds()), 1),
        bool(found) or query.segment is not None,
        None if promise is None else promise.until,
        None if promise is None else grace_policies.terms(promise.policy, promise.until).release,
    )


def _hold(promise: _Promise, query: Query, subject: _Subject) -> Hold | None:
    policy = promise.policy
    terms = grace_policies.terms(policy, promise.until)
    segment, region = query.segment or subject.segment, query.region or subject.region
    # What nobody knows counts as covered: a line cut off in error costs more than one held a day too long.
    if segment is not None and segment not in terms.segments:
        return None
    if region is not None and policy.regions and region not in policy.regions:
        return None
    newer = (
        query.overdue_since is not None and promise.revoked_at is not None and query.overdue_since > promise.revoked_at
    )
    if newer:
        return None
    until = release_moment(promise.until, terms.release, subject.bucket)
    return Hold(policy.public_id, promise.revision, until, terms.actions, terms.starts_at, terms.excluded)


def _promises_now(session: Session) -> list[_Promise]:
    query = select(GracePolicy).where(GracePolicy.incident_id.is_not(None), GracePolicy.published_until.is_not(None))
    policies = list(session.scalars(query))
    revoked = _revoked(session, [one.id for one in policies if one.state is GraceState.REVOKED])
    return [
        _Promise(policy, policy.revision, policy.published_until, revoked.get(policy.id))
        for policy in policies
        if policy.published_until is not None
    ]


def _promises_at(session: Session, at: datetime) -> list[_Promise]:
    policies = {one.id: one for one in session.scalars(select(GracePolicy).where(GracePolicy.incident_id.is_not(None)))}
    entries: dict[int, list[GraceLedger]] = {}
    for entry in session.scalars(select(GraceLedger).order_by(GraceLedger.revision)):
        entries.setdefault(entry.policy_id, []).append(entry)
    promises = []
    for policy_id, written in entries.items():
        # A policy that was dated back holds from its start on, by its first entry.
        current = [entry for entry in written if entry.at <= at] or written[:1]
        revoked = next((entry.at for entry in current if entry.state is GraceState.REVOKED), None)
        promises.append(_Promise(policies[policy_id], current[-1].revision, current[-1].new_until, revoked))
    return promises


def _revoked(session: Session, policy_ids: list[int]) -> dict[int, datetime]:
    query = select(GraceLedger.policy_id, GraceLedger.at).where(
        GraceLedger.policy_id.in_(policy_ids), GraceLedger.state == GraceState.REVOKED
    )
    return dict(session.execute(query).all())


def _lines(session: Session, queries: Iterable[Query]) -> dict[str, list[_Subject]]:
    """identifier → its lines; an account may have several."""
    asked = list(queries)
    keys = {name for query in asked for name in (query.msisdn, query.iccid) if name is not None}
    iccids = {query.iccid for query in asked if query.iccid is not None}
    accounts = {query.account for query in asked if query.account is not None}
    found: dict[str, list[_Subject]] = {}
    # One look-up for each identifier: an OR over three indexes is a scan on SQLite.
    for column, names in ((Line.key, keys), (Line.iccid, iccids), (Account.external_id, accounts)):
        if names:
            _add_lines(session, column.in_(names), found)
    return found


def _add_lines(session: Session, wanted: ColumnElement[bool], found: dict[str, list[_Subject]]) -> None:
    live = and_(Line.valid_from <= Installation.generation, Line.valid_to > Installation.generation)
    query = (
        select(Line.key, Line.iccid, Account.external_id, Segment.key, Region.key)
        .join(Account, Account.id == Line.account_id)
        .join(Segment, Segment.id == Line.segment_id)
        .join(Region, Region.id == Line.region_id)
        .join(Installation, live)
        .where(wanted)
    )
    for key, iccid, account, segment, region in session.execute(query):
        subject = _Subject(segment, region, zlib.crc32(key.encode()) % 100)
        for name in {key, iccid, f"account {account}"} - {None}:
            found.setdefault(str(name), []).append(subject)
