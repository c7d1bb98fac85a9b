"""The published side as plain files, for any static host or a CDN's object store."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from statuspage.publish.manifest import LOST
from statuspage.publish.site import Site


def write_files(site: Site, target: Path) -> int:
    """Write every path of `site` below `target`, each file replaced whole. A page becomes `path/index.html`."""
    mask = os.umask(0o022)  # what is written here is for everybody, unlike all else this process keeps
    try:
        return _write(site, target)
    finally:
        os.umask(mask)


def _write(site: Site, target: Path) -> int:
    target.mkdir(parents=True, exist_ok=True)
    default = site.view.operator.default_locale
    count = 0
    for path, artifact in site.artifacts.items():
        _replace(target / _file_name(path, artifact.content_type), artifact.body)
        count += 1
    home = site.artifacts.get(f"/{default}/")
    if home is not None and "/" not in site.artifacts:
        _replace(target / "index.html", home.body)
        count += 1
    return count


def _file_name(path: str, content_type: str) -> str:
    relative = path.lstrip("/")
    if path.endswith(LOST):
        return relative + ".html"
    if content_type.startswith("text/html"):
        return f"{relative.rstrip('/')}/index.html".lstrip("/")
    return relative


def _replace(file: Path, body: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=".new-")
    with os.fdopen(descriptor, "wb") as out:
        out.write(body)
        os.fchmod(out.fileno(), 0o644)
    os.replace(name, file)
