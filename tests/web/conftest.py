"""The console's fixtures."""

from tests.web.site import (
    browser,
    build,
    cheap_hashes,
    engineer,
    fresh_throttle,
    log_in,
    operator,
    person,
    settings,
    told_people,
)

__all__ = [
    "browser",
    "build",
    "cheap_hashes",
    "engineer",
    "fresh_throttle",
    "log_in",
    "operator",
    "person",
    "settings",
    "told_people",
]
