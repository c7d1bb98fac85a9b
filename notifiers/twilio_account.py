"""What is needed to send through a Twilio account."""

from __future__ import annotations

from typing import NamedTuple


class TwilioAccount(NamedTuple):
    """`messaging_service_sid` goes before `sender`; `base_url` replaces Twilio's address (a stand-in)."""

    account_sid: str
    auth_token: str
    messaging_service_sid: str | None = None
    sender: str | None = None
    base_url: str | None = None
