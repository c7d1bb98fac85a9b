"""The console's own files: one stylesheet and htmx, addressed by what is in them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, Flask, Response, abort, current_app, url_for
from flask.typing import ResponseReturnValue

from statuspage.config import Settings
from statuspage.web.access import access

STATIC = Path(__file__).parents[1] / "static"
NAMES = {"console.css": "text/css; charset=utf-8", "htmx.min.js": "text/javascript; charset=utf-8"}
FOREVER = "public, max-age=31536000, immutable"
EXTENSION = "statuspage.assets"

blueprint = Blueprint("static", __name__, url_prefix="/static")


@dataclass(frozen=True)
class Asset:
    body: bytes
    content_type: str
    digest: str


def load(app: Flask, settings: Settings) -> None:
    """Read the files once, the operator's colours put before the stylesheet."""
    light, dark = settings.brand_colours
    colours = f":root{{--brand-light:{light};--brand-dark:{dark}}}\n".encode()
    found = {}
    for name, content_type in NAMES.items():
        body = (STATIC / name).read_bytes()
        body = colours + body if name.endswith(".css") else body
        found[name] = Asset(body, content_type, hashlib.sha256(body).hexdigest()[:12])
    app.extensions[EXTENSION] = found


def address(name: str) -> str:
    """The asset's address, which changes whenever its bytes do."""
    return url_for("static.asset", digest=_assets()[name].digest, name=name)


@blueprint.get("/<digest>/<name>")
@access.public
def asset(digest: str, name: str) -> ResponseReturnValue:
    found = _assets().get(name)
    if found is None:
        abort(404)
    answer = Response(found.body, content_type=found.content_type)
    answer.headers["Cache-Control"] = FOREVER if digest == found.digest else "no-cache"
    return answer


def _assets() -> dict[str, Asset]:
    found: dict[str, Asset] = current_app.extensions[EXTENSION]
    return found
