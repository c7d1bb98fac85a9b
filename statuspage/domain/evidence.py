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
    """Facts of one incident at one moment. Every default is "no": what nobody recorded did not happen."""

    declared_at: datetime
    cause: CauseCategory
    open: bool = True
    """False once the incident is resolved."""
    resolved_at: datetime | None = None

    published: bool = False
    """A published revision contains the incident in every locale."""
    unexplained_gaps: int = 0
    """Gaps of the content checklist for which nobody gave a reason."""
    owner_named: bool = False
    cause_said: bool = False
    end_said: bool = False
    expected_end: datetime | None = None

    reachable: int = 0
    told: int = 0
    campaign_ran: bool = False
    """A campaign to the affected audience is running or finished."""
    first_sms_due: datetime | None = None
    """From the clocks: quiet hours put it off, so that nobody is late for not waking people."""

    payment_uncovered: int = 0
    """Affected (segment, region) pairs without a usable payment route checked in the last 30 minutes."""
    payment_routes_shown: int = 0
    routes_in_message: bool = False
    routes_checked_at: datetime | None = None
    """The oldest check among the routes that are shown as usable."""
    service_routes_shown: int = 0
    """Usable service routes on the page that do not depend on billing."""

    grace_uncovered: int = 0
    """Affected segments without an active grace policy."""
    grace_policies: int = 0
    grace_unacknowledged: int = 0
    """Dunning systems that have not acknowledged the latest revision."""
    mute_unconfirmed: int = 0
    """Systems that send dunning or marketing messages and have not confirmed the mute."""
    mute_confirmed: int = 0

    update_overdue: bool = False
    next_update_due: datetime | None = None
    restored_at: datetime | None = None
    crediting_verified: bool = False
    """A person confirmed it, with figures."""
    postmortem_published: bool = False

    script_acknowledged: bool = False
    short_texts_published: bool = False
    independent_channels: int = 0
    """Channels that do not depend on billing and really carried the news."""

    pos_affected: bool = False
    triage_linked: bool = False
    pos_contacts_told: bool = False
    partners_affected: bool = False
    """Settlement with roaming partners or invoices of business accounts are touched."""
    partners_told: bool = False

    words_approved: bool = False
    phishing_notice_shown: bool = False
    compensation_decided: bool = False
    audit_filed: bool = False

    @property
    def told_share(self) -> float:
        """Told of reachable, 0.0 to 1.0; nobody reachable counts as all told."""
        return self.told / self.reachable if self.reachable else 1.0
