"""Mails as the product's notifier sends them, and as others must read them."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from notifiers.base import Channel, Message, Notifier
from notifiers.registry import NotifierSettings, build
from tests.proof.peers import ask

PUBLIC = "https://status.demo.example"
LONGEST_LINE = 998  # octets without CRLF (RFC 5322, 2.1.1)
_SUBJECTS = {
    "ru": "Сбой в биллинге: пополнение и оплата временно недоступны, связь и интернет работают",
    "zh": "计费系统故障：充值和缴费暂时无法使用，通话、短信和上网正常，已缴纳的款项不会丢失",
    "en": "Payments and balance are down; calls and data work",
}
_BODIES = {
    "ru": "Оплата временно недоступна.\n.\n.Точка в начале строки остаётся.\n..И две.\n{long}\n",
    "zh": "缴费暂不可用。\n.\n.行首的点保留。\n..两个也是。\n{long}\n",
    "en": "Payments do not go through.\n.\n.A dot that begins a line stays.\n..So do two.\n{long}\n",
}
_LONG = {
    "ru": "Деньги не пропали. " * 120,
    "zh": "已缴纳的款项不会丢失。" * 120,
    "en": "Nothing is lost, = 1 + 1. " * 100,
}
_STOP = {"ru": "Не получать такие письма", "zh": "退订此类邮件", "en": "Stop these mails"}


def body(locale: str) -> str:
    """Lines that begin with dots, one of a dot alone, and one far past what a line may hold."""
    return _BODIES[locale].replace("{long}", _LONG[locale].strip()) + "\n" + _STOP[locale] + ": {unsubscribe_url}\n"


def markup(locale: str) -> str:
    """The same as HTML."""
    lines = "".join(f"<p>{html.escape(line)}</p>\n" for line in body(locale).splitlines()[:-1] if line)
    return f'{lines}<p><a href="{{unsubscribe_url}}">{_STOP[locale]}</a></p>\n'


def mail(delivery_id: int, attempt: int = 1) -> Message:
    locale = ("ru", "zh", "en")[delivery_id % 3]
    return Message(
        delivery_id,
        attempt,
        Channel.EMAIL,
        f"person{delivery_id}@example.com",
        locale,
        body(locale),
        "camp1234abcd",
        subject=_SUBJECTS[locale],
        html=markup(locale),
        unsubscribe_url=link(delivery_id),
    )


def link(delivery_id: int) -> str:
    """Long enough to be folded, with signs that quoted-printable spells out."""
    return f"{PUBLIC}/unsubscribe/{'token' * 20}.{delivery_id}?a=b&c=d"


def notifier(smtp_url: str) -> Notifier:
    """Made as the product makes it, from settings."""
    settings = SimpleNamespace(
        base_url=PUBLIC,
        data_dir=Path(),
        operator_name="Демо Телеком",
        secret_key="a secret of at least thirty-two characters",
        mail_from="status@news.demo.example",
        smtp_url=smtp_url,
        twilio_account_sid=None,
        twilio_auth_token=None,
        twilio_messaging_service_sid=None,
        twilio_from=None,
        twilio_base_url=None,
    )
    return build(cast(NotifierSettings, settings))[Channel.EMAIL][0]


def read(files: Sequence[Path]) -> dict[int, dict[str, Any]]:
    """What mailparser reads, by delivery; a second mail of one delivery is a failure."""
    found: dict[int, dict[str, Any]] = {}
    for one in ask("letters.mjs", [str(file) for file in files]):
        delivery_id = int(re.sub(r"\D", "", one["to"][0]["address"]))
        assert delivery_id not in found
        found[delivery_id] = one
    return found


def check(delivery_id: int, seen: dict[str, Any]) -> None:
    """What the reader sees is what was written, in both parts, and the mail can be unsubscribed by one click."""
    sent = mail(delivery_id)
    url = link(delivery_id)
    assert seen["subject"] == sent.subject
    assert seen["from"] == [{"address": "status@news.demo.example", "name": "Демо Телеком"}]
    assert seen["text"].rstrip("\n") == sent.body.replace("{unsubscribe_url}", url).rstrip("\n")
    assert seen["html"].rstrip("\n") == markup(sent.locale).replace("{unsubscribe_url}", html.escape(url)).rstrip("\n")
    assert plain(seen["html"]) == plain(seen["text"].replace(f": {url}", ""))
    assert seen["list"]["unsubscribe"]["url"] == url
    assert seen["headers"]["list-unsubscribe-post"] == "List-Unsubscribe-Post: List-Unsubscribe=One-Click"
    assert seen["headers"]["auto-submitted"] == "Auto-Submitted: auto-generated"
    assert seen["attachments"] == 0


def plain(text: str) -> list[str]:
    """The words, without marks, so that both parts can be held against each other; a line of a dot alone is a word."""
    return html.unescape(re.sub(r"<[^>]+>", " ", text)).split()


def longest_line(file: Path) -> int:
    return max(len(line.rstrip(b"\r")) for line in file.read_bytes().split(b"\n"))
