"""Fixtures of the verbs' tests."""

from tests.services.world import world

__all__ = ["world"]
