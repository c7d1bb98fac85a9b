"""What holds for every test: no setting of the machine reaches it, and chance is repeatable in CI."""

from __future__ import annotations

import os

from hypothesis import settings

pytest_plugins = ["tests.databases"]

settings.register_profile("desk", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")

for name in [name for name in os.environ if name.startswith("STATUSPAGE_") and not name.startswith("STATUSPAGE_TEST_")]:
    del os.environ[name]
