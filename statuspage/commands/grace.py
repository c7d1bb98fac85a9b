"""`statuspage grace`: the promise that nobody is suspended for non-payment."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import click
import structlog
from sqlalchemy.exc import DBAPIError

from statuspage.commands.desk import reading, writing
from statuspage.commands.options import MOMENT, as_json, closing, moment
from statuspage.commands.printing import local, print_facts, print_json, print_table
from statuspage.composition import Composition
from statuspage.db import transaction
from statuspage.domain.address import normalise_iccid, normalise_msisdn
from statuspage.models import GraceLedger, GracePolicy
from statuspage.services import grace as verbs
from statuspage.services import grace_check, grace_inquiries, grace_policies, incidents
from statuspage.services.actor import CLI
from statuspage.services.grace_check import Answer, Query

logger = structlog.get_logger(__name__)

_ICCID = ("89", 19)


@click.group()
def grace() -> None:
    """Who is not suspended, until when, and why."""


@grace.command()
@click.argument("incident", required=False)
@as_json
@click.pass_obj
def show(parts: Composition, incident: str | None, json_wanted: bool) -> None:
    """The policies of INCIDENT with their ledger; without it the default ones."""
    with reading(parts) as session:
        if incident is None:
            found = grace_policies.default_policies(session)
        else:
            found = grace_policies.policies_of(session, incidents.get_incident(session, incident))
        shown = [_document(one, grace_policies.ledger(session, one)) for one in found]
    if json_wanted:
        print_json(shown)
        return
    zone = parts.settings.zone
    for one in shown:
        facts = {name: one[name] for name in ("policy", "key", "state", "revision", "segments", "regions", "actions")}
        print_facts(facts | {"until": local(one["until"], zone), "approved": local(one["approved_at"], zone)})
        print_table(
            ("revision", "at", "by", "cause", "state", "until"),
            [
                (
                    row["revision"],
                    local(row["at"], zone),
                    row["by"],
                    row["cause"],
                    row["state"],
                    local(row["until"], zone),
                )
                for row in one["ledger"]
            ],
        )
        click.echo()


@grace.command()
@click.argument("policy")
@click.argument("until")
@click.pass_obj
def extend(parts: Composition, policy: str, until: str) -> None:
    """Promise longer. UNTIL is an exclusive end: 2026-11-28 is its 24:00. Past the cap a second person agrees."""
    end = closing(parts, until, "UNTIL")
    with writing(parts) as session:
        found = grace_policies.get_policy(session, policy)
        verbs.extend(session, CLI, found, end, now=parts.clock.now())
        promised = found.published_until
    click.echo(f"Promised until {local(promised, parts.settings.zone)}, exclusive.")


@grace.command()
@click.argument("address")
@click.option("--at", "at", help=f"As it was then, from the ledger. {MOMENT}")
@click.option("--system", help="The dunning system that asks, so that the room says when it did. People give none.")
@as_json
@click.pass_obj
def check(parts: Composition, address: str, at: str | None, system: str | None, json_wanted: bool) -> None:
    """Hold or proceed for ADDRESS: a number, an ICCID, or account:NUMBER."""
    query, now, then = _query(parts, address), parts.clock.now(), moment(parts, at, "--at")
    with reading(parts) as session:
        if then is None:
            (answer,) = grace_check.check(session, CLI, [query], now=now)
        else:
            (answer,) = grace_check.check_at(session, CLI, [query], then, now=now)
        unkept = system is not None and then is None and grace_inquiries.due(session, system, now=now)
    shown = _answer(answer) | {"why": _why(answer, parts.settings.zone)}
    if json_wanted:
        print_json(shown)
    else:
        ends = {name: local(shown[name], parts.settings.zone) for name in ("until", "promised_until")}
        print_facts(shown | ends | {"actions": list(shown["actions"])})
    if system is not None and unkept:
        _note(parts, system)


def _note(parts: Composition, system: str) -> None:
    """The answer is out already: a database that takes no writes must not turn it into a failure."""
    try:
        with transaction(parts.sessions) as session:
            grace_inquiries.note(session, system, now=parts.clock.now())
    except DBAPIError as fault:
        logger.warning("grace.inquiry_not_kept", error=type(fault.orig).__name__)


def _query(parts: Composition, address: str) -> Query:
    if address.startswith("account:"):
        return Query(account=address.removeprefix("account:"))
    digits = address.strip()
    prefix, length = _ICCID
    if digits.startswith(prefix) and len(digits) >= length:
        return Query(iccid=normalise_iccid(digits))
    return Query(msisdn=normalise_msisdn(address, parts.settings.default_region))


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "decision": answer.decision,
        "until": answer.until,
        "policy": answer.policy,
        "revision": answer.revision,
        "actions": dict(answer.actions),
        "ttl": answer.ttl_seconds,
        "recognised": answer.recognised,
        "promised_until": answer.promised_until,
    }


def _why(answer: Answer, zone: ZoneInfo) -> str:
    """How the answer comes about, for whoever compares it with the page."""
    if answer.until is None or answer.promised_until is None:
        return "No promise covers the line."
    told = f"The promise on the page is until {local(answer.promised_until, zone)}"
    if answer.until > answer.promised_until and answer.release is not None:
        told += (
            f"; the line is suspended not before {local(answer.until, zone)}: after the promise lines are released in "
            f"steps, {answer.release.percent_per_hour} % an hour (staggered release)"
        )
    if not answer.recognised:
        told += "; the line is in no subscriber file, so whatever is promised to anybody is applied to it"
    return f"{told}."


def _document(policy: GracePolicy, written: list[GraceLedger]) -> dict[str, Any]:
    return {
        "policy": policy.public_id,
        "key": policy.key,
        "state": policy.state,
        "revision": policy.revision,
        "until": policy.published_until,
        "segments": policy.segments,
        "regions": policy.regions,
        "actions": policy.actions,
        "rolling_hours": policy.rolling_hours,
        "tail_days": policy.tail_days,
        "hard_cap_days": policy.hard_cap_days,
        "approved_at": policy.approved_at,
        "ledger": [
            {
                "revision": one.revision,
                "at": one.at,
                "by": one.actor,
                "cause": one.cause,
                "state": one.state,
                "until": one.new_until,
            }
            for one in written
        ],
    }
