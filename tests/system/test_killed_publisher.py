from __future__ import annotations

import errno
import os
import random
import re
import select as readiness
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from statuspage.clock import FrozenClock
from statuspage.db import make_engine, make_sessions, transaction
from statuspage.publish.mirror import BrokenMirror, Mirror
from statuspage.publish.publisher import LEASE, PUBLIC_FOLDER
from statuspage.services import incidents, updates
from statuspage.services.actor import CLI
from statuspage.web.front import Snapshot, load
from tests.databases import NOW
from tests.system.place import Client, Place
from tests.system.stories import declare
from tests.waiting import PATIENCE, until

KILLS = 6
COUNTED = re.compile(r"Outage-(\d+)-")


def count_on(place: Place, incident: str, number: int, clock: FrozenClock) -> None:
    """One more revision: the incident's title says its number in every language."""
    with transaction(place.sessions) as session:
        title = dict.fromkeys(("ru", "zh", "en"), f"Outage-{number}-")
        found = incidents.get_incident(session, incident)
        updates.edit_title(session, CLI, found, title, "ru", now=clock.now())
    place.publish(clock)


def publish_for_ever(place: Place, incident: str, number: int, clock: FrozenClock, ready: int) -> None:
    """The child's work. It never returns."""
    engine = make_engine(place.database_url)
    own = Place(place.folder, place.database_url, make_sessions(engine))
    os.write(ready, b"!")
    while True:
        number += 1
        count_on(own, incident, number, clock)


def files(mirror: Mirror) -> set[str]:
    """Everything that lies in the mirror, whole or not."""
    return {path.name for path in mirror.root.glob("blobs/*/*")}


@contextmanager
def publisher(place: Place, incident: str, number: int, clock: FrozenClock) -> Iterator[int]:
    """A real process that publishes one revision after the other, until it is killed without warning."""
    heard, ready = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            publish_for_ever(place, incident, number, clock, ready)
        finally:
            os._exit(1)
    try:
        assert readiness.select([heard], [], [], PATIENCE)[0], "the publisher began"
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(heard)
        os.close(ready)


def numbers(snapshot: Snapshot) -> set[int]:
    """Every number that any page, feed or document of the snapshot says."""
    found = [COUNTED.findall(body.decode()) for (_, form), body in snapshot.bodies.items() if form == ""]
    return {int(one) for each in found for one in each}


def test_a_publisher_killed_in_the_middle_leaves_one_whole_revision(sqlite_place: Place) -> None:
    """`kill -9` while it stores or mirrors: the disk shows the old revision or the new one, never a mixture of both."""
    place = sqlite_place
    incident = declare(place, now=NOW)
    count_on(place, incident, 0, FrozenClock(NOW))
    mirror, shown, chance = Mirror(place.folder / PUBLIC_FOLDER), [0], random.Random(7)
    place.sessions.kw["bind"].dispose()
    for kill in range(1, KILLS + 1):
        clock, revision = FrozenClock(NOW + kill * 2 * LEASE), mirror.manifest().revision
        with publisher(place, incident, kill * 1000, clock):
            if kill % 2:
                until(lambda: mirror.manifest().revision > revision, "it shows one")  # noqa: B023 -- waited for here
            before = files(mirror)
            until(lambda: files(mirror) - before, "it fills the mirror")  # noqa: B023 -- the same
            time.sleep(chance.uniform(0.0, 0.1))  # a moment of the writing, by chance
        snapshot = load(mirror)
        assert len(numbers(snapshot)) == 1
        assert not mirror.missing(snapshot.manifest)
        shown.append(numbers(snapshot).pop())
    assert shown == sorted(shown)
    assert len(set(shown)) > 2, "some of the publishers came far enough to show something"
    count_on(place, incident, 999_999, FrozenClock(NOW + timedelta(hours=1)))
    assert numbers(load(mirror)) == {999_999}


@contextmanager
def full_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No write below `folder` succeeds half-way through its first bytes, as on a disk without a free block."""
    real = os.fsync

    def full(handle: int) -> None:
        if Path(os.readlink(f"/proc/self/fd/{handle}")).is_relative_to(folder):
            os.ftruncate(handle, 0)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        yield


def test_a_full_disk_keeps_the_old_page_and_the_next_tick_heals(
    sqlite_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was declared stays declared; the page of before is whole until there is room again."""
    place, clock = sqlite_place, FrozenClock(NOW)
    incident = declare(place, now=NOW)
    count_on(place, incident, 1, clock)
    mirror = Mirror(place.folder / PUBLIC_FOLDER)
    with full_disk(mirror.root, monkeypatch):
        with pytest.raises(OSError, match="No space left"):
            count_on(place, incident, 2, clock)
        with pytest.raises(OSError, match="No space left"):
            place.publish(clock)
        assert numbers(load(mirror)) == {1}
        assert not list(mirror.root.rglob("*.part")), "nothing is left to fill the disk further"
    place.publish(clock)
    assert numbers(load(mirror)) == {2}


def test_a_process_that_may_write_no_more_tells_it_and_keeps_its_page(sqlite_place: Place) -> None:
    """A mirror without room: the command declares, says that the page waits, and the page of before stays."""
    place = sqlite_place
    declare(place)
    public = place.folder / PUBLIC_FOLDER
    with place.web() as client:
        before = client.get("/en/").body
        with no_room(public):
            told = place.run("incident", "declare", "--template", "billing_outage", "--json")
            assert told.returncode == 0, told.stderr
            assert "the page could not be published yet" in told.stderr
            assert "page.publish_failed" in told.stderr
            assert client.get("/en/").body == before
        place.publish()
        until(lambda: client.get("/en/").body != before, "the next tick heals")
        check_whole(client, Mirror(public))


@contextmanager
def no_room(folder: Path) -> Iterator[None]:
    """Where blobs and manifests go stands a plain file, which refuses every new one, for root too."""
    aside = folder.with_name("aside")
    manifest, blobs = folder / "manifest.json", folder / "blobs"
    aside.mkdir()
    blobs.rename(aside / "blobs")
    blobs.write_bytes(b"")
    try:
        assert manifest.exists()
        yield
    finally:
        blobs.unlink()
        (aside / "blobs").rename(blobs)


def check_whole(client: Client, mirror: Mirror) -> None:
    try:
        snapshot = load(mirror)
    except BrokenMirror as error:
        pytest.fail(str(error))
    for path in snapshot.pages:
        assert client.get(path).status in (200, 404), path
