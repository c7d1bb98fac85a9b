"""What holds for every test: no setting of the machine reaches it, and chance is repeatable in CI."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.databases"]

# A busy machine is no failure, neither in a test (deadline) nor in making up its examples (too_slow).
AT_ANY_SPEED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("desk", AT_ANY_SPEED)
settings.register_profile("ci", AT_ANY_SPEED, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")

for name in [name for name in os.environ if name.startswith("STATUSPAGE_") and not name.startswith("STATUSPAGE_TEST_")]:
    del os.environ[name]
