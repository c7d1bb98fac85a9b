"""Fixtures of the tests about people."""

from tests.people.crowd import crowd, settings

__all__ = ["crowd", "settings"]
