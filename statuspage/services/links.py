"""Signed addresses that need no log-in: confirm a sign-up, manage it, stop getting anything at all."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

from itsdangerous import BadSignature, Signer

from notifiers.base import Channel
from statuspage.config import Settings
from statuspage.domain.errors import NotFound

CONFIRM_FOR = timedelta(hours=24)


@dataclass(frozen=True)
class Links:
    """Makes and reads them. What a token says is not secret, only unforgeable; it holds no address."""

    base_url: str
    secret: str

    @classmethod
    def of(cls, settings: Settings) -> Links:
        return cls(settings.base_url, settings.secret_key.get_secret_value())

    def confirm(self, dedupe: str) -> str:
        """Confirms the sign-up whose mail carries `dedupe` (see `confirmation_name`), for 24 hours from its issue."""
        return f"{self.base_url}/confirm/{self._confirm.sign(dedupe).decode()}"

    def manage(self, locale: str, subscription: str) -> str:
        """Shows and ends the sign-up with that public id; does not run out."""
        return f"{self.base_url}/{locale}/manage/{self._manage.sign(subscription).decode()}"

    def unsubscribe(self, channel: str, address_hash: str) -> str:
        """Stops everything that goes to the address; one POST is enough (RFC 8058), a GET changes nothing."""
        return f"{self.base_url}/unsubscribe/{self._unsubscribe.sign(f'{channel}.{address_hash}').decode()}"

    def read_confirm(self, token: str, *, now: datetime) -> tuple[str, datetime]:
        """Public id of the sign-up, and when the link was issued. NotFound when it is damaged or 24 hours old."""
        name = _read(self._confirm, token)
        subscription, issued = name.partition(".")[0], confirmation_issued(name)
        if now - issued > CONFIRM_FOR:
            raise NotFound("link.expired", "token: this link has run out. Sign up again to get a new one.", "token")
        return subscription, issued

    def read_manage(self, token: str) -> str:
        """The public id of the sign-up."""
        return _read(self._manage, token)

    def read_unsubscribe(self, token: str) -> tuple[Channel, str]:
        """Channel and address hash."""
        channel, _, address_hash = _read(self._unsubscribe, token).partition(".")
        return Channel(channel), address_hash

    @cached_property
    def _confirm(self) -> Signer:
        return self._signer("confirm")

    @cached_property
    def _manage(self) -> Signer:
        return self._signer("manage")

    @cached_property
    def _unsubscribe(self) -> Signer:
        return self._signer("unsubscribe")

    def _signer(self, purpose: str) -> Signer:
        return Signer(
            self.secret, salt=f"statuspage link {purpose}", key_derivation="hmac", digest_method=hashlib.sha256
        )


def confirmation_name(subscription: str, issued: datetime) -> str:
    """Names one confirmation mail of a sign-up: what `Delivery.dedupe` holds and `Links.confirm` signs."""
    return f"{subscription}.{int(issued.timestamp())}"


def confirmation_issued(name: str) -> datetime:
    """When the mail of that `confirmation_name` was asked for."""
    return datetime.fromtimestamp(int(name.rpartition(".")[2]), UTC)


def _read(signer: Signer, token: str) -> str:
    try:
        return signer.unsign(token).decode()
    except (BadSignature, UnicodeError):
        raise NotFound("link.damaged", "token: this link is damaged. Open it again.", "token") from None
