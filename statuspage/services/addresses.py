"""Keyed hashes of addresses: they know a person again without keeping who it is."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass


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
