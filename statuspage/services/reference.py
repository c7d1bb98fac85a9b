"""Regions and segments: the operator's own words for where and for whom."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import available_timezones

from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage.domain.errors import RuleError
from statuspage.domain.roles import Permission
from statuspage.models import Region, Segment
from statuspage.services import audit, page, texts
from statuspage.services.actor import Actor
from statuspage.services.texts import Texts

SOURCE = "ru"


@dataclass(frozen=True)
class RegionTerms:
    key: str
    name: Texts
    time_zone: str


@dataclass(frozen=True)
class SegmentTerms:
    key: str
    name: Texts
    machine: bool = False


def regions(session: Session) -> list[Region]:
    return list(session.scalars(select(Region).order_by(Region.position, Region.id)))


def segments(session: Session) -> list[Segment]:
    return list(session.scalars(select(Segment).order_by(Segment.position, Segment.id)))


def check_keys(session: Session, segment_keys: Iterable[str], region_keys: Iterable[str]) -> None:
    """Refuse a segment or region nobody knows, naming those that exist."""
    for field, asked, known in (
        ("segments", segment_keys, [one.key for one in segments(session)]),
        ("regions", region_keys, [one.key for one in regions(session)]),
    ):
        for key in asked:
            if key not in known:
                raise RuleError(
                    f"{field}.unknown", f"{field}: {key!r} is unknown. There are: {', '.join(known)}.", field
                )


def put_region(session: Session, actor: Actor, terms: RegionTerms, position: int, *, now: datetime) -> Region:
    """Make the region or change it; the key says which."""
    actor.require(Permission.SETTINGS_EDIT)
    if terms.time_zone not in available_timezones():
        raise RuleError(
            "region.bad_zone",
            f"time_zone: {terms.time_zone!r} is no IANA zone. Write one such as Asia/Yekaterinburg.",
            "time_zone",
        )
    region = session.scalar(select(Region).where(Region.key == terms.key)) or Region(key=terms.key)
    region.time_zone, region.position = terms.time_zone, position
    _keep(session, actor, "region", region, terms.name, now)
    return region


def put_segment(session: Session, actor: Actor, terms: SegmentTerms, position: int, *, now: datetime) -> Segment:
    """Make the segment or change it; the key says which."""
    actor.require(Permission.SETTINGS_EDIT)
    segment = session.scalar(select(Segment).where(Segment.key == terms.key)) or Segment(key=terms.key)
    segment.machine, segment.position = terms.machine, position
    _keep(session, actor, "segment", segment, terms.name, now)
    return segment


def _keep(session: Session, actor: Actor, entity: str, row: Region | Segment, name: Texts, now: datetime) -> None:
    session.add(row)
    session.flush()
    texts.write(session, entity, row.id, "name", name, SOURCE, now)
    audit.record(session, actor, f"{entity}.put", entity, row.key, now)
    page.bump(session)
