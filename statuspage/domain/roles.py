from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    """What an actor may do. `approve` stands apart from `edit` and `send`: whoever writes does not release."""

    INCIDENT_VIEW = "incident:view"
    INCIDENT_EDIT = "incident:edit"
    INCIDENT_PUBLISH = "incident:publish"
    INCIDENT_RESOLVE = "incident:resolve"
    ROUTE_EDIT = "route:edit"
    COMPONENT_EDIT = "component:edit"
    GRACE_EDIT = "grace:edit"
    GRACE_APPROVE = "grace:approve"
    GRACE_CHECK = "grace:check"
    CAMPAIGN_EDIT = "campaign:edit"
    CAMPAIGN_SEND = "campaign:send"
    CAMPAIGN_APPROVE = "campaign:approve"
    CAMPAIGN_BREAK_GLASS = "campaign:break_glass"
    SUBSCRIBER_VIEW = "subscriber:view"
    SUBSCRIBER_IMPORT = "subscriber:import"
    SUBSCRIBER_EXPORT = "subscriber:export"
    SUBSCRIBER_ERASE = "subscriber:erase"
    PLAYBOOK_TICK = "playbook:tick"
    PLAYBOOK_EDIT = "playbook:edit"
    WORDS_APPROVE = "words:approve"
    POSTMORTEM_PUBLISH = "postmortem:publish"
    REPORT_VIEW = "report:view"
    AUDIT_VIEW = "audit:view"
    USER_EDIT = "user:edit"
    TOKEN_EDIT = "token:edit"
    SETTINGS_EDIT = "settings:edit"
