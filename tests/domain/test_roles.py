from __future__ import annotations

import pickle

import pytest

from statuspage.domain.errors import NotAllowed, NotFound, RuleError
from statuspage.domain.roles import NEVER_BY_TOKEN, ROLES, Permission, parse_scopes, require

P = Permission


def test_the_roles_are_those_of_the_house() -> None:
    """Seven roles, each at least able to look, none empty."""
    assert set(ROLES) == {"engineer", "approver", "manager", "call_centre", "legal", "admin", "viewer"}
    assert all(P.INCIDENT_VIEW in granted for granted in ROLES.values())
    assert ROLES["viewer"] == {P.INCIDENT_VIEW, P.REPORT_VIEW}


def test_writing_sending_and_approving_are_apart() -> None:
    """The engineer writes and sends, the approver approves and does neither; admins approve nothing."""
    assert {P.CAMPAIGN_EDIT, P.CAMPAIGN_SEND} <= ROLES["engineer"]
    assert P.CAMPAIGN_APPROVE not in ROLES["engineer"]
    assert P.CAMPAIGN_APPROVE in ROLES["approver"]
    assert not {P.CAMPAIGN_EDIT, P.CAMPAIGN_SEND} & ROLES["approver"]
    assert not {P.CAMPAIGN_APPROVE, P.GRACE_APPROVE, P.WORDS_APPROVE} & ROLES["admin"]
    assert all(P.WORDS_APPROVE not in granted for role, granted in ROLES.items() if role != "legal")


def test_who_erases_or_exports_people_finds_them_first() -> None:
    """No role reaches people's data past the page on which they are found."""
    for granted in ROLES.values():
        assert P.SUBSCRIBER_VIEW in granted or not {P.SUBSCRIBER_ERASE, P.SUBSCRIBER_EXPORT} & granted


def test_every_permission_is_held_by_somebody() -> None:
    """There is no act that nobody may do."""
    assert frozenset().union(*ROLES.values()) == frozenset(Permission)


def test_a_missing_permission_is_named() -> None:
    """The refusal names the permission and the roles that have it."""
    require(ROLES["approver"], P.CAMPAIGN_APPROVE)
    with pytest.raises(NotAllowed) as refused:
        require(ROLES["viewer"], P.CAMPAIGN_APPROVE)
    assert refused.value.code == "role.not_allowed"
    assert "campaign:approve" in refused.value.message
    assert "approver" in refused.value.message


@pytest.mark.parametrize("scope", [*sorted(NEVER_BY_TOKEN), "campaign:*", ""])
def test_no_token_approves(scope: str) -> None:
    """What needs a person in a browser, and what does not exist, is no scope of a token."""
    assert parse_scopes(["grace:check", "incident:view"]) == {P.GRACE_CHECK, P.INCIDENT_VIEW}
    with pytest.raises(RuleError) as refused:
        parse_scopes(["grace:check", scope])
    assert refused.value.code == "role.bad_scope"


def test_refusals_carry_code_field_and_message() -> None:
    """A refusal is one of three kinds and survives a process border whole."""
    for kind in (RuleError, NotAllowed, NotFound):
        copy = pickle.loads(pickle.dumps(kind("a.code", "what and how to mend", "field")))  # noqa: S301 - our own bytes
        assert type(copy) is kind
        assert (copy.code, copy.message, copy.field, str(copy)) == (
            "a.code",
            "what and how to mend",
            "field",
            "what and how to mend",
        )
