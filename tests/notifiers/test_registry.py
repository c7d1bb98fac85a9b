from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from notifiers.base import Channel
from notifiers.console import ConsoleOutbox
from notifiers.registry import build
from notifiers.smtp_email import SmtpEmail
from notifiers.twilio_sms import TwilioSms
from tests.notifiers.running import ROOT


@dataclass(frozen=True)
class Hidden:
    value: str

    def get_secret_value(self) -> str:
        return self.value


@dataclass(frozen=True)
class Wishes:
    """The settings that this floor reads, as they are when nothing is set."""

    data_dir: Path
    base_url: str = "https://status.demo.example"
    operator_name: str = "Demo Telecom"
    secret_key: Hidden = Hidden("a secret of at least thirty-two characters")
    mail_from: str = ""
    smtp_url: Hidden = Hidden("")
    twilio_account_sid: str = ""
    twilio_auth_token: Hidden = Hidden("")
    twilio_messaging_service_sid: str = ""
    twilio_from: str = ""
    twilio_base_url: str = ""


TWILIO: dict[str, Any] = {
    "twilio_account_sid": "AC1",
    "twilio_auth_token": Hidden("token-value"),
    "twilio_from": "+15550001111",
}
SMTP: dict[str, Any] = {"smtp_url": Hidden("smtp://127.0.0.1:25"), "mail_from": "Status <status@news.demo.example>"}


def test_nothing_leaves_an_unconfigured_machine(tmp_path: Path) -> None:
    """Without a sender both channels end in the outbox file."""
    built = build(Wishes(tmp_path))
    assert {channel: [type(each) for each in ways] for channel, ways in built.items()} == {
        Channel.SMS: [ConsoleOutbox],
        Channel.EMAIL: [ConsoleOutbox],
    }
    assert all(each.channel is channel for channel, ways in built.items() for each in ways)


def test_each_channel_goes_out_by_what_is_set(tmp_path: Path) -> None:
    """Twilio and a relay take the place of the outbox, one without the other."""
    both = build(replace(Wishes(tmp_path), **TWILIO, **SMTP))
    assert [type(each) for each in both[Channel.SMS]] == [TwilioSms]
    assert [type(each) for each in both[Channel.EMAIL]] == [SmtpEmail]
    mixed = build(replace(Wishes(tmp_path), **SMTP))
    assert [type(each) for each in mixed[Channel.SMS]] == [ConsoleOutbox]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({**TWILIO, "twilio_auth_token": Hidden("")}, "TWILIO_AUTH_TOKEN"),
        ({**TWILIO, "twilio_from": ""}, "TWILIO_MESSAGING_SERVICE_SID"),
        ({**SMTP, "mail_from": ""}, "MAIL_FROM"),
        ({**SMTP, "mail_from": "nobody"}, "MAIL_FROM"),
        ({**SMTP, "secret_key": Hidden("")}, "SECRET_KEY"),
        ({**SMTP, "smtp_url": Hidden("ftp://user:hunter2@x")}, "SMTP_URL"),
    ],
)
def test_a_half_set_sender_is_refused_by_name(tmp_path: Path, change: dict[str, Any], named: str) -> None:
    """The error names the setting and never shows a secret."""
    with pytest.raises(ValueError, match=named) as refused:
        build(replace(Wishes(tmp_path), **change))
    assert "hunter2" not in str(refused.value)
    assert "token-value" not in str(refused.value)


def test_building_loads_no_vendors_client() -> None:
    """A web process that only reads callbacks stays without the SDK, aiohttp and aiosmtplib."""
    program = "import sys, notifiers.registry; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"aiohttp", "aiosmtplib", "twilio.rest", "requests"} & set(loaded.stdout.split())
