"""Providers' callbacks: through the notifier's own check into the inbox, answered at once."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy import func, select

from notifiers.base import (
    BadSignature,
    CallbackAnswer,
    CallbackRequest,
    Channel,
    Inbound,
    Keyword,
    Message,
    Query,
    Receipt,
    Settle,
)
from statuspage.db import Sessions, transaction
from statuspage.models import Receipt as ReceiptRow
from statuspage.models import Suppression
from tests.databases import NOW
from tests.web.site import Build

PATH = "/callbacks/probe/status"


class Probe:
    """A notifier whose provider signs with the word "right" and says what the test wants."""

    name = "probe"
    channel = Channel.SMS
    window = 1
    callbacks = {PATH: CallbackAnswer(200, "text/xml", b"<Response/>")}  # noqa: RUF012 - the protocol's own type

    def __init__(self, news: Sequence[Receipt | Inbound]) -> None:
        self.news = news
        self.calls: list[CallbackRequest] = []

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def send(self, messages: Sequence[Message], settle: Settle) -> None: ...

    async def reconcile(self, queries: Sequence[Query]) -> list[Receipt]:  # noqa: ARG002 - the protocol's
        return []

    def parse_callback(self, request: CallbackRequest) -> list[Receipt | Inbound]:
        self.calls.append(request)
        if request.header("X-Signature") != "right":
            raise BadSignature
        return list(self.news)


RECEIPT = Receipt("probe", "SM1", 7, 1, "delivered", "delivered", NOW)
STOP = Inbound("probe", "IN1", Channel.SMS, "+79161234567", "+79160000000", Keyword.STOP, NOW, "STOP")


def test_a_signed_callback_is_kept_once_and_answered_as_its_provider_wants(build: Build, sessions: Sessions) -> None:
    """Twice the same has one effect; the very bytes of query and body reach the check; no cookie or token is needed."""
    probe = Probe([RECEIPT])
    client = build({Channel.SMS: [probe]}).test_client()
    for _ in range(2):
        answer = client.post(f"{PATH}?d=7&a=%31", data=b"raw=%D1", headers={"X-Signature": "right"})
        assert (answer.status_code, answer.data, answer.mimetype) == (200, b"<Response/>", "text/xml")
        assert "Set-Cookie" not in answer.headers
    assert (probe.calls[0].path, probe.calls[0].query, probe.calls[0].body) == (PATH, "d=7&a=%31", b"raw=%D1")
    with transaction(sessions, read_only=True) as session:
        assert session.scalar(select(func.count()).select_from(ReceiptRow)) == 1


def test_a_bad_signature_is_refused_without_a_word(build: Build, sessions: Sessions) -> None:
    """403, an empty body, nothing stored."""
    answer = build({Channel.SMS: [Probe([RECEIPT])]}).test_client().post(PATH)
    assert (answer.status_code, answer.data) == (403, b"")
    with transaction(sessions, read_only=True) as session:
        assert session.scalar(select(func.count()).select_from(ReceiptRow)) == 0


def test_stop_blocks_the_sender(build: Build, sessions: Sessions) -> None:
    """The word of a subscriber is kept by hash, and the number is never used again."""
    client = build({Channel.SMS: [Probe([STOP])]}).test_client()
    client.post(PATH, headers={"X-Signature": "right"})
    with transaction(sessions, read_only=True) as session:
        assert [row.channel for row in session.scalars(select(Suppression))] == ["sms"]


@pytest.mark.parametrize("path", ["/callbacks/nobody", "/callbacks/", "/callbacks/probe/status/more"])
def test_an_address_nobody_listens_on_is_not_found(build: Build, path: str) -> None:
    """Only the paths that a configured notifier names exist."""
    assert build({Channel.SMS: [Probe([])]}).test_client().post(path).status_code == 404


def test_a_report_too_large_is_refused(build: Build) -> None:
    """A million bytes are enough for any report."""
    client = build({Channel.SMS: [Probe([])]}).test_client()
    assert client.post(PATH, data=b"x" * 1_000_001, headers={"X-Signature": "right"}).status_code == 413
