"""The published bytes on this host's disk: blobs by their hash, and one manifest that is replaced in a single step.

Whatever kills the writer, the manifest names only blobs that are whole and on disk: the old page goes on being served.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from statuspage.publish.manifest import Manifest

PUBLIC_FOLDER = "public"
"""Below DATA_DIR."""

MANIFEST = "manifest.json"
SUFFIX = {"": "", "gzip": ".gz", "br": ".br"}

# Longer than any reader needs to load a manifest it has just opened.
KEEP_UNUSED = timedelta(hours=1)


class BrokenMirror(Exception):
    """No whole snapshot: no manifest, one that cannot be read, or a blob that is not what its name says."""


class Mirror:
    """A directory that one writer at a time fills and any number of processes read."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.manifest_path = root / MANIFEST

    def missing(self, manifest: Manifest) -> set[str]:
        """The blobs of `manifest` that are not here yet in every encoding."""
        wanted = {(entry.sha256, form) for entry in manifest.entries.values() for form in ("", *entry.encodings)}
        return {sha256 for sha256, form in wanted if not self._path(sha256, form).exists()}

    def store(self, sha256: str, forms: dict[str, bytes]) -> None:
        """Put the forms of one blob ("" plain, "gzip", "br") on the disk, durably."""
        for form, body in forms.items():
            self._replace(self._path(sha256, form), body)

    def switch(self, manifest: Manifest) -> bool:
        """Show `manifest` from now on; False when the disk already shows this revision or a later one."""
        with self._writing():
            current = self._current_revision()
            if current is not None and current >= manifest.revision:
                return False
            for folder in {self._path(sha256, "").parent for sha256 in manifest.blobs()}:
                _sync_folder(folder)
            body = json.dumps(manifest.document(), ensure_ascii=False, separators=(",", ":")).encode()
            self._replace(self.manifest_path, body)
            _sync_folder(self.root)
            return True

    def collect(self, now: datetime) -> int:
        """Remove blobs that the manifest does not name and nobody has stored lately; how many files went."""
        with self._writing():
            kept = self.manifest().blobs()
            stale = (now - KEEP_UNUSED).timestamp()
            removed = 0
            for path in self.root.glob("blobs/*/*"):
                if path.name.partition(".")[0] not in kept and path.stat().st_mtime < stale:
                    path.unlink(missing_ok=True)
                    removed += 1
            return removed

    def stamp(self) -> tuple[int, int] | None:
        """What tells one manifest file from the next, without opening it; None when there is none."""
        try:
            status = self.manifest_path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino

    def manifest(self) -> Manifest:
        """The manifest shown now; BrokenMirror when there is none that can be read."""
        try:
            return Manifest.parse(json.loads(self.manifest_path.read_bytes()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BrokenMirror(f"no readable manifest: {error.__class__.__name__}") from error

    def read(self, sha256: str, form: str = "") -> bytes:
        """The bytes of a blob; the plain ones are checked against their name."""
        try:
            body = self._path(sha256, form).read_bytes()
        except OSError as error:
            raise BrokenMirror(f"blob {sha256[:12]} cannot be read") from error
        if not form and hashlib.sha256(body).hexdigest() != sha256:
            raise BrokenMirror(f"blob {sha256[:12]} is not what its name says")
        return body

    def _current_revision(self) -> int | None:
        try:
            return self.manifest().revision
        except BrokenMirror:
            return None

    def _path(self, sha256: str, form: str) -> Path:
        return self.root / "blobs" / sha256[:2] / (sha256 + SUFFIX[form])

    def _replace(self, path: Path, body: bytes) -> None:
        """The whole new file or the whole old one, also after a power cut or on a full disk."""
        path.parent.mkdir(parents=True, exist_ok=True)
        # Threads of one web process may store one blob at once: the process id alone would name the same file for both.
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
        try:
            with temporary.open("wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
