"""A page as a browser takes it: what it would run or follow, and what it would show."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urlsplit

SCHEMES = {"", "http", "https", "mailto", "tel"}
OUR_PICTURE = "data:image/svg+xml,"


class Page(HTMLParser):
    """What a browser would run or follow, and what it would show."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.shown = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.shown += data

    def dangers(self) -> list[object]:
        scripted = [one for one in self.attributes if one[0].startswith("on") or one[0] == "srcdoc"]
        followed = [value for name, value in self.attributes if name in ("href", "src", "action", "formaction")]
        strange = [value for value in followed if urlsplit(value.strip()).scheme.lower() not in SCHEMES]
        return [*scripted, *(value for value in strange if not value.startswith(OUR_PICTURE))]


def plain(text: str) -> str:
    return " ".join(text.split())
