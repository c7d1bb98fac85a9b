"""The sample operator: complete in three languages, fit to be sent, safe to load again."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from importlib.resources import files
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifiers.text import count
from statuspage.db import transaction
from statuspage.domain.audience import check_values, parse
from statuspage.domain.message import fill, for_sms
from statuspage.i18n import KNOWN_LOCALES, Moments
from statuspage.models import Component, IncidentTemplate, LocalizedText, MessageTemplate, Route, User
from statuspage.services import grace_policies, passwords, reference, routes, sample, texts
from statuspage.services.campaign_values import Values
from tests.databases import NOW
from tests.services.world import World

END = NOW.replace(day=25, hour=21, minute=0)
LONG = "+74951234567890"


def _counted(session: Session) -> list[int]:
    models = (Component, Route, IncidentTemplate, MessageTemplate, User, LocalizedText)
    return [session.scalars(select(func.count()).select_from(model)).one() for model in models]


def test_loading_again_brings_nothing_twice(world: World) -> None:
    """The same rows, no new passwords, and the default grace is still approved."""
    with transaction(world.sessions) as session:
        before = _counted(session)
        assert sample.load(session, time_zone="Europe/Moscow", now=NOW) == []
        assert _counted(session) == before
        policy = grace_policies.default_policy(session, "standard_outage")
        assert policy.approved_by is not None
        assert policy.approved_by != policy.author_id


def test_loading_again_changes_no_route(world: World) -> None:
    """A route that is as it was keeps its date, so that the page does not claim a change after every start."""
    with transaction(world.sessions) as session:
        before = {one.key: one.updated_at for one in session.scalars(select(Route))}
        session.scalars(select(Route).where(Route.key == "kiosk")).one().url = "https://kiosk.example/"
        session.flush()
        later = NOW + timedelta(days=1)
        sample.load(session, time_zone="Europe/Moscow", now=later)
        after = {one.key: one.updated_at for one in session.scalars(select(Route))}
    assert {key for key in after if after[key] != before[key]} == {"kiosk"}
    assert after["kiosk"] == later


def test_first_logins_are_random_and_shown_once(world: World) -> None:
    """A log-in that was deleted comes back with a password of its own, kept as a hash."""
    with transaction(world.sessions) as session:
        user = session.scalars(select(User).where(User.email == "engineer@demo.example")).one()
        user.email = "former@demo.example"
        session.flush()
        (made,) = sample.load(session, time_zone="Europe/Moscow", now=NOW)
        assert (made.email, made.role) == ("engineer@demo.example", "engineer")
        assert len(made.password) >= passwords.MINIMUM_LENGTH
        again = session.scalars(select(User).where(User.email == made.email)).one()
        assert again.must_change_password


def test_every_text_exists_in_every_language(world: World) -> None:
    """No component, route, template or promise is missing in Russian, Chinese or English."""
    with transaction(world.sessions, read_only=True) as session:
        found: dict[tuple[str, int, str], set[str]] = {}
        for row in session.scalars(select(LocalizedText)):
            found.setdefault((row.entity, row.entity_id, row.field), set()).add(row.locale)
            assert row.body.strip()
        assert {key: have for key, have in found.items() if have != set(KNOWN_LOCALES)} == {}


def test_catalogue_of_routes(world: World) -> None:
    """A dozen ways to pay and some to manage services, each explained step by step."""
    with transaction(world.sessions, read_only=True) as session:
        found = [one.route for one in routes.list_routes(session, NOW)]
        explained = texts.read(session, "route", [one.id for one in found])
        kinds = [one.kind.value for one in found]
        assert (kinds.count("payment"), kinds.count("service")) == (13, 5)
        assert all((one.id, "how_to") in explained for one in found)


@pytest.mark.parametrize(("locale", "phone", "most"), [("zh", "0500", 1), ("en", LONG, 1), ("ru", LONG, 2)])
def test_an_sms_costs_what_the_sample_says(locale: str, phone: str, most: int) -> None:
    """One segment in Chinese and English, two in Russian; a long number to call makes none but a Chinese one longer."""
    moments = Moments(locale, ZoneInfo("Europe/Moscow"), NOW)
    said = {"since": moments.in_sentence(NOW), "until": moments.until(END), "credited_by": moments.by(NOW)}
    at = {"since": NOW, "until": END, "credited_by": NOW}
    zoned = {name: moments.zoned(time, at[name]) for name, time in said.items()}
    values = Values(locale, {**zoned, "operator": "Demo Telecom", "phone": phone}, said)
    for one in tomllib.loads(files("statuspage").joinpath("sample", "messages.toml").read_text("utf-8"))["messages"]:
        body = one["sms"][locale]
        assert count(fill(body, values.for_field("sms", body), for_sms)).segments <= most, one["key"]


def test_audiences_are_sound(world: World) -> None:
    """Terminals' contacts get the merchants' words, everybody else the others'."""
    with transaction(world.sessions, read_only=True) as session:
        known = {"segment": [one.key for one in reference.segments(session)]}
        found = {one.purpose: one.audience for one in session.scalars(select(MessageTemplate))}
        for expression in found.values():
            check_values(parse(expression), known)
        assert sorted(found) == ["end", "merchants", "merchants_end", "outage", "security"]
        assert found["merchants"] == found["merchants_end"] == "segment = pos_m2m"
