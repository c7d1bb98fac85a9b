"""All tables of the house."""

from statuspage.models.audit import AuditEntry
from statuspage.models.base import Base
from statuspage.models.campaign import Campaign, CampaignCount
from statuspage.models.component import Component, ComponentChange, ComponentGroup
from statuspage.models.delivery import Attempt, Delivery, Inbound, Receipt
from statuspage.models.grace import GraceAcknowledgement, GraceInquiry, GraceLedger, GracePolicy
from statuspage.models.idempotency import IdempotencyKey
from statuspage.models.incident import Incident, IncidentComponent, IncidentUpdate
from statuspage.models.lease import Lease
from statuspage.models.page import Blob, PageRevision, PageState
from statuspage.models.people import (
    FOREVER,
    Account,
    Contact,
    Installation,
    Line,
    PeopleImport,
    Subscription,
    Suppression,
)
from statuspage.models.playbook import PlaybookMeasure, PlaybookRow
from statuspage.models.region import Region, Segment
from statuspage.models.route import Route
from statuspage.models.template import IncidentTemplate, MessageTemplate
from statuspage.models.text import LocalizedText
from statuspage.models.user import LoginFailure, LoginSession, User

__all__ = [
    "FOREVER",
    "Account",
    "Attempt",
    "AuditEntry",
    "Base",
    "Blob",
    "Campaign",
    "CampaignCount",
    "Component",
    "ComponentChange",
    "ComponentGroup",
    "Contact",
    "Delivery",
    "GraceAcknowledgement",
    "GraceInquiry",
    "GraceLedger",
    "GracePolicy",
    "IdempotencyKey",
    "Inbound",
    "Incident",
    "IncidentComponent",
    "IncidentTemplate",
    "IncidentUpdate",
    "Installation",
    "Lease",
    "Line",
    "LocalizedText",
    "LoginFailure",
    "LoginSession",
    "MessageTemplate",
    "PageRevision",
    "PageState",
    "PeopleImport",
    "PlaybookMeasure",
    "PlaybookRow",
    "Receipt",
    "Region",
    "Route",
    "Segment",
    "Subscription",
    "Suppression",
    "User",
]
