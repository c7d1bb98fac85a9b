from __future__ import annotations

import pytest

from notifiers.base import Failure
from notifiers.smtp_codes import Stage, enhanced, refusal


@pytest.mark.parametrize(
    ("stage", "code", "text", "reason", "permanent", "pauses"),
    [
        (Stage.RECIPIENT, 550, "5.1.1 no such user", Failure.INVALID_ADDRESS, True, False),
        (Stage.RECIPIENT, 550, "no such user", Failure.INVALID_ADDRESS, True, False),
        (Stage.RECIPIENT, 550, "5.7.1 blocked", Failure.REPUTATION, True, False),
        (Stage.RECIPIENT, 552, "5.2.2 full", Failure.MAILBOX_FULL, False, False),
        (Stage.RECIPIENT, 452, "4.2.2 full", Failure.MAILBOX_FULL, False, False),
        (Stage.RECIPIENT, 450, "4.7.1 greylisted", Failure.RATE_LIMITED, False, False),
        (Stage.RECIPIENT, 451, "later", Failure.TEMPORARY, False, False),
        (Stage.RECIPIENT, 450, "5.1.1 contradicts itself", Failure.TEMPORARY, False, False),
        (Stage.SENDER, 530, "5.7.0 log in first", Failure.UNAUTHORISED, False, True),
        (Stage.SENDER, 553, "not your address", Failure.CONFIGURATION, True, True),
        (Stage.SENDER, 421, "4.7.0 too many connections", Failure.RATE_LIMITED, False, False),
        (Stage.CONNECT, 535, "5.7.8 bad password", Failure.UNAUTHORISED, False, True),
        (Stage.DATA, 554, "looks like spam", Failure.FILTERED, True, False),
        (Stage.DATA, 552, "5.3.4 too large", Failure.INVALID_MESSAGE, True, True),
        (Stage.DATA, 501, "what", Failure.UNCLASSIFIED, True, False),
    ],
)
def test_a_reply_is_read_by_stage_and_status(
    stage: Stage, code: int, text: str, reason: Failure, permanent: bool, pauses: bool
) -> None:
    """The enhanced status decides where it agrees with the reply code, the stage where there is none."""
    error = refusal(stage, code, text)
    assert (error.reason, error.permanent, error.pause_campaign, error.sent) == (reason, permanent, pauses, "no")
    assert error.code is not None
    assert error.code.startswith(str(code))


@pytest.mark.parametrize("text", ["", "ok", "1.2.3", "5.1", "15.1.1234", "version 6.5.1"])
def test_what_is_no_status_is_not_read_as_one(text: str) -> None:
    """Numbers that merely look like a status are left alone."""
    assert enhanced(text) is None
