from __future__ import annotations

from enum import StrEnum


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
