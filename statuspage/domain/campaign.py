"""A campaign: which state follows which, who may release it, and when its message is overtaken by events."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from statuspage.domain.delivery import Reason
from statuspage.domain.errors import NotAllowed, RuleError
from statuspage.domain.incident import BROKEN, RESTORED, IncidentState, Publication


class CampaignState(StrEnum):
    DRAFT = "draft"
    AWAITING_APPROVAL = "awaiting_approval"
    APPROVED = "approved"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELLED = "cancelled"


class CampaignKind(StrEnum):
    CONFIRMATION = "confirmation"
    END_NOTICE = "end_notice"
    INCIDENT_NOTICE = "incident_notice"


_S = CampaignState
LEGAL_FROM: Mapping[CampaignState, frozenset[CampaignState]] = MappingProxyType(
    {
        _S.DRAFT: frozenset({_S.AWAITING_APPROVAL, _S.APPROVED, _S.SCHEDULED}),
        _S.AWAITING_APPROVAL: frozenset({_S.DRAFT}),
        _S.APPROVED: frozenset({_S.DRAFT, _S.AWAITING_APPROVAL, _S.SCHEDULED}),
        _S.SCHEDULED: frozenset({_S.APPROVED}),
        _S.RUNNING: frozenset({_S.APPROVED, _S.SCHEDULED, _S.PAUSED}),
        _S.PAUSED: frozenset({_S.RUNNING}),
        _S.FINISHED: frozenset({_S.RUNNING}),
        _S.CANCELLED: frozenset(_S) - {_S.FINISHED, _S.CANCELLED},
    }
)
"""From which states one may come (after listmonk). An edit takes a campaign back to draft; once it ran it is not
edited. Draft to approved is for what needs no second person, and for the break-glass."""

EDITABLE = frozenset({_S.DRAFT, _S.AWAITING_APPROVAL, _S.APPROVED, _S.SCHEDULED})
OVER = frozenset({_S.FINISHED, _S.CANCELLED})

_PRIORITY: Mapping[CampaignKind, int] = MappingProxyType(
    {CampaignKind.CONFIRMATION: 0, CampaignKind.END_NOTICE: 10, CampaignKind.INCIDENT_NOTICE: 20}
)

COUNT_LASTS = timedelta(days=7)
"""How long the people whom the approver saw may be told by the count that he saw; the rows of an import that has been
replaced are kept so long for a campaign that has not started."""

GIVE_UP_AFTER = timedelta(hours=24)
"""A notice that could not go for a day says nothing any more; whoever wants to tell it drafts another."""

COUNTED_TOGETHER = timedelta(hours=24)
"""What one person releases over all incidents in this time is one sum; of one incident it is one sum for ever."""

MIN_REASON = 10
"""Characters of a reason that a person can be held to."""


def priority(kind: CampaignKind) -> int:
    """Who goes first: codes and confirmations (0), then end notices (10), then incident notices (20)."""
    return _PRIORITY[kind]


def ordinal(name: str, purpose: str) -> int | None:
    """Which of its incident's campaigns from one template it is, while it has the name that the draft began with; None
    once a person has named it."""
    if name in {purpose, ""}:
        return 1
    number = name.removeprefix(f"{purpose} ")
    return int(number) if number != name and number.isdecimal() else None


def check_move(old: CampaignState, new: CampaignState) -> None:
    if old not in LEGAL_FROM[new]:
        allowed = ", ".join(state for state in CampaignState if state in LEGAL_FROM[new])
        raise RuleError(
            "campaign.illegal_move",
            f"state: from {old} to {new}. A campaign becomes {new} only from: {allowed}.",
            "state",
            {"old": old, "new": new},
        )


def approval_needed(recipients: int, threshold: int, always: bool, released: int = 0) -> bool:
    """Above the threshold a second person always has to agree; at or below it only where the operator set so.
    `released`: messages that went without one before; many small campaigns are one large one."""
    return always or released + recipients > threshold


def check_approver(author_ids: Collection[int], approver_id: int) -> None:
    """Four eyes: nobody approves what he wrote, edited or asked approval for."""
    if approver_id in author_ids:
        raise NotAllowed(
            "campaign.own_approval",
            "approver: you worked on this campaign. Ask another person to approve it.",
            "approver",
        )


def check_approved_content(approved_hash: str | None, current_hash: str) -> None:
    """The approval is bound to what was seen: an edit of texts, audience or cost ceiling voids it."""
    if approved_hash != current_hash:
        raise RuleError(
            "campaign.approval_void",
            "approval: texts, audience or cost ceiling changed since. Preview the campaign and have it approved again.",
            "approval",
        )


def check_count(counted_at: datetime | None, start_at: datetime) -> None:
    """What starts on an old count tells people of long ago."""
    if counted_at is not None and start_at > counted_at + COUNT_LASTS:
        raise RuleError(
            "campaign.count_too_old",
            f"audience: the people were counted more than {COUNT_LASTS.days} days before the start. "
            "Ask for approval again: that counts them anew.",
            "audience",
            {"n": COUNT_LASTS.days},
        )


def check_break_glass(recipients: int, cap: int, reason: str, released: int = 0) -> None:
    """One person alone may start a small campaign when no second one can be reached, saying why. `released`: messages
    that were released so before, of the incident or of another within COUNTED_TOGETHER."""
    together = released + recipients
    if together > cap:
        before = f", with {released} released so before, of this incident or in the last 24 hours, is {together}"
        raise NotAllowed(
            "campaign.break_glass_cap",
            f"recipients: {recipients}{before if released else ''}: above {cap}, the most that one person may tell "
            "alone. Narrow the audience or have a second person approve it.",
            "recipients",
            {
                "recipients": recipients,
                "released": released,
                "together": together,
                "cap": cap,
                "variant": "released" if released else "",
            },
        )
    if len(reason.strip()) < MIN_REASON:
        raise RuleError(
            "campaign.break_glass_reason",
            f"reason: say in at least {MIN_REASON} characters why no second person could approve.",
            "reason",
            {"n": MIN_REASON},
        )


def overtaken(
    kind: CampaignKind, incident: IncidentState | None, publication: Publication | None = Publication.PUBLISHED
) -> Reason | None:
    """Why a message must not go out any more, asked again at hand-over: nobody is told "down" after "restored", nor
    "restored" while it is down again, nor of an incident that was withdrawn. None: it is still true."""
    if kind is CampaignKind.CONFIRMATION or incident is None:
        return None
    if publication in (Publication.WITHDRAWN, Publication.DUPLICATE):
        return Reason.INCIDENT_WITHDRAWN
    if kind is CampaignKind.INCIDENT_NOTICE and incident in RESTORED:
        return Reason.INCIDENT_OVER
    if kind is CampaignKind.END_NOTICE and incident in BROKEN:
        return Reason.SUPERSEDED
    return None


_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class CampaignContent:
    """All that an approver answers for. `texts` maps "field.locale" to the text as it will be sent."""

    kind: CampaignKind
    audience: str
    channels: Sequence[str]
    texts: Mapping[str, str]
    cost_ceiling: Decimal | None = None
    currency: str | None = None
    validity_seconds: int = 0
    resend_unknown: Sequence[str] = ()
    scheduled_at: datetime | None = None
    others: Mapping[str, str] = field(default_factory=lambda: _NONE)
    """What else the caller binds the approval to, such as the incident's public id or a quiet-hours override."""


def content_hash(content: CampaignContent) -> str:
    """SHA-256, in hex, over a canonical form: any edit changes it, the order of channels or of texts does not."""
    ceiling = None if content.cost_ceiling is None else format(content.cost_ceiling.normalize(), "f")
    canonical = json.dumps(
        {
            "kind": content.kind,
            "audience": content.audience,
            "channels": sorted(content.channels),
            "texts": dict(content.texts),
            "cost_ceiling": ceiling,
            "currency": content.currency,
            "validity_seconds": content.validity_seconds,
            "resend_unknown": sorted(content.resend_unknown),
            "scheduled_at": None if content.scheduled_at is None else content.scheduled_at.timestamp(),
            "others": dict(content.others),
        },
        sort_keys=True,
        ensure_ascii=True,
    )
    return hashlib.sha256(canonical.encode()).hexdigest()
