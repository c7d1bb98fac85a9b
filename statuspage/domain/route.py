from __future__ import annotations

from enum import StrEnum


class RouteState(StrEnum):
    WORKS = "works"
    WORKS_DELAYED = "works_delayed"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"


class RouteKind(StrEnum):
    PAYMENT = "payment"
    SERVICE = "service"


class Behaviour(StrEnum):
    """What becomes of a route while something it depends on is broken."""

    QUEUES = "queues"
    FAILS = "fails"
    INDEPENDENT = "independent"


class Dependency(StrEnum):
    BILLING_CORE = "billing_core"
    PAYMENT_GATEWAY = "payment_gateway"
    BALANCE_QUERY = "balance_query"
    USSD_GATEWAY = "ussd_gw"
    SMS_GATEWAY = "sms_gw"
    SHOP_POS = "shop_pos"
    BANK = "bank"
