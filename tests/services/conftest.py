"""Fixtures of the verbs' tests."""

from tests.services.world import sample_postgres, sample_sqlite, world

__all__ = ["sample_postgres", "sample_sqlite", "world"]
