"""Component states and what they make of the page as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType


class ComponentState(StrEnum):
    OPERATIONAL = "operational"
    DEGRADED_PERFORMANCE = "degraded_performance"
    PARTIAL_OUTAGE = "partial_outage"
    MAJOR_OUTAGE = "major_outage"
    UNDER_MAINTENANCE = "under_maintenance"


class Indicator(StrEnum):
    """The page's one word, as status-page consumers know it."""

    NONE = "none"
    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"
    MAINTENANCE = "maintenance"


SEVERITY: Mapping[ComponentState, int] = MappingProxyType(
    {
        ComponentState.OPERATIONAL: 0,
        ComponentState.UNDER_MAINTENANCE: 1,
        ComponentState.DEGRADED_PERFORMANCE: 2,
        ComponentState.PARTIAL_OUTAGE: 3,
        ComponentState.MAJOR_OUTAGE: 4,
    }
)
"""Maintenance stands below every fault, so that planned work never hides an outage."""

_INDICATOR: Mapping[ComponentState, Indicator] = MappingProxyType(
    {
        ComponentState.OPERATIONAL: Indicator.NONE,
        ComponentState.UNDER_MAINTENANCE: Indicator.MAINTENANCE,
        ComponentState.DEGRADED_PERFORMANCE: Indicator.MINOR,
        ComponentState.PARTIAL_OUTAGE: Indicator.MAJOR,
        ComponentState.MAJOR_OUTAGE: Indicator.CRITICAL,
    }
)


def worst(states: Iterable[ComponentState]) -> ComponentState:
    """The gravest of the states; operational when there are none."""
    return max(states, key=SEVERITY.__getitem__, default=ComponentState.OPERATIONAL)


def indicator(states: Iterable[ComponentState]) -> Indicator:
    """The page's indicator: that of its worst component (none, maintenance, minor, major, critical)."""
    return _INDICATOR[worst(states)]
