from __future__ import annotations

from enum import StrEnum


class IncidentState(StrEnum):
    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MONITORING = "monitoring"
    RESTORED_CATCHING_UP = "restored_catching_up"
    RESOLVED = "resolved"
    POSTMORTEM = "postmortem"


class Publication(StrEnum):
    """Whether the public sees an incident; apart from its state."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"
    DUPLICATE = "duplicate"


class CauseCategory(StrEnum):
    SOFTWARE = "software"
    HARDWARE = "hardware"
    DATABASE = "database"
    SERVER_CAPACITY = "server_capacity"
    CONFIGURATION = "configuration"
    NETWORK = "network"
    PLANNED_MAINTENANCE = "planned_maintenance"
    SECURITY = "security"
    THIRD_PARTY = "third_party"
    UNKNOWN = "unknown"
