"""The frame around every page of the console: words in the reader's language, times in the operator's zone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from babel.dates import get_timezone_location
from flask import Flask, Response, flash, g, make_response, redirect, request, session
from flask import render_template as flask_render
from flask.typing import ResponseReturnValue
from jinja2 import StrictUndefined
from markupsafe import Markup, escape

from statuspage.domain.audience import Wanted
from statuspage.domain.campaign import CampaignState, ordinal
from statuspage.domain.component import ComponentState
from statuspage.domain.delivery import Reason
from statuspage.domain.errors import Refusals, RuleError, separately
from statuspage.domain.incident import ENDED, RESTORED, IncidentState, Publication
from statuspage.domain.publication import Gap
from statuspage.domain.roles import Permission
from statuspage.domain.route import RouteState
from statuspage.i18n import LANGUAGE_NAMES, LANGUAGE_TAGS, Moments, catalogue, gettext, negotiate
from statuspage.models import Campaign, Incident
from statuspage.web import assets
from statuspage.web.access import may
from statuspage.web.forms import InputError, given, once, ticked
from statuspage.web.wiring import now, wiring

TEMPLATES = Path(__file__).parents[2] / "templates"
LOCALE = "locale"
_OTHER_CATALOGUES = ("page.", "report.", "form.", "act.")
_BOXES = frozenset({"components", "not_affected", "segments", "regions", "channels"})
_HIDDEN = frozenset({"version", "incident"})
"""Fields that nobody can be led to."""

_PART_OF = {"sending": "campaigns", "counting": "campaigns"} | dict.fromkeys(
    ("room", "updates", "lifecycle", "playbook", "grace", "report"), "incidents"
)
"""Blueprints that the frame shows under another one's name."""

_COMPONENT_SHAPES = {
    ComponentState.OPERATIONAL: "works",
    ComponentState.DEGRADED_PERFORMANCE: "delayed",
    ComponentState.PARTIAL_OUTAGE: "disturbed",
    ComponentState.MAJOR_OUTAGE: "down",
    ComponentState.UNDER_MAINTENANCE: "maintenance",
}
_WORDS: Mapping[type, str] = {
    CampaignState: "campaign.state_",
    IncidentState: "page.incident_state.",
    Publication: "publication.",
    Reason: "why.",
    Wanted: "audience.wanted_",
}
"""Where the words for a member of an enum stand."""

SECTIONS = (
    (Permission.INCIDENT_VIEW, "incidents.index", "incidents"),
    (Permission.INCIDENT_VIEW, "routes.index", "routes"),
    (Permission.INCIDENT_VIEW, "campaigns.index", "campaigns"),
    (Permission.SUBSCRIBER_VIEW, "people.index", "people"),
    (Permission.USER_EDIT, "staff.index", "users"),
    (Permission.AUDIT_VIEW, "audit.index", "audit"),
)
"""What the frame offers: who may, where it is, its word."""


def furnish(app: Flask) -> None:
    """Give the templates their words and marks."""
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(
        t=t,
        told=told,
        faults=faults,
        has_text=has_text,
        campaign_name=campaign_name,
        mistake=mistake,
        ticked=ticked,
        sections=SECTIONS,
        incident_shape=incident_shape,
        route_shape=route_shape,
        component_shape=component_shape,
        clock_name=clock_name,
        zone_name=zone_name,
        zone_city=zone_city,
        actor_name=actor_name,
        act_name=act_name,
        gap_text=gap_text,
        playbook_reason=playbook_reason,
        why=why,
        may=may,
        P=Permission,
        once=once,
        given=given,
        asset=assets.address,
        languages=LANGUAGE_NAMES,
    )
    app.jinja_env.filters.update(_filters())
    app.context_processor(_frame)


def _filters() -> dict[str, Callable[..., object]]:
    return {
        "moment": moment,
        "moment_text": moment_text,
        "clock": clock,
        "until": until,
        "iso": iso,
        "span": span,
        "measured": measured,
        "number": number,
        "money": money,
        "local": local_input,
    }


def _frame() -> dict[str, object]:
    settings = wiring().settings
    return {
        "locale": locale(),
        "tag": LANGUAGE_TAGS[locale()],
        "operator": settings.brand_name or settings.operator_name,
        "locales": settings.locales,
        "user": g.get("user"),
        "section": _PART_OF.get(request.blueprint or "", request.blueprint),
        "now": now(),
    }


def in_console() -> bool:
    """Whether the address is one of the console's; anywhere else the session is not looked at."""
    return f"{request.path}/".startswith("/console/")


def locale() -> str:
    """What the person chose in this log-in, else at the account, else what the browser asks for.

    Outside the console: the address's own, else what the browser asks for.
    """
    settings = wiring().settings
    chosen: str | None
    if not in_console():
        chosen = request.path.partition("/")[2].partition("/")[0]
    else:
        chosen = session.get(LOCALE) or (g.user.locale if g.get("user") is not None else None)
    if chosen in settings.locales:
        return chosen
    return negotiate(request.headers.get("Accept-Language", ""), settings.locales, settings.default_locale)


def t(key: str, **values: object) -> str:
    """The console's text of `key`; one that begins with the name of another catalogue is that one's own."""
    return gettext(locale(), key if key.startswith(_OTHER_CATALOGUES) else f"console.{key}", **values)


def has_text(key: str) -> bool:
    return f"console.{key}" in catalogue(locale())


def told(error: RuleError) -> str:
    """A refusal in the reader's language where the catalogue has its code, else as the rule words it."""
    if isinstance(error, InputError | Refusals):
        return " ".join(fault.text for fault in faults(error))
    key = f"refusal.{error.code.replace('.', '_')}"
    variant = f"{key}_{error.values.get('variant')}"
    key = variant if has_text(variant) else key
    if has_text(key):
        return t(key, **{name: _spoken(name, value) for name, value in error.values.items()})
    # The summary names the field in the reader's words.
    return error.message.removeprefix(f"{error.field}: ")


def _spoken(name: str, value: object) -> object:
    """A part of a refusal as it stands in a sentence."""
    words = _WORDS.get(type(value))
    if words is not None:
        return t(f"{words}{value}")
    if name == "where":
        return field_name(str(value))
    if isinstance(value, datetime):
        return moment_text(value)
    return money(value) if isinstance(value, Decimal) else value


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: the form's field ("" when the form has none for it), its name, and what is wrong."""

    field: str
    label: str
    text: str


def faults(error: RuleError | None) -> list[Fault]:
    """Everything that is wrong, in the order of the form, for the summary above it."""
    if error is None:
        return []
    if isinstance(error, InputError):
        found = [Fault(_on_page(name), field_name(name), one.said(locale())) for name, one in error.fields.items()]
        rest = error.refusals
    else:
        found, rest = [], separately(error)
    for one in rest:
        place = _on_page(one.field or "")
        found.append(Fault(place, field_name(place), told(one)))
    order = {name: place for place, name in enumerate(request.form)}
    return sorted(found, key=lambda fault: order.get(fault.field, len(order)))


def field_name(name: str) -> str:
    """What the form calls the field; "" where it has no name of its own."""
    base, _, part = name.partition(".")
    key = f"form.field.{base}"
    if key not in catalogue(locale()):
        return ""
    return f"{t(key)} ({LANGUAGE_NAMES[part]})" if part in LANGUAGE_NAMES else t(key)


def mistake(error: RuleError | None, field: str) -> str:
    """What is wrong with one field, "" when nothing is."""
    return " ".join(fault.text for fault in faults(error) if fault.field == field)


def _on_page(name: str) -> str:
    """`name` where the submitted form has such a field: boxes that nobody ticked are not sent, but they are there."""
    return name if name in _BOXES or (name in request.form and name not in _HIDDEN) else ""


def incident_shape(incident: Incident) -> str:
    """The mark of an incident in a list."""
    if incident.publication is not Publication.PUBLISHED:
        return "unknown"
    if incident.state in ENDED:
        return "works"
    return "delayed" if incident.state in RESTORED else "down"


def route_shape(state: RouteState) -> str:
    return {"works": "works", "works_delayed": "delayed", "degraded": "disturbed", "down": "down"}.get(state, "unknown")


def component_shape(state: ComponentState) -> str:
    return _COMPONENT_SHAPES[state]


def moments() -> Moments:
    return Moments(locale(), wiring().settings.zone, now())


def zone_name(key: str = "") -> str:
    """What people call the operator's zone, or the zone `key`, on the day of the page."""
    words = moments() if not key else replace(moments(), zone=ZoneInfo(key))
    return words.zone_name(now())


def zone_city(key: str) -> str:
    """The zone `key` by the place it is named after, and how far its clock stands from UTC."""
    place = get_timezone_location(key, locale=LANGUAGE_TAGS[locale()].replace("-", "_"), return_city=True)
    return f"{place} ({zone_name(key)})"


def moment(at: datetime | None) -> Markup | str:
    """A time with its zone, exact to machines; a dash where there is none."""
    if at is None:
        return "–"
    words = moments()
    return Markup('<time datetime="{}">{}</time>').format(words.iso(at), words.moment(at))


def moment_text(at: datetime | None) -> str:
    """`moment` for the middle of a sentence."""
    return "–" if at is None else moments().moment(at)


def actor_name(names: Mapping[str, str], actor: str) -> str:
    """A person by name; for the rest what it is that acted."""
    key = f"report.who.{actor}"
    return t(key) if key in catalogue(locale()) else names.get(actor, actor)


def act_name(key: str) -> str:
    """What the audit calls an act ("incident.declared") or a thing ("entity.incident"), in words where we have them."""
    return t(f"act.{key}") if f"act.{key}" in catalogue(locale()) else key.removeprefix("entity.")


def clock_name(key: str) -> str:
    """A clock by its key: first_notice, or "report:" and the report's own key."""
    name, _, report = key.partition(":")
    return t("clock.report", name=t(f"clock.report_{report}")) if report else t(f"clock.{name}")


def gap_text(gap: Gap) -> str:
    """What the incident does not say yet."""
    field, _, missing = gap.field.partition(":")
    return t(gap.hint, language=LANGUAGE_NAMES.get(missing, missing)) if missing else t(f"checklist.{field}")


def playbook_reason(reason: str) -> str:
    """Why a row is not needed: a key of the rule, or a person's own words."""
    key = f"reason.{reason.removeprefix('playbook.')}"
    return t(key) if has_text(key) else reason


def why(reason: str) -> str:
    """Why a message was not sent or did not arrive; a provider's or a rule's own code where we have no words."""
    key = f"why.{reason.replace('.', '_')}"
    return t(key) if has_text(key) else reason or "–"


def campaign_name(campaign: Campaign) -> str:
    """The name a person gave it, or what it is for while it still has its template's key."""
    purpose, n = f"campaign.purpose_{campaign.purpose}", ordinal(campaign.name, campaign.purpose)
    if n is None or not has_text(purpose):
        return campaign.name
    return t(purpose) if n == 1 else t("campaign.nth", name=t(purpose), n=n)


def clock(at: datetime | None) -> Markup | str:
    """The bare time on this day, else day and time."""
    if at is None:
        return "–"
    words = moments()
    return Markup('<time datetime="{}">{}</time>').format(words.iso(at), words.clock(at, beside=now()))


def until(end: datetime | None) -> str:
    """An exclusive end as readers are told it: midnight is 24:00 of the day that ends."""
    return "–" if end is None else moments().until(end)


def iso(at: datetime) -> str:
    return moments().iso(at)


def span(length: timedelta) -> str:
    return moments().duration(length)


def measured(length: timedelta) -> str:
    """`span` after a preposition: «через», «на»."""
    return moments().measured(length)


def number(value: int | None) -> str:
    """Thousands apart by a narrow no-break space, which all three languages read."""
    return "–" if value is None else f"{value:,}".replace(",", "\u202f")


def money(amount: Decimal | str | None) -> str:
    """To the hundredth, thousands apart."""
    return "–" if amount is None else f"{Decimal(amount):,.2f}".replace(",", "\u202f")


def local_input(at: datetime | None) -> str:
    """A time as `<input type="datetime-local">` holds it, in the operator's zone."""
    return "" if at is None else f"{at.astimezone(wiring().settings.zone):%Y-%m-%dT%H:%M}"


def render(template_name: str, /, **context: object) -> str:
    return flask_render(template_name, **context)


def made(answer: ResponseReturnValue) -> Response:
    return make_response(answer)


def done(key: str, address: str, **values: object) -> ResponseReturnValue:
    """Say what happened and go on to `address` with a GET, so that a reload repeats nothing."""
    flash(t(key, **values))
    return redirect(address, code=303)


def lines(text: str) -> Markup:
    """A plain text with its line breaks."""
    return Markup("<br>").join(escape(line) for line in text.splitlines())
