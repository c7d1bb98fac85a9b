"""The words of the sample operator, filled: what a subscriber reads, in his language, wherever he lives."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from notifiers.text import count
from statuspage.config import Settings
from statuspage.db import transaction
from statuspage.domain.component import ComponentState
from statuspage.domain.message import for_sms, sms_problems
from statuspage.domain.route import RouteState
from statuspage.i18n import KNOWN_LOCALES
from statuspage.models import Campaign, Incident, Route
from statuspage.services import campaign_texts, campaigns, routes, texts
from statuspage.services.campaign_texts import Filled
from tests.databases import NOW, SECRET
from tests.services.world import World

SEGMENTS = {"ru": 2, "zh": 1, "en": 1}
"""What an SMS may cost, filled with everyday values."""
ZONE = {"ru": "МСК", "zh": "莫斯科时间", "en": "MSK"}
TEMPLATES = ("outage", "security", "merchants", "end", "merchants_end")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, secret_key=SECRET, base_url="https://status.demo.example")


def incident_of(world: World, session: Session, **changes: Any) -> Incident:
    """An outage that began some hours ago and is restored, with every time that a text may ask for."""
    incident = world.declare(session, world.actor(session, "engineer"), started_at=NOW - timedelta(hours=2), **changes)
    incident.restored_at, incident.credited_by_at = NOW, NOW + timedelta(hours=3)
    session.flush()
    return incident


def filled(session: Session, settings: Settings, incident: Incident, key: str, now: datetime = NOW) -> Filled:
    """The template's texts as they would go out."""
    template = campaigns.get_message_template(session, key)
    campaign = Campaign(incident_id=incident.id, channels=["sms", "email"])
    bodies = texts.read(session, "message_template", [template.id])
    drafted = {field: wording.bodies for (_, field), wording in bodies.items()}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(campaign_texts, "draft", lambda *_: drafted)
        return campaign_texts.fill(session, campaign, settings, now=now)


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
@pytest.mark.parametrize("key", TEMPLATES)
def test_an_sms_is_whole_short_and_names_its_zone(world: World, settings: Settings, key: str, locale: str) -> None:
    """Nothing is missing, it takes one segment in Chinese and English and two in Russian, it has no link, and whoever
    lives elsewhere cannot take its times for his own."""
    with transaction(world.sessions) as session:
        made = filled(session, settings, incident_of(world, session), key)
        sms = made.bodies["sms"][locale]
        assert made.missing == ()
        assert count(for_sms(sms)).segments <= SEGMENTS[locale], sms
        assert sms_problems(sms) == ()
        times = re.findall(r"\d\d:\d\d", sms)
        assert times
        if locale == "zh":
            # Before the first time, it holds for what follows.
            assert sms.count(ZONE[locale]) == 1
            assert sms.index(ZONE[locale]) < sms.index(times[0])
        else:
            assert sms.count(ZONE[locale]) == len(times)


@pytest.mark.parametrize("key", TEMPLATES)
def test_a_long_number_to_call_costs_no_further_segment(world: World, settings: Settings, key: str) -> None:
    """An operator whose hot line is written 8 800 100-20-30 pays no more than one with a short number."""
    chosen = settings.model_copy(update={"support_phone": "8 800 100-20-30"})
    with transaction(world.sessions) as session:
        made = filled(session, chosen, incident_of(world, session), key)
    for locale in ("ru", "en"):
        sms = made.bodies["sms"][locale]
        assert count(for_sms(sms)).segments <= SEGMENTS[locale], sms


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
@pytest.mark.parametrize("key", TEMPLATES)
def test_a_mail_names_the_zone_of_every_time(world: World, settings: Settings, key: str, locale: str) -> None:
    """In subject and mail each time has its zone beside it, and no placeholder is left."""
    with transaction(world.sessions) as session:
        made = filled(session, settings, incident_of(world, session), key)
        for field in ("subject", "mail"):
            said = made.bodies[field][locale]
            assert said.count(ZONE[locale]) == len(re.findall(r"\d\d:\d\d", said))
            assert "{" not in said


@pytest.mark.parametrize("key", TEMPLATES)
def test_a_mail_leads_to_the_page_in_its_own_language(world: World, settings: Settings, key: str) -> None:
    """Every address in a mail begins with the page's in the reader's language."""
    with transaction(world.sessions) as session:
        made = filled(session, settings, incident_of(world, session), key)
        for locale, mail in made.bodies["mail"].items():
            found = re.findall(r"https?://\S+", mail)
            assert found
            assert all(one.startswith(f"https://status.demo.example/{locale}/") for one in found)


def test_a_mail_names_a_way_to_pay_that_works(world: World, settings: Settings) -> None:
    """The first one that somebody has seen working and that is for everybody, with when; none known, none named."""
    with transaction(world.sessions) as session:
        actor, incident = world.actor(session, "engineer"), incident_of(world, session)
        before = filled(session, settings, incident, "outage").bodies["mail"]
        for key in ("corporate_invoice", "bank_app"):
            routes.set_state(session, actor, routes.get_route(session, key), RouteState.WORKS, now=NOW)
        mail = filled(session, settings, incident, "outage").bodies["mail"]
        later = filled(session, settings, incident, "outage", NOW + timedelta(hours=1)).bodies["mail"]
    assert "one way to pay" not in before["en"]
    assert '- one way to pay: "Bank app" (credited at once, checked 22.11 ' in mail["en"]
    assert "заплатить можно, например, так: «Приложение банка» (зачисляем сразу, проверено 22.11 в " in mail["ru"]
    assert "银行 App（即时到账，莫斯科时间11月22日" in mail["zh"]
    assert later == before


def test_what_is_not_affected_is_what_a_person_ticked(world: World, settings: Settings) -> None:
    """The mail names what the incident's record names and, when nobody has looked, nothing."""
    with transaction(world.sessions) as session:
        actor = world.actor(session, "engineer")
        said = filled(session, settings, incident_of(world, session, not_affected=("calls", "sms")), "outage")
        nothing = filled(session, settings, world.declare(session, actor, not_affected=()), "outage")
    assert "- not affected: calls, SMS;" in said.bodies["mail"]["en"]
    assert "- работает как обычно: звонки, SMS;" in said.bodies["mail"]["ru"]
    assert "- 不受影响：通话、短信；" in said.bodies["mail"]["zh"]
    assert nothing.missing == ()
    assert not any("affected" in mail or "как обычно" in mail for mail in nothing.bodies["mail"].values())


def test_what_fails_in_another_incident_is_not_said_to_work(world: World, settings: Settings) -> None:
    """A mail about one incident leaves out what a second one has brought down since."""
    with transaction(world.sessions) as session:
        actor, incident = world.actor(session, "engineer"), incident_of(world, session, not_affected=("calls", "sms"))
        world.declare(session, actor, components={"calls": ComponentState.DEGRADED_PERFORMANCE}, not_affected=())
        mail = filled(session, settings, incident, "outage").bodies["mail"]
    assert "- not affected: SMS;" in mail["en"]


@pytest.mark.parametrize(("setting", "called"), [("8 800 100-20-30", "8 800 100-20-30"), ("", "0500")])
def test_the_number_to_call_is_the_operators(world: World, settings: Settings, setting: str, called: str) -> None:
    """The setting counts, else the number of the voice menu; with neither the gap is named and nothing made up."""
    chosen = settings.model_copy(update={"support_phone": setting})
    with transaction(world.sessions) as session:
        incident = incident_of(world, session)
        made = filled(session, chosen, incident, "outage")
        assert all(body.rstrip("。.").endswith(called) for body in made.bodies["sms"].values())
        assert made.missing == ()
        session.execute(update(Route).values(phone=None))
        lacking = filled(session, settings, incident, "outage").missing
    assert "sms.ru: {phone}" in lacking


def test_many_services_are_folded(world: World, settings: Settings) -> None:
    """Eleven services do not make a text too long to go out."""
    with transaction(world.sessions) as session:
        incident = incident_of(world, session)
        campaign = Campaign(incident_id=incident.id, channels=["sms"])
        drafted = {"sms": dict.fromkeys(KNOWN_LOCALES, "{services}")}
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(campaign_texts, "draft", lambda *_: drafted)
            made = campaign_texts.fill(session, campaign, settings, now=NOW)
    assert made.bodies["sms"]["en"] == "Top-up, card payments, balance and 8 more"
    assert made.bodies["sms"]["ru"].endswith("и ещё 8 услуг")
