"""Who may do what: permissions, and roles as data."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

from statuspage.domain.errors import NotAllowed, RuleError


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
    TOKEN_EDIT = "token:edit"  # noqa: S105 - a permission, not a secret
    SETTINGS_EDIT = "settings:edit"


_P = Permission
_VIEW = frozenset({_P.INCIDENT_VIEW, _P.REPORT_VIEW})
_ENGINEER = _VIEW | {
    _P.INCIDENT_EDIT,
    _P.INCIDENT_PUBLISH,
    _P.INCIDENT_RESOLVE,
    _P.ROUTE_EDIT,
    _P.COMPONENT_EDIT,
    _P.GRACE_EDIT,
    _P.GRACE_CHECK,
    _P.CAMPAIGN_EDIT,
    _P.CAMPAIGN_SEND,
    _P.CAMPAIGN_BREAK_GLASS,
    _P.SUBSCRIBER_VIEW,
    _P.SUBSCRIBER_IMPORT,
    _P.PLAYBOOK_TICK,
}
_APPROVER = _VIEW | {
    _P.GRACE_CHECK,
    _P.GRACE_APPROVE,
    _P.CAMPAIGN_APPROVE,
    _P.SUBSCRIBER_VIEW,
    _P.PLAYBOOK_TICK,
}

ROLES: Mapping[str, frozenset[Permission]] = MappingProxyType(
    {
        "viewer": _VIEW,
        "call_centre": _VIEW | {_P.GRACE_CHECK, _P.SUBSCRIBER_VIEW, _P.PLAYBOOK_TICK},
        "engineer": _ENGINEER,
        "approver": _APPROVER,
        "manager": _ENGINEER
        | _APPROVER
        | {_P.PLAYBOOK_EDIT, _P.POSTMORTEM_PUBLISH, _P.SUBSCRIBER_EXPORT, _P.SUBSCRIBER_ERASE, _P.AUDIT_VIEW},
        "legal": _VIEW
        | {_P.WORDS_APPROVE, _P.SUBSCRIBER_VIEW, _P.SUBSCRIBER_ERASE, _P.SUBSCRIBER_EXPORT, _P.AUDIT_VIEW},
        "admin": frozenset(_P) - {_P.CAMPAIGN_APPROVE, _P.GRACE_APPROVE, _P.WORDS_APPROVE},
    }
)
"""Permissions by role. Whoever can make users does not approve: one person with two log-ins would be two pairs of eyes.
A manager may both write and approve, but never approve his own work (`campaign.check_approver`)."""

NEVER_BY_TOKEN = frozenset(
    {
        _P.CAMPAIGN_APPROVE,
        _P.CAMPAIGN_BREAK_GLASS,
        _P.GRACE_APPROVE,
        _P.WORDS_APPROVE,
        _P.USER_EDIT,
        _P.TOKEN_EDIT,
    }
)
"""What asks for a person in a browser: no token carries it, whatever its scopes say."""


def require(permissions: Collection[Permission], permission: Permission) -> None:
    if permission not in permissions:
        roles = ", ".join(name for name, granted in ROLES.items() if permission in granted)
        raise NotAllowed("role.not_allowed", f"This needs the permission {permission} (roles: {roles}).")


def parse_scopes(scopes: Iterable[str]) -> frozenset[Permission]:
    """A token's scopes are permissions by name; those that need a person are refused."""
    granted = set()
    for scope in scopes:
        if scope not in frozenset(_P) - NEVER_BY_TOKEN:
            allowed = ", ".join(sorted(frozenset(_P) - NEVER_BY_TOKEN))
            raise RuleError("role.bad_scope", f"scope: {scope!r} cannot be given to a token. Use: {allowed}.", "scope")
        granted.add(_P(scope))
    return frozenset(granted)
