"""A named second person decides that a campaign's SMS wake people up: for what cannot wait until morning."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from notifiers.base import Channel
from statuspage.domain.campaign import CampaignState
from statuspage.domain.consent import check_quiet_override
from statuspage.domain.errors import RuleError
from statuspage.models import Campaign
from statuspage.services import approval, audit, campaign_course, campaign_texts, preview
from statuspage.services.actor import Actor

DECIDABLE = (CampaignState.AWAITING_APPROVAL, CampaignState.APPROVED)
"""Before, nothing is frozen that one could answer for; later it runs as it was approved."""


def override(session: Session, actor: Actor, campaign: Campaign, *, now: datetime) -> Campaign:
    """Let the campaign's SMS out in quiet hours too, in the name of `actor`, who did not work on it.

    The decision is part of what is approved: the campaign waits for approval anew, also where none was needed. Any edit
    takes it back. Twice by the same person has one effect.
    """
    by = approval.check_person(session, actor, "quiet_override_by")
    campaign_course.lock(session, campaign)
    check_quiet_override(approval.authors(session, campaign), by)
    if campaign.state not in DECIDABLE:
        raise RuleError(
            "campaign.quiet_not_now",
            f"state: the campaign is {campaign.state}; quiet hours are decided on after approval is asked for and "
            "before it is scheduled or started.",
            "state",
        )
    if Channel.SMS not in campaign.channels:
        raise RuleError(
            "campaign.quiet_no_sms", "channels: no SMS goes out, and nothing else wakes anybody.", "channels"
        )
    if campaign.quiet_override_by == by:
        return campaign
    if campaign.state is CampaignState.APPROVED:
        campaign_course.move(campaign, CampaignState.DRAFT, now)
        campaign_course.move(campaign, CampaignState.AWAITING_APPROVAL, now)
        campaign.approved_by = campaign.approved_at = campaign.approved_hash = campaign.break_glass_reason = None
    campaign.quiet_override_by, campaign.updated_at = by, now
    campaign.content_hash = preview.current_hash(session, campaign, campaign_texts.going_out(session, campaign))
    session.flush()
    detail: audit.Detail = {"hash": campaign.content_hash}
    audit.record(session, actor, "campaign.quiet_overridden", "campaign", campaign.public_id, now, detail)
    return campaign
