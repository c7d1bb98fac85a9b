"""Watch the last outcomes of a campaign: when most fail, or filters eat them, it pauses before it has told nobody."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from notifiers.base import Failure

FAILED_WITHIN = 200
FAILED_SHARE = 0.5
FILTERED_WITHIN = 500
FILTERED_SHARE = 0.02
"""More than 2 in 100 filtered: the text itself is taken for spam (notifications.md §4e, 30007)."""

TOO_MANY_FAILED = "too_many_failed"
TOO_MANY_FILTERED = "too_many_filtered"


@dataclass
class _Window:
    failed: deque[bool] = field(default_factory=lambda: deque(maxlen=FAILED_WITHIN))
    filtered: deque[bool] = field(default_factory=lambda: deque(maxlen=FILTERED_WITHIN))


class Brake:
    """Of one process. A reason to pause begins the count anew, so that resuming is not undone by what was before."""

    def __init__(self) -> None:
        self._windows: dict[tuple[int, str], _Window] = {}

    def passed(self, campaign_id: int, channel: str, n: int) -> None:
        """So many went well."""
        window = self._windows.get((campaign_id, channel))
        if window is not None:
            window.failed.extend([False] * min(n, FAILED_WITHIN))
            window.filtered.extend([False] * min(n, FILTERED_WITHIN))

    def failed(self, campaign_id: int, channel: str, failure: Failure | None) -> str | None:
        """One failed for good. Returns the reason to pause the campaign, or None."""
        window = self._windows.setdefault((campaign_id, channel), _Window())
        window.failed.append(True)
        window.filtered.append(failure is Failure.FILTERED)
        reason = None
        if len(window.failed) == FAILED_WITHIN and sum(window.failed) > FAILED_SHARE * FAILED_WITHIN:
            reason = TOO_MANY_FAILED
        elif sum(window.filtered) > FILTERED_SHARE * FILTERED_WITHIN:
            reason = TOO_MANY_FILTERED
        if reason is not None:
            del self._windows[campaign_id, channel]
        return reason
