"""By when what has to be told: clock profiles as data, adopted by the operator of his own will, and how he stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from types import MappingProxyType
from zoneinfo import ZoneInfo

from statuspage.domain.local_time import leave


class Anchor(StrEnum):
    """What a report's clock counts from."""

    DECLARED = "declared"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Step:
    """Updates `every` so often while the news is younger than `until` (None: for the rest of the incident)."""

    every: timedelta
    until: timedelta | None = None


@dataclass(frozen=True, slots=True)
class ReportClock:
    key: str
    after: timedelta
    anchor: Anchor = Anchor.DECLARED


@dataclass(frozen=True, slots=True)
class ClockProfile:
    """None or empty: the profile sets no such clock. `night` exempts the cadence, in the operator's zone; `sms_quiet`
    stops the clocks of SMS, not those of the page. An SMS is due only if the end is unknown or `sms_if_longer` away."""

    key: str
    first_notice: timedelta | None = None
    cadence: tuple[Step, ...] = ()
    night: tuple[time, time] | None = None
    first_sms: timedelta | None = None
    sms_if_longer: timedelta = timedelta(hours=2)
    sms_quiet: tuple[time, time] | None = None
    end_notice: timedelta | None = None
    reports: tuple[ReportClock, ...] = ()


_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
AT_ONCE = 15 * _MINUTE
"""How "at once" is measured."""

_ALL = (
    ClockProfile(
        "default_billing",
        first_notice=15 * _MINUTE,
        cadence=(Step(60 * _MINUTE),),
        night=(time(22), time(8)),
        first_sms=60 * _MINUTE,
        sms_quiet=(time(22), time(8)),
        end_notice=30 * _MINUTE,
        reports=(ReportClock("internal", 72 * _HOUR), ReportClock("public", 10 * _DAY, Anchor.RESOLVED)),
    ),
    ClockProfile(
        "mic_jp",
        first_notice=30 * _MINUTE,
        cadence=(Step(60 * _MINUTE),),
        night=(time(22), time(6)),
        end_notice=AT_ONCE,
        reports=(ReportClock("detailed", 30 * _DAY),),
    ),
    ClockProfile(
        "acma_au",
        first_notice=60 * _MINUTE,
        cadence=(Step(6 * _HOUR, until=24 * _HOUR), Step(24 * _HOUR)),
        end_notice=AT_ONCE,
    ),
    ClockProfile(
        "trai_in",
        reports=(
            ReportClock("regulator", 24 * _HOUR),
            ReportClock("root_cause", 72 * _HOUR),
            ReportClock("credit", 7 * _DAY, Anchor.RESOLVED),
        ),
    ),
    ClockProfile(
        "crtc_ca",
        reports=(ReportClock("regulator", 2 * _HOUR), ReportClock("report", 30 * _DAY, Anchor.RESOLVED)),
    ),
    ClockProfile(
        "fcc_us",
        reports=(
            ReportClock("regulator", 120 * _MINUTE),
            ReportClock("initial", 3 * _DAY),
            ReportClock("final", 30 * _DAY),
        ),
    ),
    ClockProfile(
        "nis2_eu",
        # "Without undue delay", measured as the recommended profile measures it.
        first_notice=60 * _MINUTE,
        reports=(
            ReportClock("early_warning", 24 * _HOUR),
            ReportClock("notification", 72 * _HOUR),
            ReportClock("final", 72 * _HOUR + 30 * _DAY),
        ),
    ),
)
PROFILES: Mapping[str, ClockProfile] = MappingProxyType({profile.key: profile for profile in _ALL})
"""Sources: F2024L01447 (acma_au), MIC guideline of 2022 (mic_jp), QoS Regulations 2024 (trai_in), NoC 2023-39 and its
successor (crtc_ca), 47 CFR Part 4 (fcc_us), NIS2 Art. 23 (nis2_eu); the rest is our recommendation."""


@dataclass(frozen=True, slots=True)
class PublicUpdate:
    """An update as the public saw it: when, the next one it promised, and whether the incident stayed open after it."""

    at: datetime
    next_promised: datetime | None
    open: bool


@dataclass(frozen=True, slots=True)
class Told:
    """People whom the campaign with this public id reached by one channel, so that they are owed the end as well;
    `end_at` is when their end notice was first accepted. None: none is under way that goes to all of them."""

    campaign: str
    channel: str
    end_at: datetime | None


_NONE_DONE: Mapping[str, datetime] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ClockFacts:
    """What happened so far; `updates` in order of time, `zone` the operator's. None: not yet."""

    declared_at: datetime
    zone: ZoneInfo
    updates: Sequence[PublicUpdate] = ()
    expected_end: datetime | None = None
    first_sms_at: datetime | None = None
    restored_at: datetime | None = None
    told: Sequence[Told] = ()
    resolved_at: datetime | None = None
    reports_done: Mapping[str, datetime] = field(default_factory=lambda: _NONE_DONE)


@dataclass(frozen=True, slots=True)
class Clock:
    """`key` is first_notice, first_sms, next_update, end_notice or "report:" and the report's key."""

    key: str
    due_at: datetime
    done_at: datetime | None
    overdue: bool
    """Not done, and its time is past."""
    missing: tuple[str, ...] = ()
    """Of the end notice: public ids of the campaigns whose people have none under way."""

    @property
    def late(self) -> bool:
        """Done, but after its time."""
        return self.done_at is not None and self.done_at > self.due_at


def due(profile: ClockProfile, facts: ClockFacts, now: datetime) -> tuple[Clock, ...]:
    """Every clock that runs or ran, the most urgent of those still open first."""
    moments: list[tuple[str, datetime | None, datetime | None]] = [
        ("first_notice", _after(facts.declared_at, profile.first_notice), _first_public(facts)),
        ("first_sms", _first_sms_due(profile, facts), facts.first_sms_at),
        ("next_update", next_update_due(profile, facts), None),
        ("end_notice", _end_notice_due(profile, facts), _end_told(facts)),
    ]
    for report in profile.reports:
        anchor = facts.declared_at if report.anchor is Anchor.DECLARED else facts.resolved_at
        done = facts.reports_done.get(report.key)
        moments.append((f"report:{report.key}", _after(anchor, report.after), done))
    clocks = [
        Clock(key, at, done, done is None and now > at, _without_end(facts) if key == "end_notice" else ())
        for key, at, done in moments
        if at is not None
    ]
    return tuple(sorted(clocks, key=lambda clock: (clock.done_at is not None, clock.due_at)))


@dataclass(frozen=True, slots=True)
class NextUpdate:
    """By when the public must hear again: what the profile's cadence asks, what the page promises, or both."""

    asked_at: datetime | None
    promised_at: datetime | None

    @property
    def due_at(self) -> datetime | None:
        """The earlier of the two: a promise binds whoever made it, and a later one moves no cadence."""
        return min((one for one in (self.asked_at, self.promised_at) if one is not None), default=None)

    @property
    def promised_too_late(self) -> bool:
        """The public was promised an update later than the cadence asks for one."""
        return self.asked_at is not None and self.promised_at is not None and self.promised_at > self.asked_at


def next_update(profile: ClockProfile, updates: Sequence[PublicUpdate], zone: ZoneInfo) -> NextUpdate | None:
    """None before the first notice, once the incident is over, and where neither asks for an update."""
    if not updates or not updates[-1].open:
        return None
    last = updates[-1]
    found = NextUpdate(asked_after(profile, updates[0].at, last.at, zone), last.next_promised)
    return None if found.due_at is None else found


def next_update_due(profile: ClockProfile, facts: ClockFacts) -> datetime | None:
    """`next_update`, only by when."""
    found = next_update(profile, facts.updates, facts.zone)
    return None if found is None else found.due_at


def asked_after(profile: ClockProfile, first: datetime, at: datetime, zone: ZoneInfo) -> datetime | None:
    """By when the cadence asks for another update after one at `at`, where the first notice came at `first`."""
    steps = (one.every for one in profile.cadence if one.until is None or at - first < one.until)
    asked = _after(at, next(steps, None))
    if asked is None or profile.night is None:
        return asked
    return leave(asked, zone, *profile.night) or asked


@dataclass(frozen=True, slots=True)
class Compliance:
    """Updates due so far and those of them on time, the longest silence while the incident was open, and how long in
    all the public waited past what was due."""

    due: int
    on_time: int
    longest_gap: timedelta
    overdue: timedelta


def compliance(profile: ClockProfile, facts: ClockFacts, now: datetime) -> Compliance:
    """How the cadence was kept. An update that is not due yet does not count; one that came early counts as on time."""
    counted = on_time = 0
    longest = waited = timedelta()
    for update, following in pairwise([*facts.updates, None]):
        if update is None or not update.open:
            continue
        heard = following.at if following is not None else now
        longest = max(longest, heard - update.at)
        asked = asked_after(profile, facts.updates[0].at, update.at, facts.zone)
        limit = NextUpdate(asked, update.next_promised).due_at
        if limit is None or (following is None and now <= limit):
            continue
        counted += 1
        on_time += heard <= limit
        waited += max(heard - limit, timedelta())
    return Compliance(counted, on_time, longest, waited)


def _first_public(facts: ClockFacts) -> datetime | None:
    return facts.updates[0].at if facts.updates else None


def _first_sms_due(profile: ClockProfile, facts: ClockFacts) -> datetime | None:
    asked = _after(facts.declared_at, profile.first_sms)
    if asked is None or (facts.first_sms_at is None and facts.restored_at is not None):
        return None
    if facts.expected_end is not None and facts.expected_end - facts.declared_at <= profile.sms_if_longer:
        return None
    return _out_of_quiet(profile, asked, facts.zone)


def _end_told(facts: ClockFacts) -> datetime | None:
    """When the last of the audiences had its end notice under way; one that has none keeps the clock running."""
    ends = [one.end_at for one in facts.told if one.end_at is not None]
    return max(ends) if ends and len(ends) == len(facts.told) else None


def _without_end(facts: ClockFacts) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.campaign for one in facts.told if one.end_at is None))


def _end_notice_due(profile: ClockProfile, facts: ClockFacts) -> datetime | None:
    """None where nobody was told directly: the page says that it is over, and nobody waits for more."""
    asked = _after(facts.restored_at, profile.end_notice) if facts.told else None
    return None if asked is None else _out_of_quiet(profile, asked, facts.zone)


def _out_of_quiet(profile: ClockProfile, moment: datetime, zone: ZoneInfo) -> datetime:
    return moment if profile.sms_quiet is None else leave(moment, zone, *profile.sms_quiet) or moment


def _after(anchor: datetime | None, delay: timedelta | None) -> datetime | None:
    return None if anchor is None or delay is None else anchor + delay
