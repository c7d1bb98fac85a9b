from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.base import Channel, Failure, Keyword
from statuspage.domain.campaign import CampaignKind
from statuspage.domain.consent import (
    QUIET_END,
    QUIET_START,
    ConsentState,
    LegalBasis,
    SuppressionReason,
    after_failure,
    after_keyword,
    check_quiet_override,
    keeps_quiet,
    over_cap,
    quiet_until,
    refusal,
)
from statuspage.domain.delivery import Reason
from statuspage.domain.errors import NotAllowed
from statuspage.domain.local_time import within

R = SuppressionReason


@pytest.mark.parametrize(
    ("basis", "consent", "suppression", "expected"),
    [
        (LegalBasis.CONTRACT, ConsentState.NONE, None, None),
        (LegalBasis.CONTRACT, ConsentState.WITHDRAWN, None, Reason.OPTED_OUT),
        (LegalBasis.CONSENT, ConsentState.NONE, None, Reason.NO_CONSENT),
        (LegalBasis.CONSENT, ConsentState.PENDING, None, Reason.NO_CONSENT),
        (LegalBasis.CONSENT, ConsentState.GIVEN, None, None),
        (LegalBasis.CONSENT, ConsentState.GIVEN, R.OPT_OUT, Reason.OPTED_OUT),
        (LegalBasis.CONTRACT, ConsentState.GIVEN, R.HARD_BOUNCE, Reason.SUPPRESSED),
        (LegalBasis.CONTRACT, ConsentState.GIVEN, R.COMPLAINT, Reason.SUPPRESSED),
        (LegalBasis.CONTRACT, ConsentState.GIVEN, R.INVALID, Reason.INVALID_ADDRESS),
        (LegalBasis.CONTRACT, ConsentState.GIVEN, R.ERASED, Reason.ERASED),
    ],
)
def test_who_may_be_told(
    basis: LegalBasis, consent: ConsentState, suppression: SuppressionReason | None, expected: Reason | None
) -> None:
    """A service notice needs no consent but never overrides a "no"; everything else needs a confirmed "yes"."""
    assert refusal(basis, consent, suppression) is expected


@given(st.sampled_from(LegalBasis), st.sampled_from(ConsentState), st.sampled_from(SuppressionReason))
def test_a_suppressed_address_gets_nothing(basis: LegalBasis, consent: ConsentState, why: SuppressionReason) -> None:
    """Whatever the basis and the consent, a suppressed address is refused with a reason."""
    assert refusal(basis, consent, why) is not None


def test_stop_and_start() -> None:
    """STOP opts out without hiding a graver reason, START lifts only an opt-out, HELP changes nothing."""
    assert after_keyword(Keyword.STOP, None) is R.OPT_OUT
    assert after_keyword(Keyword.STOP, R.COMPLAINT) is R.COMPLAINT
    assert after_keyword(Keyword.START, R.OPT_OUT) is None
    assert after_keyword(Keyword.START, R.INVALID) is R.INVALID
    assert after_keyword(Keyword.HELP, R.OPT_OUT) is R.OPT_OUT
    assert after_keyword(Keyword.HELP, None) is None


@given(st.sampled_from(Channel), st.sampled_from(Failure))
def test_failures_that_suppress_are_those_the_notifiers_name(channel: Channel, failure: Failure) -> None:
    """An address is suppressed for exactly the failures that speak about the address."""
    assert (after_failure(channel, failure) is not None) == failure.suppresses


moments = st.datetimes(datetime(2015, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
zones = st.sampled_from(
    ["Europe/Kaliningrad", "Europe/Moscow", "Asia/Kamchatka", "Asia/Shanghai", "Europe/Berlin", "America/Havana"]
).map(ZoneInfo)


@given(moments, zones)
def test_a_message_put_off_never_lands_in_quiet_hours(now: datetime, zone: ZoneInfo) -> None:
    """It waits exactly when it is between 22:00 and 08:00 where the person lives, and then to 08:00 there."""
    until = quiet_until(now, zone)
    assert (until is not None) == within(now, zone, QUIET_START, QUIET_END)
    if until is not None:
        assert now < until <= now + timedelta(hours=11)
        assert until.astimezone(zone).time() == time(8)


def test_quiet_hours_are_local() -> None:
    """At 16:00 UTC Kamchatka sleeps and Moscow does not."""
    now = datetime(2025, 11, 22, 16, 0, tzinfo=UTC)
    assert quiet_until(now, ZoneInfo("Europe/Moscow")) is None
    assert quiet_until(now, ZoneInfo("Asia/Kamchatka")) == datetime(2025, 11, 22, 20, 0, tzinfo=UTC)


def test_only_sms_keeps_quiet_and_codes_do_not_wait() -> None:
    """Mail wakes nobody, a code is awaited, a second person may override."""
    assert keeps_quiet(CampaignKind.END_NOTICE, Channel.SMS, overridden=False)
    assert not keeps_quiet(CampaignKind.INCIDENT_NOTICE, Channel.SMS, overridden=True)
    assert not keeps_quiet(CampaignKind.INCIDENT_NOTICE, Channel.EMAIL, overridden=False)
    assert not keeps_quiet(CampaignKind.CONFIRMATION, Channel.SMS, overridden=False)
    check_quiet_override({1}, 2)
    with pytest.raises(NotAllowed):
        check_quiet_override({1}, 1)


def test_two_messages_a_day_and_the_end_notice() -> None:
    """A third incident notice by SMS within 24 hours is one too many; the end notice always comes."""
    assert not over_cap(CampaignKind.INCIDENT_NOTICE, Channel.SMS, 1)
    assert over_cap(CampaignKind.INCIDENT_NOTICE, Channel.SMS, 2)
    assert not over_cap(CampaignKind.END_NOTICE, Channel.SMS, 5)
    assert not over_cap(CampaignKind.CONFIRMATION, Channel.SMS, 5)
    assert not over_cap(CampaignKind.INCIDENT_NOTICE, Channel.EMAIL, 5)
