"""What can be down."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from statuspage.domain.component import ComponentState
from statuspage.models.base import Base, Id, PublicId
from statuspage.models.types import Named


class ComponentGroup(Base):
    """Named in text rows ("component_group", id, "name")."""

    __tablename__ = "component_group"

    id: Mapped[Id]
    public_id: Mapped[PublicId]
    key: Mapped[str] = mapped_column(String(40), unique=True)
    position: Mapped[int] = mapped_column(default=0)


class Component(Base):
    """A service as subscribers know it.

    Text rows ("component", id): name, description, down (the sentence's clause).
    """

    __tablename__ = "component"

    id: Mapped[Id]
    public_id: Mapped[PublicId]
    key: Mapped[str] = mapped_column(String(40), unique=True)
    group_id: Mapped[int | None] = mapped_column(ForeignKey("component_group.id"))
    state: Mapped[ComponentState] = mapped_column(Named(ComponentState), default=ComponentState.OPERATIONAL)
    provides: Mapped[str | None] = mapped_column(String(40))
    """The dependency (`domain.route`) that breaks when this component is down, if any."""
    billing: Mapped[bool] = mapped_column(default=True)
    """False for calls, data, SMS and emergency calls, which a billing outage does not touch."""
    emergency: Mapped[bool] = mapped_column(default=False)
    """Emergency calls: said to work only when a person ticked it."""
    position: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class ComponentChange(Base):
    """A component's state from `at` on; the history behind the 90-day bars and the updates' `affected_components`."""

    __tablename__ = "component_change"
    __table_args__ = (Index(None, "component_id", "at"),)

    id: Mapped[Id]
    component_id: Mapped[int] = mapped_column(ForeignKey("component.id"))
    update_id: Mapped[int | None] = mapped_column(ForeignKey("incident_update.id"), index=True)
    at: Mapped[datetime]
    old_state: Mapped[ComponentState] = mapped_column(Named(ComponentState))
    new_state: Mapped[ComponentState] = mapped_column(Named(ComponentState))
