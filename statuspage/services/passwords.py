"""Passwords: argon2id hashes, and random ones for a first log-in."""

from __future__ import annotations

import secrets
from functools import cache
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from statuspage.domain.errors import RuleError

MINIMUM_LENGTH = 12
MAXIMUM_LENGTH = 256
_HASHER = PasswordHasher()
_AT_ONCE = BoundedSemaphore(2)
"""How many are worked on at the same time in one process: each takes 64 MB and four threads, and whoever guesses is not
to have all of the machine."""


def generate() -> str:
    """A random password of 120 bits."""
    return secrets.token_urlsafe(15)


def hash_of(password: str) -> str:
    with _AT_ONCE:
        return _HASHER.hash(password)


def matches(password_hash: str, password: str) -> bool:
    try:
        with _AT_ONCE:
            return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def waste_time(password: str) -> None:
    """Cost as much as a real check, so that the answer's time does not tell whether an account exists."""
    matches(_nobodys_hash(), password)


def check(password: str, email: str) -> None:
    """Length decides (NIST SP 800-63B); the e-mail address itself is refused."""
    if not MINIMUM_LENGTH <= len(password) <= MAXIMUM_LENGTH:
        raise RuleError(
            "user.password_length",
            f"password: it must have {MINIMUM_LENGTH} to {MAXIMUM_LENGTH} characters. Choose another one.",
            "password",
        )
    if password.casefold() == email.casefold():
        raise RuleError(
            "user.password_is_email", "password: it is your e-mail address. Choose another one.", "password"
        )


@cache
def _nobodys_hash() -> str:
    return hash_of(generate())
