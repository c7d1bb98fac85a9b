from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from statuspage.db import transaction
from statuspage.domain.component import ComponentState
from statuspage.domain.incident import Publication
from statuspage.domain.route import RouteState
from statuspage.models import (
    Blob,
    Component,
    Incident,
    PageRevision,
    PageState,
    Region,
    Segment,
)
from statuspage.publish import publisher
from statuspage.publish.build import page_view
from statuspage.publish.mirror import Mirror
from statuspage.publish.publisher import PUBLIC_FOLDER, mirror_from_database
from statuspage.publish.site import REFRESH, boundary, render
from statuspage.services import texts
from statuspage.services.leases import LeaseLost
from tests.databases import NOW
from tests.publish.world import World, incident_of


def test_a_committed_change_is_on_the_disk_in_every_language(world: World) -> None:
    """One call renders, stores and mirrors: sentence, promise, routes, update and what is not affected."""
    assert world.publish()
    english, chinese = world.shown("/en/"), world.shown("/zh/")
    assert "Top-up is down" in english
    assert "No suspension for non\u2011payment until" in english
    assert "We are looking." in english
    assert "Not affected" in english
    # The Chinese title is missing, so the sentence is made of the component's name and nobody waits for a translator.
    assert "充值" in chinese
    assert "正在排查" in chinese
    state = world.state()
    assert (state.published, state.revision, state.lease_owner) == (state.wanted, 1, None)


def test_publishing_again_without_a_change_does_nothing(world: World) -> None:
    """An up-to-date page is left alone until its boundary."""
    world.publish()
    assert not world.publish()
    assert world.state().revision == 1


def test_the_page_is_published_again_at_its_boundary(world: World) -> None:
    """When the clock reaches the moment at which the bytes change, the next tick renders."""
    world.publish()
    due = world.state().boundary_at
    assert due == NOW + REFRESH
    world.clock.set(due - timedelta(seconds=1))
    assert not world.publish()
    world.clock.set(due)
    assert world.publish()
    assert world.mirror.manifest().as_of == due


def test_only_one_publishes_and_a_dead_ones_lease_runs_out(world: World) -> None:
    """While another holds the lease this call returns; after the lease's end it takes over."""
    with transaction(world.sessions) as session:
        lease = NOW + publisher.LEASE
        session.execute(update(PageState).values(lease_owner="another", lease_until=lease))
    assert not world.publish()
    world.clock.set(NOW + publisher.LEASE)
    assert world.publish()


def test_who_slept_past_the_lease_stores_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A publisher that another has replaced while it rendered leaves no trace."""
    real = render

    def stolen(view: object) -> object:
        with transaction(world.sessions) as session:
            session.execute(update(PageState).values(lease_owner="another", lease_until=NOW + timedelta(minutes=1)))
        return real(view)  # type: ignore[arg-type]

    monkeypatch.setattr(publisher, "render", stolen)
    with pytest.raises(LeaseLost):
        world.publish()
    state = world.state()
    assert (state.revision, state.lease_owner) == (0, "another")
    with transaction(world.sessions, read_only=True) as session:
        assert session.scalar(select(func.count()).select_from(PageRevision)) == 0


def test_a_change_during_the_rendering_is_published_by_the_same_call(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that was committed while the page was being rendered waits for a tick."""
    real, late = render, [True]

    def change_meanwhile(view: object) -> object:
        if late:
            late.clear()
            world.change()
        return real(view)  # type: ignore[arg-type]

    monkeypatch.setattr(publisher, "render", change_meanwhile)
    world.publish()
    state = world.state()
    assert (state.published, state.revision) == (state.wanted, 2)


def test_a_failed_rendering_leaves_the_old_page_and_frees_the_lease(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a fault the next call can try at once."""
    world.publish()
    world.change()

    def broken(_view: object) -> object:
        raise RuntimeError("no template")

    with monkeypatch.context() as patched:
        patched.setattr(publisher, "render", broken)
        with pytest.raises(RuntimeError):
            world.publish()
    assert world.mirror.manifest().revision == 1
    assert world.publish()
    assert world.mirror.manifest().revision == 2


def test_another_host_mirrors_from_the_database(world: World, tmp_path: Path) -> None:
    """A host that rendered nothing shows the same bytes; a lost mirror is healed by the next tick."""
    world.publish()
    other = Mirror(tmp_path / "elsewhere")
    assert mirror_from_database(world.sessions, other, NOW)
    assert other.manifest() == world.mirror.manifest()
    assert not mirror_from_database(world.sessions, other, NOW)
    shutil.rmtree(world.settings.data_dir / PUBLIC_FOLDER)
    assert not world.publish()
    assert "Top-up is down" in world.shown("/en/")


def test_only_what_is_new_is_stored(world: World) -> None:
    """A refreshing without news stores the pages that carry its date and nothing else."""
    world.publish()
    with transaction(world.sessions, read_only=True) as session:
        before = set(session.scalars(select(Blob.sha256)))
    world.clock.advance(REFRESH)
    world.publish()
    with transaction(world.sessions, read_only=True) as session:
        new = set(session.scalars(select(Blob.sha256))) - before
    manifest = world.mirror.manifest()
    changed = {path for path, entry in manifest.entries.items() if entry.sha256 in new}
    assert changed
    assert all(manifest.entries[path].kind == "page" or "/text/shop." in path for path in changed)


def test_blobs_that_no_page_shows_any_more_go(world: World) -> None:
    """The store does not grow for ever; what the newest revision shows always stays."""
    world.publish()
    world.clock.advance(timedelta(days=2))
    world.publish()
    with transaction(world.sessions, read_only=True) as session:
        stored = set(session.scalars(select(Blob.sha256)))
    assert stored == world.mirror.manifest().blobs()


def test_the_revision_keeps_what_it_told_and_what_its_text_lacked(world: World) -> None:
    """Evidence for the report: the open incidents of the revision, each with the gaps of its checklist."""
    world.publish()
    with transaction(world.sessions, read_only=True) as session:
        revision = session.get_one(PageRevision, 1)
        incident = session.scalars(select(Incident.public_id)).one()
    assert revision.incidents == {incident: ["what_happened", "locale:zh"]}


def test_the_view_is_read_in_a_fixed_number_of_queries(world: World, count_queries: Callable[[], int]) -> None:
    """More incidents mean more rows, never more queries."""

    def read() -> int:
        with transaction(world.sessions, read_only=True) as session:
            before = count_queries()
            page_view(session, world.settings, revision=1, now=NOW)
            return count_queries() - before

    few = read()
    with transaction(world.sessions) as session:
        session.add_all(incident_of(NOW - timedelta(days=day)) for day in range(1, 30))
    assert read() == few
    assert few < 30


def test_drafts_withdrawn_incidents_and_drills_are_not_public(world: World) -> None:
    """Only what is published, and of the real world, is in the view."""
    with transaction(world.sessions) as session:
        for publication, drill in (
            (Publication.DRAFT, False),
            (Publication.WITHDRAWN, False),
            (Publication.DUPLICATE, False),
            (Publication.PUBLISHED, True),
        ):
            hidden = incident_of(NOW)
            hidden.publication, hidden.drill = publication, drill
            session.add(hidden)
    with transaction(world.sessions, read_only=True) as session:
        real = page_view(session, world.settings, revision=1, now=NOW)
        exercise = page_view(session, world.settings, revision=1, now=NOW, drill=True)
    assert len(real.incidents) == 1
    assert len(exercise.incidents) == 1
    assert exercise.drill


def test_a_route_is_shown_as_its_dependencies_leave_it_and_ages_to_unknown(world: World) -> None:
    """With billing down a queueing route is delayed; when its check is too old the page says unknown, by itself."""
    with transaction(world.sessions, read_only=True) as session:
        view = page_view(session, world.settings, revision=1, now=NOW)
        due = boundary(view, NOW + timedelta(minutes=20))
        later = page_view(session, world.settings, revision=1, now=due)
    assert view.routes[0].state is RouteState.WORKS
    assert due == NOW + timedelta(minutes=30, seconds=1)
    assert later.routes[0].state is RouteState.UNKNOWN


def test_the_api_tells_what_the_page_tells(world: World) -> None:
    """summary.json and the page come from one revision."""
    world.publish()
    summary = json.loads(world.shown("/api/v2/summary.json"))
    assert summary["status"]["indicator"] == "critical"
    assert summary["incidents"][0]["name"] == "Не работает пополнение"
    assert summary["incidents"][0]["incident_updates"][0]["affected_components"][0]["new_status"] == "major_outage"


def test_emergency_calls_are_said_to_work_only_when_a_person_said_so(world: World) -> None:
    """The page lists them when an open incident has them ticked or they fail, never by default."""

    def names() -> list[str]:
        with transaction(world.sessions, read_only=True) as session:
            view = page_view(session, world.settings, revision=1, now=NOW)
        return [one.name["en"].body for one in view.components]

    with transaction(world.sessions) as session:
        emergency = Component(key="emergency", emergency=True, created_at=NOW, updated_at=NOW)
        session.add(emergency)
        session.flush()
        texts.write(session, "component", emergency.id, "name", {"ru": "112", "en": "Emergency calls"}, "ru", NOW)
    assert "Emergency calls" not in names()
    with transaction(world.sessions) as session:
        session.execute(update(Incident).values(not_affected=["calls", "emergency"]))
    assert "Emergency calls" in names()
    with transaction(world.sessions) as session:
        session.execute(update(Incident).values(not_affected=[]))
        session.execute(update(Component).where(Component.key == "emergency").values(state=ComponentState.MAJOR_OUTAGE))
    assert "Emergency calls" in names()


def test_a_duplicates_address_leads_to_the_incident_that_is_carried_on(world: World) -> None:
    """Also by way of another duplicate; one that never was on the page has no address."""
    with transaction(world.sessions) as session:
        kept = session.scalars(select(Incident)).one()
        ids = []
        for published_at in (NOW, NOW, None):
            double = incident_of(NOW)
            double.publication, double.published_at = Publication.DUPLICATE, published_at
            double.duplicate_of_id = session.scalars(select(func.max(Incident.id))).one()
            session.add(double)
            session.flush()
            ids.append(double.public_id)
        to = kept.public_id
    world.publish()
    for gone in ids[:2]:
        assert f'href="/zh/incidents/{to}"' in world.shown(f"/zh/incidents/{gone}")
        assert f"/incidents/{gone}" in world.mirror.manifest().negotiated
        assert gone not in world.shown("/en/history") + world.shown("/updates.rss") + world.shown("/en/")
    assert f"/en/incidents/{ids[2]}" not in world.mirror.manifest().entries


def test_all_regions_and_segments_are_no_limit(world: World) -> None:
    """Where all were ticked the page names none; one that is not among them makes the others a limit."""

    def limits() -> tuple[int, int]:
        with transaction(world.sessions, read_only=True) as session:
            (shown,) = page_view(session, world.settings, revision=1, now=NOW).incidents
            return len(shown.regions), len(shown.segments)

    assert limits() == (0, 0)
    with transaction(world.sessions) as session:
        session.add_all([Region(key="ural", time_zone="Asia/Yekaterinburg"), Segment(key="business")])
    assert limits() == (1, 1)
