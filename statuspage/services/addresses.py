"""Addresses as somebody types them, and their keyed hashes, which know a person again without keeping who it is."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from notifiers.base import Channel
from statuspage.domain.address import normalise_email, normalise_msisdn


@dataclass(frozen=True)
class AddressKey:
    """The key behind every address hash, derived from SECRET_KEY. Another key would forget every opt-out."""

    key: bytes

    @classmethod
    def derive(cls, secret: str) -> AddressKey:
        return cls(hmac.new(secret.encode(), b"statuspage address hash 1", hashlib.sha256).digest())

    def hash(self, address: str) -> str:
        """32 hexadecimal characters. `address` is normalised: E.164, or e-mail in lower case."""
        return hashlib.blake2b(address.encode(), key=self.key, digest_size=16).hexdigest()

    def fingerprint(self) -> str:
        """What the installation keeps to notice that the key is another one."""
        return hashlib.sha256(b"fingerprint" + self.key).hexdigest()


@dataclass(frozen=True)
class Address:
    """Where a person is told: channel, normal form and keyed hash."""

    channel: str
    text: str
    hash: str


def read_address(text: str, default_region: str, key: AddressKey) -> Address:
    """An e-mail address or a number. AddressError names what is wrong with it."""
    plain = text.strip()
    if "@" in plain:
        normal, channel = normalise_email(plain), Channel.EMAIL
    else:
        normal, channel = normalise_msisdn(plain, default_region), Channel.SMS
    return Address(channel.value, normal, key.hash(normal))
