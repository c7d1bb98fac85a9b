"""The console's fixtures."""

from tests.web.site import browser, build, engineer, person

__all__ = ["browser", "build", "engineer", "person"]
