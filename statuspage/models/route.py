"""Ways to pay and to manage services, and what becomes of each when billing is down."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from statuspage.domain.route import Behaviour, RouteKind, RouteState
from statuspage.models.base import Base, Id, PublicId, Strings
from statuspage.models.types import Named


class Route(Base):
    """Text rows ("route", id): name, how_to, credit (when a payment made now is credited).

    `set_state` is what a person or a probe said at `checked_at`; None leaves the state to be derived from `depends_on`.
    Empty `regions` or `segments` means all.
    """

    __tablename__ = "route"

    id: Mapped[Id]
    public_id: Mapped[PublicId]
    key: Mapped[str] = mapped_column(String(40), unique=True)
    kind: Mapped[RouteKind] = mapped_column(Named(RouteKind))
    set_state: Mapped[RouteState | None] = mapped_column(Named(RouteState))
    state_since: Mapped[datetime]
    checked_at: Mapped[datetime | None]
    source: Mapped[str] = mapped_column(String(20), default="manual")
    depends_on: Mapped[Strings]
    behaviour: Mapped[Behaviour] = mapped_column(Named(Behaviour))
    regions: Mapped[Strings]
    segments: Mapped[Strings]
    pay_types: Mapped[Strings]
    fee_percent: Mapped[Decimal | None]
    min_amount: Mapped[Decimal | None]
    max_amount: Mapped[Decimal | None]
    currency: Mapped[str | None] = mapped_column(String(3))
    url: Mapped[str | None] = mapped_column(String(300))
    ussd_code: Mapped[str | None] = mapped_column(String(20))
    short_code: Mapped[str | None] = mapped_column(String(20))
    phone: Mapped[str | None] = mapped_column(String(20))
    receipt_needed: Mapped[bool] = mapped_column(default=False)
    double_pay_risk: Mapped[bool] = mapped_column(default=False)
    position: Mapped[int] = mapped_column(default=0)
    updated_at: Mapped[datetime]
