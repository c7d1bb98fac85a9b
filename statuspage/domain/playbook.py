from __future__ import annotations

from enum import StrEnum


class RowState(StrEnum):
    DONE = "done"
    OPEN = "open"
    OVERDUE = "overdue"
    NOT_NEEDED = "not_needed"
