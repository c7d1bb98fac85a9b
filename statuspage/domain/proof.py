"""What speaks for and against each row of the playbook: facts with their time and their person.

A row is proved when all of its facts hold, so what a reader is shown and what is judged are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from statuspage.domain.evidence import ENOUGH_TOLD, Evidence
from statuspage.domain.route import STALE_AFTER

CHANNELS_ASKED = 2


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact. `key` names its two sentences in the catalogues, for holding and for not; the rest fills them.

    `n` of `of` are counts, `span` a duration, `names` keys of what the sentence lists, `by` as in `Evidence`.
    """

    key: str
    holds: bool
    at: datetime | None = None
    until: datetime | None = None
    by: str | None = None
    n: int = 0
    of: int = 0
    span: timedelta | None = None
    names: tuple[str, ...] = ()


Facts = tuple[Fact, ...]


def _page_tells(e: Evidence) -> Facts:
    shown = Fact("on_page", e.published, at=e.published_at, by=e.published_by)
    return (shown, Fact("complete", not e.gaps, names=e.gaps)) if e.published else (shown,)


def _told_directly(e: Evidence) -> Facts:
    begun = Fact("campaign", e.campaign_ran, at=e.campaign_at, by=e.campaign_by)
    told = Fact("told", e.told_share >= ENOUGH_TOLD, n=e.told, of=e.reachable)
    return (begun, told) if e.campaign_ran else (begun,)


def _payment_routes(e: Evidence) -> Facts:
    until = None if e.routes_checked_at is None else e.routes_checked_at + STALE_AFTER
    shown = Fact(
        "ways",
        e.published and e.payment_routes_shown > 0,
        at=e.routes_checked_at,
        until=until,
        by=e.routes_checked_by,
        n=e.payment_routes_shown,
    )
    facts = (shown, Fact("covered", e.payment_uncovered == 0, n=e.payment_uncovered))
    return (*facts, Fact("in_message", e.routes_in_message)) if e.campaign_ran else facts


def _service_routes(e: Evidence) -> Facts:
    return (Fact("services", e.published and e.service_routes_shown > 0, n=e.service_routes_shown),)


def _grace_active(e: Evidence) -> Facts:
    promised = Fact("hold", e.grace_policies > 0, at=e.grace_since, until=e.grace_until, by=e.grace_by)
    if not e.grace_policies:
        return (promised,)
    systems = tuple(name for name in e.grace_unacknowledged if name)
    key = "acknowledged" if systems or not e.grace_unacknowledged else "acknowledged_at_all"
    return (
        promised,
        Fact("hold_covers", not e.grace_uncovered, names=e.grace_uncovered),
        Fact(key, not e.grace_unacknowledged, at=e.grace_acknowledged_at, names=systems),
    )


def _dunning_muted(e: Evidence) -> Facts:
    return (Fact("muted", e.mute_confirmed > 0 and e.mute_unconfirmed == 0, n=e.mute_confirmed),)


def _repair_owned(e: Evidence) -> Facts:
    end = "end" if e.expected_end is not None else "end_unknown"
    return (
        Fact("owner", e.owner is not None, by=e.owner),
        Fact("cause", e.cause_said, names=(e.cause.value,)),
        Fact(end, e.end_said, until=e.expected_end),
    )


def _updates_on_time(e: Evidence) -> Facts:
    if not e.published:
        return (Fact("on_page", holds=False),)
    due = e.next_update_due
    none_late = Fact("none_late" if due is not None else "none_due", not e.update_overdue, until=due)
    if not e.updates_due and due is None:
        return (none_late,)
    # The first notice is no update: before one has followed it, nobody has kept the cadence yet.
    kept = Fact("followed", e.updates_due > 0, n=e.updates_on_time, of=e.updates_due, span=e.longest_gap)
    return (none_late, kept)


def _restored_truthfully(e: Evidence) -> Facts:
    return (
        Fact("restored", e.restored_at is not None, at=e.restored_at),
        Fact(
            "credited",
            e.credited_at is not None,
            at=e.credited_at,
            by=e.credited_by,
            n=e.payments_credited,
            of=e.payments_queued,
        ),
    )


def _postmortem(e: Evidence) -> Facts:
    return (Fact("review", e.postmortem_at is not None, at=e.postmortem_at),)


def _call_centre(e: Evidence) -> Facts:
    return Fact("script", e.script_acknowledged), Fact("short_texts", e.short_texts_published)


def _independent_channels(e: Evidence) -> Facts:
    used = e.independent_channels
    key = "channels" if used else "channels_at_all"
    return (Fact(key, len(used) >= CHANNELS_ASKED, n=CHANNELS_ASKED, names=used),)


def _merchants(e: Evidence) -> Facts:
    return Fact("merchants", e.pos_contacts_told > 0, n=e.pos_contacts_told), Fact("triage", e.triage_linked)


def _partners(e: Evidence) -> Facts:
    return (Fact("partners", e.partners_told),)


def _security_words(e: Evidence) -> Facts:
    approved = Fact("words", e.words_approved_at is not None, at=e.words_approved_at, by=e.words_approved_by)
    return approved, Fact("warning", e.phishing_notice_shown)


def _compensation(e: Evidence) -> Facts:
    return Fact("compensation", e.compensation_decided), Fact(
        "filed", e.filed_at is not None, at=e.filed_at, by=e.filed_by
    )


FACTS: Mapping[str, Callable[[Evidence], Facts]] = MappingProxyType(
    {
        "page_tells": _page_tells,
        "told_directly": _told_directly,
        "payment_routes": _payment_routes,
        "service_routes": _service_routes,
        "grace_active": _grace_active,
        "dunning_muted": _dunning_muted,
        "repair_owned": _repair_owned,
        "updates_on_time": _updates_on_time,
        "restored_truthfully": _restored_truthfully,
        "postmortem": _postmortem,
        "call_centre": _call_centre,
        "independent_channels": _independent_channels,
        "merchants": _merchants,
        "partners": _partners,
        "security_words": _security_words,
        "compensation": _compensation,
    }
)
"""The measure's key → what is known for and against it."""


def facts(key: str, evidence: Evidence) -> Facts:
    """Of a measure of the operator's own nothing is known: a person answers for it."""
    found = FACTS.get(key)
    return () if found is None else found(evidence)


def proved(key: str, evidence: Evidence) -> bool:
    known = facts(key, evidence)
    return bool(known) and all(fact.holds for fact in known)
