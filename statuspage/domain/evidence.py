"""What really happened, as far as the system can know: the facts from which the playbook's rows are judged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from statuspage.domain.incident import CauseCategory

ENOUGH_TOLD = 0.9
"""Share of the reachable that must have been told before "told directly" is done."""

SHORT_OUTAGE = timedelta(hours=2)
"""An outage that is expected to end within this time of its declaration needs no message to each person."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Facts of one incident at one moment. Every default is "no": what nobody recorded did not happen.

    Who did something ("…_by") is a person's public id or the name of what acted, such as "cli".
    """

    declared_at: datetime
    cause: CauseCategory
    open: bool = True
    """False once the incident is resolved."""
    resolved_at: datetime | None = None

    published: bool = False
    """A published revision contains the incident in every locale."""
    published_at: datetime | None = None
    published_by: str | None = None
    gaps: tuple[str, ...] = ()
    """What the content checklist misses on the page; a person's answer for the row is the reason for all of it."""

    owner: str | None = None
    cause_said: bool = False
    end_said: bool = False
    expected_end: datetime | None = None

    campaign_ran: bool = False
    """A campaign to the affected audience has started, whatever became of it later."""
    campaign_at: datetime | None = None
    campaign_by: str | None = None
    """Who released it: the second person, or who was allowed to alone."""
    reachable: int = 0
    """Messages of such campaigns, without those that were left out for a reason; those not gathered yet count too."""
    told: int = 0
    first_sms_due: datetime | None = None
    """From the clocks: quiet hours put it off, so that nobody is late for not waking people."""

    payment_uncovered: int = 0
    """Affected (segment, region) pairs without a usable payment route checked in the last 30 minutes."""
    payment_routes_shown: int = 0
    routes_in_message: bool = False
    """What went out names a way to pay or leads to the list of them."""
    routes_checked_at: datetime | None = None
    """The oldest check among the routes that are shown as usable."""
    routes_checked_by: str | None = None
    service_routes_shown: int = 0
    """Usable service routes on the page that do not depend on billing."""

    grace_policies: int = 0
    grace_since: datetime | None = None
    grace_until: datetime | None = None
    """The earliest end of those in force, exclusive."""
    grace_by: str | None = None
    grace_uncovered: tuple[str, ...] = ()
    """Affected segments without an active grace policy."""
    grace_unacknowledged: tuple[str, ...] = ()
    """Dunning systems that have not acknowledged the latest revision; "" for one when none ever acknowledged any."""
    grace_acknowledged_at: datetime | None = None
    mute_unconfirmed: int = 0
    """Systems that send dunning or marketing messages and have not confirmed the mute."""
    mute_confirmed: int = 0

    update_overdue: bool = False
    next_update_due: datetime | None = None
    updates_due: int = 0
    """Updates that were due so far, by the cadence or by what was promised; the first notice is none of them."""
    updates_on_time: int = 0
    longest_gap: timedelta = timedelta()

    restored_at: datetime | None = None
    credited_at: datetime | None = None
    """When a person confirmed the crediting, with figures."""
    credited_by: str | None = None
    payments_queued: int = 0
    payments_credited: int = 0
    postmortem_at: datetime | None = None

    script_acknowledged: bool = False
    short_texts_published: bool = False
    independent_channels: tuple[str, ...] = ()
    """Channels that do not depend on billing and really carried the news."""

    pos_affected: bool = False
    triage_linked: bool = False
    pos_contacts_told: int = 0
    partners_affected: bool = False
    """Settlement with roaming partners or invoices of business accounts are touched."""
    partners_told: bool = False

    words_approved_at: datetime | None = None
    words_approved_by: str | None = None
    phishing_notice_shown: bool = False
    compensation_decided: bool = False
    filed_at: datetime | None = None
    """When somebody answered for it that a report, which carries the proof of the audit, was handed in."""
    filed_by: str | None = None

    @property
    def told_share(self) -> float:
        """Told of reachable, 0.0 to 1.0; nobody reachable counts as all told."""
        return self.told / self.reachable if self.reachable else 1.0
