"""The small drawing that tells a state by its form, before colour and beside the word."""

from __future__ import annotations

from collections.abc import Mapping

from statuspage.domain.component import Indicator
from statuspage.domain.route import RouteState

INDICATOR_SHAPES: Mapping[Indicator, str] = {
    Indicator.NONE: "works",
    Indicator.MINOR: "delayed",
    Indicator.MAJOR: "disturbed",
    Indicator.CRITICAL: "down",
    Indicator.MAINTENANCE: "maintenance",
}

ROUTE_SHAPES: Mapping[RouteState, str] = {
    RouteState.WORKS: "works",
    RouteState.WORKS_DELAYED: "delayed",
    RouteState.DEGRADED: "disturbed",
    RouteState.DOWN: "down",
    RouteState.UNKNOWN: "unknown",
}
