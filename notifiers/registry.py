"""Which way each channel goes out: the only place that names vendors."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from notifiers.base import Channel, Clock, Notifier, utc_now
from notifiers.console import ConsoleOutbox
from notifiers.envelope import Envelopes
from notifiers.smtp_email import SmtpEmail
from notifiers.smtp_pool import SmtpServer
from notifiers.twilio_account import TwilioAccount
from notifiers.twilio_sms import TwilioSms
from notifiers.verp import Verp


class Secret(Protocol):
    def get_secret_value(self) -> str: ...


class NotifierSettings(Protocol):
    """What of the settings this floor reads. A secret may be wrapped or plain."""

    @property
    def base_url(self) -> object: ...
    @property
    def data_dir(self) -> Path: ...
    @property
    def operator_name(self) -> str: ...
    @property
    def secret_key(self) -> Secret | str | None: ...
    @property
    def mail_from(self) -> str | None: ...
    @property
    def smtp_url(self) -> Secret | str | None: ...
    @property
    def twilio_account_sid(self) -> Secret | str | None: ...
    @property
    def twilio_auth_token(self) -> Secret | str | None: ...
    @property
    def twilio_messaging_service_sid(self) -> Secret | str | None: ...
    @property
    def twilio_from(self) -> Secret | str | None: ...
    @property
    def twilio_base_url(self) -> object: ...


def build(settings: NotifierSettings, *, now: Clock = utc_now) -> dict[Channel, list[Notifier]]:
    """The notifiers of each channel, first choice first; the console outbox where no sender is configured.

    Opens nothing. Raises `ValueError` naming the setting that is missing or wrong, never its value.
    """
    account = _reveal(settings.twilio_account_sid)
    relay = _reveal(settings.smtp_url)
    outbox = settings.data_dir
    return {
        Channel.SMS: [_twilio(settings, account, now) if account else ConsoleOutbox(Channel.SMS, outbox, now=now)],
        Channel.EMAIL: [_smtp(settings, relay, now) if relay else ConsoleOutbox(Channel.EMAIL, outbox, now=now)],
    }


def _twilio(settings: NotifierSettings, account_sid: str, now: Clock) -> Notifier:
    token = _reveal(settings.twilio_auth_token)
    service = _reveal(settings.twilio_messaging_service_sid)
    sender = _reveal(settings.twilio_from)
    if not token:
        raise ValueError("TWILIO_AUTH_TOKEN is missing; TWILIO_ACCOUNT_SID is set")
    if not service and not sender:
        raise ValueError("TWILIO_MESSAGING_SERVICE_SID or TWILIO_FROM is missing; TWILIO_ACCOUNT_SID is set")
    base_url = str(settings.twilio_base_url) if settings.twilio_base_url else None
    account = TwilioAccount(account_sid, token, service, sender, base_url)
    return TwilioSms(account, str(settings.base_url), now=now)


def _smtp(settings: NotifierSettings, url: str, now: Clock) -> Notifier:
    secret = _reveal(settings.secret_key)
    if not settings.mail_from:
        raise ValueError("MAIL_FROM is missing; SMTP_URL is set")
    if not secret:
        raise ValueError("SECRET_KEY is missing; it signs the return paths of mail")
    domain = settings.mail_from.rpartition("@")[2].rstrip(" >").lower()
    verp = Verp(secret, domain)
    return SmtpEmail(SmtpServer.parse(url), Envelopes(settings.mail_from, settings.operator_name, verp), verp, now=now)


def _reveal(value: Secret | str | None) -> str | None:
    if value is None or isinstance(value, str):
        return value or None
    return value.get_secret_value() or None
