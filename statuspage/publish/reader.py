"""The page in one language: the sentences, times and choices that its templates, feeds and texts share."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cached_property
from itertools import groupby

from markupsafe import Markup, escape

from statuspage import i18n
from statuspage.domain.component import Indicator, indicator
from statuspage.domain.incident import IncidentState, cause_told
from statuspage.domain.route import USABLE, RouteKind, RouteState
from statuspage.publish import headline, terminals, unaffected, ways
from statuspage.publish.bars import DAYS, bars, disturbed
from statuspage.publish.crediting import Crediting, CreditingKind, crediting
from statuspage.publish.headline import Headline, HeadlineKind
from statuspage.publish.language import Language
from statuspage.publish.promises import of_incident, promises, tail_days
from statuspage.publish.shapes import INDICATOR_SHAPES, ROUTE_SHAPES
from statuspage.publish.view import ComponentView, IncidentView, PromiseView, RouteView, Words


class Reader(Language):
    """One locale's reading of a view. Pure: the same view and locale always say the same."""

    # The sentence

    @cached_property
    def headline(self) -> Headline:
        return headline.headline(self.view)

    @property
    def others(self) -> tuple[IncidentView, ...]:
        """The open incidents beside the headline's."""
        return self.view.open_incidents()[1:]

    def sentence(self, incident: IncidentView | None = None) -> str:
        """The headline, or what it would be about `incident` alone: a person's title where it is in this language,
        else made from component names."""
        about = headline.about(self.view, incident) if incident else self.headline
        if about.kind is HeadlineKind.OK:
            return self.plain("headline.ok")
        if about.kind is HeadlineKind.INCIDENT and about.incident is not None:
            title = about.incident.title[self.locale]
            if title.locale == self.locale or not about.components:
                return title.body
        if not about.components:
            return self.plain("headline.repaired_bare" if about.kind is HeadlineKind.REPAIRED else "headline.down_bare")
        names = [self.say(component.name) for component in about.components]
        form = _form(about) + ("_many" if len(names) > 1 else "")
        return self.plain(f"headline.{form}", names=i18n.listed(self.locale, names, most=NAMED))

    def expected(self, incident: IncidentView) -> Markup | None:
        """When the repair is expected; an estimate that has passed is no longer one."""
        end = incident.expected_end_at
        if incident.repaired:
            return None
        if end is None or end <= self.view.as_of:
            return self.t("headline.expected_unknown")
        key = "headline.expected_work" if incident.planned else "headline.expected"
        return self.t(key, time=self.by(end, beside=self._since(incident)))

    def next_update(self, incident: IncidentView) -> Markup | None:
        """When the next news is due; once that has passed, that it is late."""
        due = incident.next_update_at
        if due is None:
            return None
        key = "headline.next_update" if due > self.view.as_of else "headline.update_late"
        return self.t(key, time=self.by(due, beside=self._since(incident)))

    def _since(self, incident: IncidentView) -> datetime:
        return incident.restored_at or incident.started_at if incident.repaired else incident.started_at

    def since(self, incident: IncidentView) -> Markup:
        return self.t(
            "headline.since", since=self.time(self._since(incident), self.moments.moment(self._since(incident)))
        )

    def concerning_terminals(self) -> tuple[IncidentView, ...]:
        """What may be why a terminal shows "no service": what fails, or when nothing of that does, what is restored."""
        found = terminals.concerning(self.view)
        return tuple(one for one in found if not one.repaired) or found

    # The promise

    @cached_property
    def promises(self) -> tuple[PromiseView, ...]:
        return promises(self.view)

    @property
    def promise(self) -> PromiseView | None:
        """The one that reaches furthest."""
        return next(iter(self.promises), None)

    @property
    def terminals_promise(self) -> PromiseView | None:
        """The one for SIM cards of terminals, which another may outlast."""
        return next((one for one in self.promises if terminals.SEGMENT in one.segments), None)

    def covered(self, promise: PromiseView) -> str:
        """Whom the promise covers, and where when it is not everywhere."""
        if promise.everybody:
            return self.plain("promise.everybody")
        where = self.names(promise.regions, proper=True)
        return self.names(promise.covered) + (f" ({where})" if where else "")

    @staticmethod
    def tail_days(promise: PromiseView) -> int:
        return tail_days(promise)

    @cached_property
    def crediting(self) -> Crediting | None:
        return crediting(self.view)

    def credited(self) -> Markup | None:
        """What becomes of money that has reached us, and that no way to pay is known to work when that is so."""
        found = self.crediting
        if found is None:
            return None
        if found.due is None:
            said = self.t(f"crediting.{found.kind}")
        else:
            said = self.t(f"crediting.{found.kind}_by", time=self.by(found.due, beside=self.today))
        return escape(self.gap).join([said, self.t("crediting.no_way")]) if found.no_way else said

    @property
    def pay_once(self) -> bool:
        """Whether to ask people not to pay twice: as long as money that has reached us is not to be seen yet."""
        return self.crediting is not None and self.crediting.kind is not CreditingKind.CREDITED

    # Routes

    @cached_property
    def states_matter(self) -> bool:
        return ways.states_matter(self.view)

    def routes(self, kind: RouteKind) -> list[RouteView]:
        return ways.whole_list(self.view, kind)

    def front_routes(self, kind: RouteKind) -> list[RouteView]:
        return ways.front_list(self.view, kind)

    def ways_lead(self) -> str:
        """What to know before the list of ways to pay."""
        if self.states_matter:
            return self.plain("route.lead")
        return self.plain("route.calm" if self.crediting is None else "route.repaired")

    def credit(self, route: RouteView) -> str:
        """What the reader needs to know about paying this way now, in a few words; empty when that is nothing."""
        told = ways.says(self.view, route)
        if route.credit is not None and (not told or route.state in USABLE):
            return self.say(route.credit)
        if not told:
            return ""
        if route.state is RouteState.UNKNOWN:
            if route.checked_at is None:
                return self.plain("route.unchecked")
            checked = self.moments.clock(route.checked_at, beside=self.today)
            return self.plain("route.unchecked_since", time=self.moments.zoned(checked, route.checked_at))
        due = self.waits_until(route)
        if due is not None:
            said = self.moments.by(due, beside=self.today)
            return self.plain("route.credited_by", time=self.moments.zoned(said, due))
        return self.plain(f"route.{_CREDIT[route.kind][route.state]}")

    def waits_until(self, route: RouteView) -> datetime | None:
        """By when a payment made now this way is credited, if it is one that waits for the repair."""
        waits = route.kind is RouteKind.PAYMENT and route.state is RouteState.WORKS_DELAYED
        found = self.crediting
        return found.due if waits and found is not None and found.kind is CreditingKind.ACCEPTED else None

    def limits(self, what: RouteView | IncidentView) -> str:
        """Where it is and whom it is for; empty when that is everywhere and everybody."""
        where = self.names(what.regions, proper=True)
        whom = i18n.listed(self.locale, [self.say(one) for one in what.segments])
        return self.plain("headline.only_both", where=where, whom=whom) if where and whom else where or whom

    def checked(self, route: RouteView) -> datetime | None:
        """When somebody last saw that it is as the page tells."""
        told = self.states_matter and route.state is not RouteState.UNKNOWN
        return route.checked_at if told else None

    # Services and incidents

    def unaffected(self, incident: IncidentView | None = None) -> tuple[Words, ...]:
        """What somebody has seen to work during `incident`; without one, whatever is open."""
        return unaffected.everywhere(self.view) if incident is None else unaffected.beside(self.view, incident)

    def condition(self, component: ComponentView) -> str:
        """Its state in a word; that it works is only said when somebody has seen it or nothing fails."""
        unsaid = unaffected.unsaid(self.view, component)
        return self.plain("component.unsaid" if unsaid else f"component.{component.state}")

    def bars(self, component: ComponentView) -> Markup:
        return bars(component.days, self.ninety(component))

    def ninety(self, component: ComponentView) -> str:
        """What the bars show, in words."""
        n, length = disturbed(component.days)
        young = "_new" if len(component.days) < DAYS else ""
        days = self.plain("component.last", n=DAYS)
        if not n:
            return i18n.together(self.plain(f"component.quiet{young}", days=days))
        duration = self.moments.duration(length)
        return i18n.together(self.plain(f"component.disturbed{young}", n=n, days=days, duration=duration))

    def recent(self) -> list[IncidentView]:
        """Closed incidents that still stand on the front page, the latest first."""
        closed = [
            one
            for one in self.view.incidents
            if one.resolved_at and not one.is_open and leaves_page_at(one) > self.view.as_of
        ]
        return sorted(closed, key=lambda one: (one.resolved_at or one.updated_at, one.id), reverse=True)

    def months(self) -> list[tuple[str, list[IncidentView]]]:
        """All incidents by the month they began in, the latest first."""
        ordered = sorted(self.view.incidents, key=lambda one: (one.started_at, one.id), reverse=True)
        return [
            (month, list(listed))
            for month, listed in groupby(
                ordered, key=lambda one: self.moments.month(one.started_at.astimezone(self.moments.zone))
            )
        ]

    def lasted(self, incident: IncidentView) -> str:
        end = incident.restored_at or incident.resolved_at
        return self.moments.duration(end - incident.started_at) if end else self.plain("history.still")

    def facts(self, incident: IncidentView) -> list[tuple[str, str | Markup]]:
        """Name and value of each fact of an incident, in the order a reader asks for them."""
        named = [one for one in self.view.components if one.id in incident.component_ids]
        facts: list[tuple[str, str | Markup | None]] = [
            ("state", self.state(incident)),
            ("started", self.time(incident.started_at)),
            ("restored", self.time(incident.restored_at) if incident.restored_at else None),
            ("resolved", self.time(incident.resolved_at) if incident.resolved_at else None),
            ("lasted", self.lasted(incident) if incident.restored_at or incident.resolved_at else None),
            ("affects", self.names(tuple(one.name for one in named)) or None),
            ("regions", self.names(incident.regions, proper=True) or self.plain("incident.everywhere")),
            ("segments", self.names(incident.segments) or self.plain("incident.everyone")),
            ("cause", self._cause(incident)),
            ("expected", self._expected(incident)),
            ("next_update", self._due(incident.next_update_at, incident)),
            ("credited_by", self._due(incident.credited_by, incident)),
            ("promise", self._promised(incident)),
        ]
        return [(self.plain(f"incident.{name}"), value) for name, value in facts if value is not None]

    def _promised(self, incident: IncidentView) -> Markup | None:
        """Until when; with whom each end is for when there are several."""
        made = of_incident(self.view, incident)
        if len(made) < 2:
            return self.until(made[0].until) if made else None
        return escape(self.separator).join(
            Markup("{} ({})").format(self.until(one.until), self.covered(one)) for one in made
        )

    def state(self, incident: IncidentView) -> str:
        """The state's words; once the crediting is confirmed they no longer say that it goes on."""
        done = incident.repaired and incident.credited_at is not None
        return self.plain("incident_state.credited") if done else self.step(incident, incident.state)

    def step(self, incident: IncidentView, state: IncidentState) -> str:
        """The words of a state that the incident is or was in; planned work is not being investigated."""
        work = incident.planned and state in (IncidentState.INVESTIGATING, IncidentState.IDENTIFIED)
        return self.plain("incident_state.work" if work else f"incident_state.{state}")

    def _cause(self, incident: IncidentView) -> str | None:
        return self.plain(f"cause.{incident.cause}") if cause_told(incident.state, incident.cause) else None

    def _expected(self, incident: IncidentView) -> str | Markup | None:
        if not incident.is_open or incident.repaired:
            return None
        return self._due(incident.expected_end_at, incident) or self.plain("incident.unknown")

    def _due(self, at: datetime | None, incident: IncidentView) -> Markup | None:
        return self.by(at) if at is not None and incident.is_open and at > self.view.as_of else None

    # Shapes

    @staticmethod
    def indicator_shape(shown: Indicator) -> str:
        return INDICATOR_SHAPES[shown]

    def component_shape(self, component: ComponentView) -> str:
        return "none" if unaffected.unsaid(self.view, component) else INDICATOR_SHAPES[indicator((component.state,))]

    def route_shape(self, route: RouteView) -> str:
        """Of a way whose state the page does not tell: none, an empty place."""
        return ROUTE_SHAPES[route.state] if ways.says(self.view, route) else "none"

    def incident_shape(self, incident: IncidentView) -> str:
        if not incident.is_open:
            return "works"
        return INDICATOR_SHAPES[headline.about(self.view, incident).indicator]


NAMED = 3
"""Names in the headline; of more, two and how many others: the promise has to stay on the first screen of a phone."""

FRONT_PAGE_STAY = timedelta(days=3)


def leaves_page_at(incident: IncidentView) -> datetime:
    """When a resolved incident moves from the front page to the history."""
    return (incident.resolved_at or incident.updated_at) + FRONT_PAGE_STAY


_CREDIT: dict[RouteKind, dict[RouteState, str]] = {
    RouteKind.PAYMENT: {
        RouteState.WORKS: "credited_at_once",
        RouteState.WORKS_DELAYED: "credited_later",
        RouteState.DEGRADED: "may_fail",
        RouteState.DOWN: "do_not_use",
    },
    RouteKind.SERVICE: {
        RouteState.WORKS: "usable",
        RouteState.WORKS_DELAYED: "delayed",
        RouteState.DEGRADED: "may_fail",
        RouteState.DOWN: "do_not_use",
    },
}


def _form(about: Headline) -> str:
    if about.kind is HeadlineKind.REPAIRED:
        return "repaired"
    if about.indicator is Indicator.MAINTENANCE:
        return "maintenance"
    return "down" if about.indicator is Indicator.CRITICAL else "disturbed"
