"""Text that people wrote, as HTML: Markdown without raw HTML, cleaned once more: no text can script a reader."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from html import escape

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markupsafe import Markup

from statuspage.publish.bare_links import ADDRESS, Addresses

TOP_LEVEL = 3
"""Of a text's own headings: levels one and two are the page's."""

_HEADINGS = {f"h{level}" for level in range(TOP_LEVEL, 7)}
_TABLE = {"table", "thead", "tbody", "tr", "th", "td"}
_TAGS = (
    {"p", "br", "hr", "ul", "ol", "li", "strong", "em", "a", "code", "pre", "blockquote", "div"} | _HEADINGS | _TABLE
)

_DIAL_CODE = re.compile(rf"{ADDRESS}|((?<!\\)\*\d+(?:\*[^\s*#]+)*#)")
"""*100#, *105*code#: Markdown would take its asterisks for emphasis and print a number nobody can dial."""

_HOST = re.compile(r"https?://[^/?#@]+(?=[/?#]|$)", re.IGNORECASE)


class _Markdown(MarkdownIt):
    """Addresses are shown as written: decoded, a host could look like another's."""

    def normalizeLink(self, url: str) -> str:  # noqa: N802 -- markdown-it's own name
        return super().normalizeLink(_HOST.sub(lambda host: host[0].lower(), url))

    def normalizeLinkText(self, link: str) -> str:  # noqa: N802 -- the same
        return link

    def validateLink(self, url: str) -> bool:  # noqa: N802 -- the same
        """An address that the cleaner would take away makes no link."""
        return "href=" in _clean(f'<a href="{escape(url)}">')


@cache
def _markdown() -> MarkdownIt:
    # A line of dashes under a sentence is meant as a rule, not as the sentence's becoming a heading; pictures would
    # break the page's own order, so they stay plain text.
    parser = _Markdown("commonmark", {"html": False, "breaks": True, "linkify": True, "maxNesting": 12}).enable("table")
    parser.disable(["image", "lheading", "html_block", "html_inline", "reference", "code"])
    parser.linkify = Addresses().finder
    parser.inline.ruler.enable("linkify")
    parser.core.ruler.push("fit_into_page", _fit_into_page)
    return parser


def prose(text: str) -> Markup:
    """HTML of a text written by a person; safe to put into a page, a mail or a feed as it is."""
    html = _markdown().render(_DIAL_CODE.sub(_kept, text))
    return Markup(_clean(html).strip())  # noqa: S704 -- cleaned in the same breath


def _kept(found: re.Match[str]) -> str:
    return found[1].replace("*", r"\*") if found[1] else found[0]


def _clean(html: str) -> str:
    return nh3.clean(
        html,
        tags=_TAGS,
        attributes={"a": {"href"}, "div": {"tabindex"}},
        allowed_classes={"div": {"wide"}, "th": {"right"}, "td": {"right"}},
        url_schemes={"https", "http", "mailto", "tel"},
        link_rel="nofollow noopener noreferrer",
        attribute_filter=_own_or_named,
    )


def _own_or_named(_tag: str, attribute: str, value: str) -> str | None:
    """A link leads to a page of ours or names its scheme; `//another.example` looks like the one and is the other."""
    return None if attribute == "href" and value.startswith("//") else value


def _fit_into_page(state: StateCore) -> None:
    levels = [int(token.tag[1]) for token in state.tokens if token.type == "heading_open"]
    state.tokens = list(_fitted(state.tokens, TOP_LEVEL - min(levels, default=0)))


def _fitted(tokens: list[Token], lower: int) -> Iterator[Token]:
    """Headings `lower` by so many levels, without the empty ones, and each table in a box that scrolls."""
    for place, token in enumerate(tokens):
        if token.type in ("heading_open", "heading_close"):
            inline = tokens[place + (1 if token.nesting > 0 else -1)]
            if inline.content.strip():
                token.tag = f"h{min(int(token.tag[1]) + lower, 6)}"
                yield token
            continue
        if token.type == "table_open":
            yield Token("table_box_open", "div", 1, attrs={"class": "wide", "tabindex": "0"}, block=True)
        if token.attrs.pop("style", None) == "text-align:right":
            token.attrs["class"] = "right"
        yield token
        if token.type == "table_close":
            yield Token("table_box_close", "div", -1, block=True)
