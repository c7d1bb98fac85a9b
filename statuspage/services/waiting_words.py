"""Which of a list wait for the legal department: the same as of one, in as many queries for a hundred as for one."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage.domain.campaign import EDITABLE, CampaignState
from statuspage.domain.incident import CauseCategory, Publication
from statuspage.models import Campaign, Incident
from statuspage.services import campaign_texts, words

WAITABLE = EDITABLE | {CampaignState.PAUSED}
"""States of a campaign in which it goes no further before its words are agreed to."""

_GONE = (Publication.WITHDRAWN, Publication.DUPLICATE)


def campaigns(session: Session, found: Collection[Campaign]) -> set[int]:
    """Row ids of those of which `words.message_waits`, while they may still go on."""
    about = {one.incident_id for one in found if one.state in WAITABLE}
    query = select(Incident).where(Incident.id.in_(about), Incident.cause == CauseCategory.SECURITY)
    security = {one.id: one for one in session.scalars(query)}
    asked = [one for one in found if one.state in WAITABLE and one.incident_id in security]
    if not asked:
        return set()
    known, drafted = words.agreements(session, security.values()), campaign_texts.drafts(session, asked)
    return {
        one.id
        for one in asked
        if one.incident_id is not None
        and not words.all_agreed(known.get(security[one.incident_id].public_id, ()), drafted.get(one.id, ()))
    }


def incidents(session: Session, found: Collection[Incident]) -> set[int]:
    """Row ids of those of which words wait, their own or those of a campaign."""
    listed = [one for one in found if one.publication not in _GONE]
    ids = [one.id for one in listed if one.cause is CauseCategory.SECURITY]
    drafted = session.scalars(select(Campaign).where(Campaign.incident_id.in_(ids), Campaign.state.in_(WAITABLE))).all()
    waiting = campaigns(session, drafted)
    told = {one.incident_id for one in drafted if one.id in waiting and one.incident_id is not None}
    return words.unapproved_of(session, listed).keys() | told
