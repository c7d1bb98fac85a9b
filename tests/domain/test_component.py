from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statuspage.domain.component import SEVERITY, ComponentState, Indicator, indicator, worst

C = ComponentState


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([], Indicator.NONE),
        ([C.OPERATIONAL], Indicator.NONE),
        ([C.OPERATIONAL, C.UNDER_MAINTENANCE], Indicator.MAINTENANCE),
        ([C.UNDER_MAINTENANCE, C.DEGRADED_PERFORMANCE], Indicator.MINOR),
        ([C.PARTIAL_OUTAGE, C.OPERATIONAL], Indicator.MAJOR),
        ([C.MAJOR_OUTAGE, C.UNDER_MAINTENANCE], Indicator.CRITICAL),
    ],
)
def test_the_indicator_is_that_of_the_worst_component(states: list[ComponentState], expected: Indicator) -> None:
    """Maintenance never hides a fault, and nothing wrong is "none"."""
    assert indicator(states) is expected


@given(st.lists(st.sampled_from(ComponentState)))
def test_the_worst_is_no_better_than_any(states: list[ComponentState]) -> None:
    """The worst state is one of the states and none is graver; of none it is operational."""
    found = worst(states)
    assert found in states or (not states and found is C.OPERATIONAL)
    assert all(SEVERITY[found] >= SEVERITY[state] for state in states)
