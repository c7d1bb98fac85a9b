from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import brotli
import pytest

from statuspage.domain.incident import CauseCategory, IncidentState
from statuspage.publish.manifest import Manifest
from statuspage.publish.site import CACHE_CONTROL, REFRESH, boundary, compress, render
from statuspage.publish.view import PageView
from tests.publish import views


def test_the_same_view_gives_the_same_bytes() -> None:
    """Rendering twice changes nothing, compressed forms included."""
    one, other = render(views.OUTAGE), render(replace(views.OUTAGE))
    assert {path: found.sha256 for path, found in one.artifacts.items()} == {
        path: found.sha256 for path, found in other.artifacts.items()
    }
    body = one.artifacts["/ru/"].body
    assert compress(body) == compress(body)
    assert brotli.decompress(compress(body).brotli) == body


def test_every_promised_address_exists_in_every_language() -> None:
    """Pages, feeds, documents and texts are there with and without a locale as the contract says."""
    site = render(views.OUTAGE)
    for locale in ("ru", "zh", "en"):
        for path in ("/", "/history", "/pay", "/terminal", f"/incidents/{views.INCIDENT.id}", "/404"):
            assert site.artifacts[f"/{locale}{path}"].kind == "page"
        assert all(f"/text/{channel}.{locale}.txt" in site.artifacts for channel in ("sms", "ivr", "ussd", "shop"))
    feeds = ("/history.rss", "/history.atom", "/updates.rss", "/updates.atom", "/feed.json", "/badge.svg")
    for prefix in ("", "/ru", "/zh", "/en"):
        assert all(f"{prefix}{path}" in site.artifacts for path in (*feeds, "/api/v2/summary.json"))
    assert set(site.negotiated) >= {"/", "/pay", "/terminal", "/history", f"/incidents/{views.INCIDENT.id}"}
    assert "/404" not in site.negotiated


def test_a_resolved_incidents_page_does_not_change_with_the_clock() -> None:
    """Old pages keep their bytes from rendering to rendering, so that only what is new is packed and stored."""
    later = render(replace(views.OUTAGE, as_of=views.NOON + timedelta(minutes=15), revision=8))
    path = f"/en/incidents/{views.PAST.id}"
    assert render(views.OUTAGE).artifacts[path].sha256 == later.artifacts[path].sha256


@pytest.mark.parametrize(
    ("state", "cause", "said"),
    [
        (IncidentState.IDENTIFIED, CauseCategory.UNKNOWN, False),
        (IncidentState.IDENTIFIED, CauseCategory.DATABASE, True),
        (IncidentState.INVESTIGATING, CauseCategory.UNKNOWN, True),
    ],
)
def test_the_record_does_not_gainsay_its_state(state: IncidentState, cause: CauseCategory, said: bool) -> None:
    """A cause that is found is not at the same time said to be unknown."""
    incident = replace(views.INCIDENT, state=state, cause=cause)
    site = render(replace(views.OUTAGE, incidents=(incident,)))
    assert (b">Cause<" in site.artifacts[f"/en/incidents/{incident.id}"].body) is said


def test_pages_and_data_carry_their_headers_and_no_cookie() -> None:
    """Headers are fixed at publishing: caching, policy, and data open to other sites."""
    headers = {kind: dict(pairs) for kind, pairs in render(views.OUTAGE).manifest().headers.items()}
    assert headers["page"]["cache-control"] == CACHE_CONTROL
    assert headers["page"]["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert headers["data"]["access-control-allow-origin"] == "*"
    assert all("set-cookie" not in found for found in headers.values())
    local = replace(views.OUTAGE, operator=replace(views.OPERATOR, base_url="http://localhost:8080"))
    assert "strict-transport-security" not in dict(render(local).manifest().headers["page"])


def test_a_manifest_survives_its_document() -> None:
    """What is stored is what is read; a manifest of another format is refused by name."""
    manifest = render(views.OUTAGE).manifest()
    assert Manifest.parse(manifest.document()) == manifest
    with pytest.raises(ValueError, match="publish again"):
        Manifest.parse({**manifest.document(), "format": 99})


def only(**change: object) -> PageView:
    return replace(views.CALM, incidents=(replace(views.INCIDENT, **change),), promises=())  # type: ignore[arg-type]


BASE = {"next_update_at": None, "expected_end_at": None, "credited_by": None}


@pytest.mark.parametrize("field", ["next_update_at", "expected_end_at", "credited_by"])
def test_the_page_is_rendered_again_when_a_promised_time_comes(field: str) -> None:
    """At a due update, an expected end and a crediting time the words change, so a boundary is there."""
    due = views.NOON + timedelta(minutes=3)
    assert boundary(only(**{**BASE, field: due}), views.NOON) == due


def test_the_page_is_rendered_again_when_the_promise_ends() -> None:
    """At the exclusive end of grace the promise leaves the page."""
    ends = views.NOON + timedelta(minutes=2)
    assert boundary(replace(views.CALM, promises=(replace(views.PROMISE, until=ends),)), views.NOON) == ends


def test_the_page_is_rendered_again_at_the_operators_midnight() -> None:
    """A new day of the bars begins at midnight in the operator's zone."""
    now = datetime(2026, 11, 22, 20, 58, tzinfo=UTC)
    assert boundary(views.CALM, now) == datetime(2026, 11, 22, 21, 0, tzinfo=UTC)


def test_midnight_is_found_across_a_change_of_the_clock() -> None:
    """The day on which clocks go back has 25 hours and one midnight."""
    operator = replace(views.OPERATOR, time_zone="Europe/Berlin")
    now = datetime(2026, 10, 25, 22, 50, tzinfo=UTC)
    due = boundary(replace(views.CALM, operator=operator), now)
    assert due.astimezone(ZoneInfo("Europe/Berlin")) == datetime(2026, 10, 26, tzinfo=ZoneInfo("Europe/Berlin"))


def test_the_page_never_grows_older_than_its_refreshing() -> None:
    """With nothing due the page is rendered again before readers would take it for frozen."""
    assert boundary(views.CALM, views.NOON) == views.NOON + REFRESH
    assert timedelta(hours=1) > 3 * REFRESH


def test_a_resolved_incident_leaves_the_front_page_after_three_days() -> None:
    """It is listed as recently resolved until its boundary and only in the history afterwards."""
    resolved_at = views.TAIL.incidents[0].resolved_at
    assert resolved_at is not None
    leaves = resolved_at + timedelta(days=3)
    assert boundary(views.TAIL, leaves - timedelta(minutes=1)) == leaves
    before = render(replace(views.TAIL, as_of=leaves - timedelta(minutes=1))).artifacts["/en/"].body
    after = render(replace(views.TAIL, as_of=leaves)).artifacts["/en/"].body
    assert b"Recently resolved" in before
    assert b"Recently resolved" not in after


def test_rendering_at_a_boundary_changes_the_bytes_and_between_boundaries_only_the_date() -> None:
    """Between two boundaries the front page differs in nothing but its own date."""
    due = boundary(views.OUTAGE, views.NOON)
    inside = render(replace(views.OUTAGE, as_of=due - timedelta(seconds=1))).artifacts["/en/"].body
    first = render(views.OUTAGE).artifacts["/en/"].body
    changed = [pair for pair in zip(first.splitlines(), inside.splitlines(), strict=True) if pair[0] != pair[1]]
    assert len(changed) == 1
    assert b"as-of" in changed[0][0]
