"""Text that people wrote, as HTML: Markdown without raw HTML, cleaned once more: no text can script a reader."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markupsafe import Markup

from statuspage.publish.bare_links import link_addresses

TOP_LEVEL = 3
"""Of a text's own headings: levels one and two are the page's."""

_HEADINGS = {f"h{level}" for level in range(TOP_LEVEL, 7)}
_TABLE = {"table", "thead", "tbody", "tr", "th", "td"}
_TAGS = (
    {"p", "br", "hr", "ul", "ol", "li", "strong", "em", "a", "code", "pre", "blockquote", "div"} | _HEADINGS | _TABLE
)

_DIAL_CODE = re.compile(r"(?<!\\)\*\d+(?:\*[^\s*#]+)*#")
"""*100#, *105*code#: Markdown would take its asterisks for emphasis and print a number nobody can dial."""


@cache
def _markdown() -> MarkdownIt:
    # A line of dashes under a sentence is meant as a rule, not as the sentence's becoming a heading; pictures would
    # break the page's own order, so they stay plain text.
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": 12}).enable("table")
    parser.disable(["image", "lheading", "html_block", "html_inline", "reference", "code"])
    parser.core.ruler.push("link_addresses", link_addresses)
    parser.core.ruler.push("fit_into_page", _fit_into_page)
    return parser


def prose(text: str) -> Markup:
    """HTML of a text written by a person; safe to put into a page, a mail or a feed as it is."""
    html = _markdown().render(_DIAL_CODE.sub(lambda code: code[0].replace("*", r"\*"), text))
    return Markup(  # noqa: S704 -- cleaned by nh3 in the same breath
        nh3.clean(
            html,
            tags=_TAGS,
            attributes={"a": {"href"}, "div": {"tabindex"}},
            allowed_classes={"div": {"wide"}, "th": {"right"}, "td": {"right"}},
            url_schemes={"https", "http", "mailto", "tel"},
            link_rel="nofollow noopener noreferrer",
            attribute_filter=_own_or_named,
        ).strip()
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
