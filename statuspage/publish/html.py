"""The public pages as HTML bytes: one file each, style and script inside, so that a cold visit is one request."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from statuspage.publish.reader import Reader
from statuspage.publish.view import Colours, IncidentView

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
STATIC = Path(__file__).resolve().parents[1] / "static"


@cache
def environment() -> Environment:
    """Jinja for files we ship. What an operator writes is data here, never a template."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )


def page(reader: Reader, name: str, path: str | None, incident: IncidentView | None = None) -> bytes:
    """`name` is the template; `path` the page's address without its locale, None for the page of lost readers."""
    template = environment().get_template(f"public/{name}.html")
    html = template.render(
        r=reader,
        view=reader.view,
        path=path,
        incident=incident,
        style=Markup(style(reader.view.operator.colours)),  # noqa: S704 -- our own stylesheet; colours are #rrggbb
        script=Markup(script()),  # noqa: S704 -- our own script
    )
    return html.encode()


@cache
def style(colours: Colours) -> str:
    brand = f":root{{--brand-light:{colours.light};--brand-dark:{colours.dark}}}\n"
    return brand + _asset("page.css")


@cache
def script() -> str:
    return _asset("page.js")


def content_security_policy(colours: Colours) -> str:
    """Nothing but what is inside the page: its own style and script, each by its hash, and forms to ourselves."""
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src '{_hash(style(colours))}'",
            f"script-src '{_hash(script())}'",
            "img-src 'self' data:",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'self'",
        )
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _asset(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8").strip()
