"""Messages and notifiers that several of these tests need."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime

from notifiers.base import Accepted, Channel, Message, Notifier, NotifierError
from notifiers.envelope import Envelopes
from notifiers.smtp_email import SmtpEmail
from notifiers.smtp_pool import SmtpServer
from notifiers.twilio_account import TwilioAccount
from notifiers.twilio_sms import TwilioSms
from notifiers.verp import Verp

NOW = datetime(2026, 11, 22, 11, 20, tzinfo=UTC)
PUBLIC = "https://status.demo.example"
NOWHERE = "http://127.0.0.1:9"
ACCOUNT_SID = "AC" + "0" * 32
TOKEN = "stand-in-token"
NO_ANSWER_SECONDS = 3.0
"""How long a client waits where no answer comes: a hundred times what handing over takes."""
VERP = Verp("a secret of at least thirty-two characters", "news.demo.example")

Outcome = Accepted | NotifierError


def sms(delivery_id: int, to: str | None = None, body: str = "Оплата недоступна.", attempt: int = 1) -> Message:
    number = f"+7900{delivery_id:07d}" if to is None else to
    return Message(delivery_id, attempt, Channel.SMS, number, "ru", body, "camp1234abcd")


def mail(delivery_id: int, to: str | None = None, attempt: int = 1) -> Message:
    return Message(
        delivery_id,
        attempt,
        Channel.EMAIL,
        to or f"person{delivery_id}@example.com",
        "ru",
        "Оплата временно недоступна, связь работает.\n\nНе получать такие письма: {unsubscribe_url}\n",
        "camp1234abcd",
        subject="Сбой в биллинге: оплата временно недоступна",
        html='<p>Оплата временно недоступна.</p><p><a href="{unsubscribe_url}">Не получать</a></p>',
        unsubscribe_url=f"{PUBLIC}/unsubscribe/token{delivery_id}",
    )


def twilio(url: str, *, public: str = NOWHERE, window: int = 16, answer_seconds: float = 20.0) -> TwilioSms:
    account = TwilioAccount(ACCOUNT_SID, TOKEN, messaging_service_sid="MG" + "0" * 32, base_url=url)
    return TwilioSms(account, public, window=window, answer_seconds=answer_seconds)


def smtp(url: str, *, connections: int = 4, answer_seconds: float = 20.0) -> SmtpEmail:
    envelopes = Envelopes("status@news.demo.example", "Демо Телеком", VERP)
    server = SmtpServer.parse(url)
    return SmtpEmail(server, envelopes, VERP, connections=connections, answer_seconds=answer_seconds, now=lambda: NOW)


async def opened(notifier: Notifier, use: Callable[[Notifier], Coroutine[None, None, None]]) -> None:
    await notifier.open()
    try:
        await use(notifier)
    finally:
        await notifier.close()


def send(notifier: Notifier, messages: Sequence[Message]) -> dict[int, Outcome]:
    """Sends in an event loop of its own; the outcome of each delivery, asserting that there is exactly one."""
    settled: dict[int, Outcome] = {}

    def settle(message: Message, outcome: Outcome) -> None:
        assert message.delivery_id not in settled, "settled twice"
        settled[message.delivery_id] = outcome

    asyncio.run(opened(notifier, lambda each: each.send(messages, settle)))
    assert set(settled) == {message.delivery_id for message in messages}
    return settled


def errors(settled: dict[int, Outcome]) -> list[NotifierError]:
    return [outcome for outcome in settled.values() if isinstance(outcome, NotifierError)]
