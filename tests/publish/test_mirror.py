from __future__ import annotations

import errno
import hashlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from statuspage.publish.manifest import Entry, Manifest
from statuspage.publish.mirror import KEEP_UNUSED, BrokenMirror, Mirror
from statuspage.publish.site import Site, compress, render
from tests.publish import views

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def fill(mirror: Mirror, site: Site) -> Manifest:
    manifest = site.manifest()
    missing = mirror.missing(manifest)
    for artifact in site.artifacts.values():
        if artifact.sha256 in missing:
            packed = compress(artifact.body)
            forms = {"": artifact.body}
            if artifact.encodings:
                forms |= {"gzip": packed.gzip, "br": packed.brotli}
            mirror.store(artifact.sha256, forms)
    return manifest


def simple(revision: int, body: bytes) -> tuple[Manifest, str]:
    sha256 = hashlib.sha256(body).hexdigest()
    entry = Entry(sha256, "text/plain; charset=utf-8", "data", ())
    return Manifest(revision, NOW, ("en",), "en", (), {"data": ()}, {"/en/": entry}), sha256


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    """After the switch another reader finds the manifest and every blob in every encoding."""
    mirror = Mirror(tmp_path)
    site = render(views.OUTAGE)
    manifest = fill(mirror, site)
    assert mirror.switch(manifest)
    other = Mirror(tmp_path)
    assert other.manifest() == manifest
    assert not other.missing(manifest)
    for path, entry in manifest.entries.items():
        assert other.read(entry.sha256) == site.artifacts[path].body


def test_an_older_revision_never_replaces_a_newer_one(tmp_path: Path) -> None:
    """Two publishers on one host leave the newest page whatever the order of their writing."""
    mirror = Mirror(tmp_path)
    for revision, switched in ((2, True), (1, False), (2, False), (3, True)):
        manifest, sha256 = simple(revision, str(revision).encode())
        mirror.store(sha256, {"": str(revision).encode()})
        assert mirror.switch(manifest) is switched
    assert mirror.manifest().revision == 3


def test_a_full_disk_leaves_the_old_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails half-way removes its own rest, and the manifest still names whole blobs."""
    mirror = Mirror(tmp_path)
    manifest, sha256 = simple(1, b"old")
    mirror.store(sha256, {"": b"old"})
    mirror.switch(manifest)

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    newer, new_sha256 = simple(2, b"new")
    with pytest.raises(OSError, match="No space"):
        mirror.store(new_sha256, {"": b"new"})
    with pytest.raises(OSError, match="No space"):
        mirror.switch(newer)
    assert mirror.manifest().revision == 1
    assert mirror.read(sha256) == b"old"
    assert not list(tmp_path.rglob("*.part"))


def test_a_writer_killed_before_the_switch_leaves_the_old_page(tmp_path: Path) -> None:
    """Blobs without a manifest change nothing for readers, and a torn blob is stored again."""
    mirror = Mirror(tmp_path)
    manifest, sha256 = simple(1, b"old")
    mirror.store(sha256, {"": b"old"})
    mirror.switch(manifest)
    newer, new_sha256 = simple(2, b"new")
    part = tmp_path / "blobs" / new_sha256[:2] / f".{new_sha256}.1.part"
    part.parent.mkdir(parents=True, exist_ok=True)
    part.write_bytes(b"n")
    assert Mirror(tmp_path).manifest().revision == 1
    assert mirror.missing(newer) == {new_sha256}


def test_a_damaged_blob_is_found_out(tmp_path: Path) -> None:
    """Bytes that are not what their name says are never served."""
    mirror = Mirror(tmp_path)
    _, sha256 = simple(1, b"whole")
    mirror.store(sha256, {"": b"whole"})
    (tmp_path / "blobs" / sha256[:2] / sha256).write_bytes(b"torn")
    with pytest.raises(BrokenMirror):
        mirror.read(sha256)


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b'{"format": 99}'])
def test_a_missing_or_unreadable_manifest_is_a_broken_mirror(tmp_path: Path, content: bytes | None) -> None:
    """Whatever stands in the manifest file, a reader gets one error it can answer."""
    if content is not None:
        (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(BrokenMirror):
        Mirror(tmp_path).manifest()


def test_blobs_that_no_page_names_go_after_a_while(tmp_path: Path) -> None:
    """What the manifest names stays, what was stored lately stays, the rest is collected."""
    mirror = Mirror(tmp_path)
    bodies = {name: simple(1, name.encode()) for name in ("shown", "fresh", "old")}
    for name, (_, sha256) in bodies.items():
        mirror.store(sha256, {"": name.encode()})
        age = 0 if name == "fresh" else 2
        stamp = (NOW - age * KEEP_UNUSED).timestamp()
        os.utime(tmp_path / "blobs" / sha256[:2] / sha256, (stamp, stamp))
    mirror.switch(bodies["shown"][0])
    assert mirror.collect(NOW + timedelta(minutes=1)) == 1
    assert mirror.missing(bodies["shown"][0]) == set()
    assert mirror.missing(bodies["fresh"][0]) == set()
    assert mirror.missing(bodies["old"][0]) == {bodies["old"][1]}
