"""What the public page knows, frozen: renderers read nothing else, so the same view gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from statuspage.domain.component import ComponentState, Indicator
from statuspage.domain.grace import GraceState
from statuspage.domain.incident import CauseCategory, IncidentState
from statuspage.domain.route import RouteKind, RouteState


@dataclass(frozen=True, slots=True)
class Text:
    """What a reader is shown; `locale` is the language it is really in, and the page says so when it is another."""

    body: str
    locale: str


@dataclass(frozen=True, slots=True)
class Words:
    """A text that people wrote, already chosen for every locale of the page."""

    by_locale: Mapping[str, Text]

    def __getitem__(self, locale: str) -> Text:
        return self.by_locale[locale]


@dataclass(frozen=True, slots=True)
class Colours:
    """The operator's accent as `#rrggbb`, on light and on dark; contrast is checked when the settings are read."""

    light: str = "#0b4f8a"
    dark: str = "#9cc9f5"


@dataclass(frozen=True, slots=True)
class Operator:
    page_id: str
    name: str
    base_url: str
    time_zone: str
    locales: tuple[str, ...]
    default_locale: str
    support_phone: str | None = None
    colours: Colours = field(default_factory=Colours)


@dataclass(frozen=True, slots=True)
class ComponentChange:
    component_id: str
    old: ComponentState
    new: ComponentState


@dataclass(frozen=True, slots=True)
class UpdateView:
    id: str
    state: IncidentState
    at: datetime
    created_at: datetime
    updated_at: datetime
    body: Words
    changes: tuple[ComponentChange, ...] = ()


@dataclass(frozen=True, slots=True)
class IncidentView:
    """A published incident; `updates` run newest first, `updated_at` is the last real change, never a rendering.

    `credited_by` is what was promised of payments that reached us during it, `credited_at` when a person confirmed it.
    """

    id: str
    title: Words
    state: IncidentState
    impact: Indicator
    cause: CauseCategory
    started_at: datetime
    created_at: datetime
    updated_at: datetime
    updates: tuple[UpdateView, ...]
    monitoring_at: datetime | None = None
    restored_at: datetime | None = None
    resolved_at: datetime | None = None
    credited_at: datetime | None = None
    next_update_at: datetime | None = None
    expected_end_at: datetime | None = None
    credited_by: datetime | None = None
    component_ids: tuple[str, ...] = ()
    regions: tuple[Words, ...] = ()
    segments: tuple[Words, ...] = ()
    segment_keys: tuple[str, ...] = ()
    not_affected: tuple[Words, ...] = ()

    @property
    def is_open(self) -> bool:
        return self.state not in (IncidentState.RESOLVED, IncidentState.POSTMORTEM)

    @property
    def planned(self) -> bool:
        """Work that was planned, of which nobody has to find the cause."""
        return self.cause is CauseCategory.PLANNED_MAINTENANCE or self.impact is Indicator.MAINTENANCE

    @property
    def repaired(self) -> bool:
        """Restored but not resolved: payments of the outage are being credited, or the crediting is being checked."""
        return self.state is IncidentState.RESTORED_CATCHING_UP


@dataclass(frozen=True, slots=True)
class MovedView:
    """An incident that was published and is told of as another by now; who has its address is led there."""

    id: str
    to: IncidentView


@dataclass(frozen=True, slots=True)
class PromiseView:
    """Nobody covered is suspended before `until`, an exclusive end. Made from the policy, never typed.

    `everybody` says that it covers every segment there is, everywhere.
    """

    incident_id: str
    state: GraceState
    until: datetime
    segments: tuple[str, ...]
    covered: tuple[Words, ...]
    not_covered: tuple[Words, ...] = ()
    regions: tuple[Words, ...] = ()
    tail_days: int = 0
    everybody: bool = False

    @property
    def stands(self) -> bool:
        """A revoked policy takes nobody new, but whoever it covered stays covered to the end that was published."""
        return self.state in (GraceState.ACTIVE, GraceState.TAIL, GraceState.REVOKED)


@dataclass(frozen=True, slots=True)
class RouteView:
    """A way to pay or to manage services; `credit` is a person's words on when a payment made now arrives."""

    id: str
    kind: RouteKind
    name: Words
    state: RouteState
    position: int = 0
    how_to: Words | None = None
    credit: Words | None = None
    code: str | None = None
    url: str | None = None
    checked_at: datetime | None = None
    receipt_needed: bool = False
    segments: tuple[Words, ...] = ()
    regions: tuple[Words, ...] = ()
    key: str = ""


@dataclass(frozen=True, slots=True)
class DayState:
    """A local day of a component: the worst state it had, and for how many minutes it was not operational."""

    day: date
    worst: ComponentState
    minutes: int = 0


@dataclass(frozen=True, slots=True)
class ComponentView:
    id: str
    name: Words
    state: ComponentState
    created_at: datetime
    updated_at: datetime
    position: int
    group_id: str | None = None
    description: Words | None = None
    days: tuple[DayState, ...] = ()
    billing: bool = True
    emergency: bool = False
    key: str = ""


@dataclass(frozen=True, slots=True)
class GroupView:
    id: str
    name: Words
    created_at: datetime
    updated_at: datetime
    position: int


@dataclass(frozen=True, slots=True)
class PageView:
    """One revision of the page, all languages. `as_of` is when it was rendered; `updated_at` the last real change."""

    operator: Operator
    revision: int
    as_of: datetime
    updated_at: datetime
    components: tuple[ComponentView, ...] = ()
    groups: tuple[GroupView, ...] = ()
    routes: tuple[RouteView, ...] = ()
    incidents: tuple[IncidentView, ...] = ()
    moved: tuple[MovedView, ...] = ()
    promises: tuple[PromiseView, ...] = ()
    drill: bool = False
    turns_at: tuple[datetime, ...] = ()
    """When facts change by themselves that the view alone cannot compute, such as a route's check growing old."""

    def open_incidents(self) -> tuple[IncidentView, ...]:
        """What still fails before what is only catching up, the worst first; of equals what concerns everybody,
        everywhere, before what concerns some, then the latest."""
        rank = {impact: place for place, impact in enumerate(IMPACT_ORDER)}

        def weight(one: IncidentView) -> tuple[object, ...]:
            some = (bool(one.segments), bool(one.regions))
            return one.repaired, rank[one.impact], *some, -one.started_at.timestamp(), one.id

        return tuple(sorted((one for one in self.incidents if one.is_open), key=weight))

    def standing(self) -> tuple[PromiseView, ...]:
        """Every promise that holds at `as_of`: the furthest first, of equals the one that covers most."""
        held = [promise for promise in self.promises if promise.stands and promise.until > self.as_of]
        return tuple(sorted(held, key=reach))

    def component(self, component_id: str) -> ComponentView | None:
        return next((one for one in self.components if one.id == component_id), None)

    def grouped(self) -> Iterator[tuple[GroupView | None, tuple[ComponentView, ...]]]:
        """Components by group in the order of the page; those without a group come last."""
        ordered = sorted(self.components, key=lambda one: (one.position, one.id))
        for group in sorted(self.groups, key=lambda one: (one.position, one.id)):
            members = tuple(one for one in ordered if one.group_id == group.id)
            if members:
                yield group, members
        loose = tuple(one for one in ordered if one.group_id is None)
        if loose:
            yield None, loose


def reach(one: PromiseView) -> tuple[float, bool, int, str]:
    """Sorts the furthest promise first, of equals the one that covers most."""
    return -one.until.timestamp(), not one.everybody, -len(one.segments), one.incident_id


IMPACT_ORDER = (Indicator.CRITICAL, Indicator.MAJOR, Indicator.MINOR, Indicator.MAINTENANCE, Indicator.NONE)
