"""Words that nobody has translated yet: what a reader of another language is shown in their place."""

from __future__ import annotations

import json
import re

import feedparser
import pytest
from sqlalchemy import select

from statuspage.db import transaction
from statuspage.domain.incident import CauseCategory
from statuspage.i18n import nearest
from statuspage.models import Incident, IncidentUpdate
from statuspage.services import texts, updates
from statuspage.services.actor import CLI
from statuspage.services.texts import Wording
from statuspage.services.updates import NewUpdate
from tests.databases import NOW
from tests.publish.world import World


@pytest.mark.parametrize(
    ("locale", "written", "shown"),
    [("zh", ("ru", "zh", "en"), "zh"), ("zh", ("ru", "en"), "en"), ("zh", ("ru",), "ru"), ("ru", ("zh", "en"), "en")],
)
def test_english_stands_in_before_the_operators_language(locale: str, written: tuple[str, ...], shown: str) -> None:
    """The reader's language, then English, then the one the operator writes in."""
    assert nearest(locale, written, written[0]) == shown


def test_an_outdated_translation_is_none() -> None:
    """English that was made from an older original stands in for nobody, nor does an outdated text of one's own."""
    bodies = {"ru": "Чиним.", "zh": "旧", "en": "Old"}
    assert Wording("ru", bodies, frozenset({"zh", "en"})).pick("zh") == ("Чиним.", "ru")
    assert Wording("ru", bodies, frozenset({"zh"})).pick("zh") == ("Old", "en")


def test_an_update_without_chinese_is_english_on_every_chinese_face(world: World) -> None:
    """Page, incident page, feeds and JSON show the English text, and say beside it that a translation is to come."""
    said = {"ru": "Чиним базу.", "en": "We repair the database."}
    with transaction(world.sessions) as session:
        incident = session.scalars(select(Incident)).one()
        told = IncidentUpdate(incident_id=incident.id, state=incident.state, at=NOW, created_at=NOW)
        session.add(told)
        session.flush()
        texts.write(session, "incident_update", told.id, "body", said, "ru", NOW)
        address = f"/zh/incidents/{incident.public_id}"
    world.publish()
    for path in ("/zh/", address):
        shown = world.shown(path)
        assert '<div class="prose" lang="en"><p>We repair the database.</p></div>' in shown
        assert '<p class="pending">暂以英文显示，译文稍后补上</p>' in shown
        assert said["ru"] not in shown
    entries = feedparser.parse(world.shown("/zh/updates.atom")).entries
    told_as = next(one.content[0].value for one in entries if said["en"] in one.content[0].value)
    assert "暂以英文显示" in told_as
    assert all("Top-up is down" in one.title for one in entries)
    summary = json.loads(world.shown("/zh/api/v2/summary.json"))
    assert summary["incidents"][0]["name"] == "Top-up is down"
    assert said["en"] in [one["body"] for one in summary["incidents"][0]["incident_updates"]]


def test_a_cause_is_told_in_the_readers_language_where_the_words_are_not(world: World) -> None:
    """Whoever reads the original for want of a translation reads the cause in his own language, on every face."""
    with transaction(world.sessions) as session:
        incident = session.scalars(select(Incident)).one()
        new = NewUpdate(incident.state, {"ru": "Нашли."}, "ru", cause=CauseCategory.NETWORK)
        updates.write(session, CLI, incident, new, NOW)
    world.publish()
    for locale, cause in (
        ("ru", "Причина: неисправность сети."),
        ("zh", "原因：网络故障。"),
        ("en", "Cause: a network fault."),
    ):
        assert f"<p>Нашли.</p><p>{cause}</p>" in re.sub(r">\s+<", "><", world.shown(f"/{locale}/"))
        summary = json.loads(world.shown(f"/{locale}/api/v2/summary.json"))
        assert f"Нашли.\n\n{cause}" in [one["body"] for one in summary["incidents"][0]["incident_updates"]]
