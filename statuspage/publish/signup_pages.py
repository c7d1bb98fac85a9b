"""The pages around a sign-up. They look like the published ones, but are made for one reader and never kept."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import cache

from markupsafe import Markup, escape

from statuspage import i18n
from statuspage.config import Settings
from statuspage.publish import html
from statuspage.publish.reader import Reader
from statuspage.publish.view import Colours, Operator, PageView

_BARE = frozenset({"sent", "too_many", "unsubscribed", "gone", "dead"})
"""Pages that only say something; they share a template."""


@cache
def _forms() -> str:
    return (html.STATIC / "form.css").read_text(encoding="utf-8").strip()


class Sentences:
    """Texts of the catalogue `subscribe`."""

    def __init__(self, locale: str) -> None:
        self._locale = locale

    def t(self, key: str, **values: object) -> Markup:
        """As HTML, every value escaped."""
        filled = i18n.fill(
            str(escape(i18n.template(self._locale, f"subscribe.{key}"))),
            {name: str(escape(value)) for name, value in values.items()},
        )
        return Markup(filled)  # noqa: S704 -- the text and every value went through escape()

    def plain(self, key: str) -> str:
        return i18n.gettext(self._locale, f"subscribe.{key}")


class SignupPages:
    """Needs settings only, so that it can also say that the database is dead."""

    def __init__(self, settings: Settings, now: datetime) -> None:
        self._colours = Colours(*settings.brand_colours)
        operator = Operator(
            page_id="",
            name=settings.brand_name or settings.operator_name,
            base_url=settings.base_url,
            time_zone=settings.time_zone,
            locales=settings.locales,
            default_locale=settings.default_locale,
            support_phone=settings.support_phone or None,
            colours=self._colours,
        )
        self._view = PageView(operator, revision=0, as_of=now, updated_at=now)

    def render(self, locale: str, name: str, path: str | None, facts: Mapping[str, object]) -> bytes:
        """`path` is the page's address without its locale, None when it has a token that must not be spread."""
        template = html.environment().get_template(f"public/subscribe/{'said' if name in _BARE else name}.html")
        return template.render(
            r=Reader(self._view, locale),
            s=Sentences(locale),
            view=self._view,
            path=path,
            page=name,
            style=Markup(self._style),  # noqa: S704 -- a file we ship
            script=Markup(html.script()),  # noqa: S704 -- a file we ship
            **facts,
        ).encode()

    @property
    def content_security_policy(self) -> str:
        """As strict as the published page's, with the forms' style."""
        digest = base64.b64encode(hashlib.sha256(self._style.encode()).digest()).decode()
        return html.content_security_policy(self._colours).replace("style-src ", f"style-src 'sha256-{digest}' ", 1)

    @property
    def _style(self) -> str:
        return f"{html.style(self._colours)}\n{_forms()}"
