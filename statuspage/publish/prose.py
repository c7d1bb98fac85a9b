"""Text that people wrote, as HTML: Markdown without raw HTML, cleaned once more: no text can script a reader."""

from __future__ import annotations

import re
from functools import cache

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

_TAGS = {"p", "br", "ul", "ol", "li", "strong", "em", "a", "code", "blockquote"}


_DIAL_CODE = re.compile(r"(?<!\\)\*\d+(?:\*[^\s*#]+)*#")
"""*100#, *105*code#: Markdown would take its asterisks for emphasis and print a number nobody can dial."""


@cache
def _markdown() -> MarkdownIt:
    # Headings, rules, tables and pictures would break the page's own order, so they stay plain text.
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": 12})
    return parser.disable(["image", "heading", "lheading", "hr", "html_block", "html_inline", "reference", "code"])


def prose(text: str) -> Markup:
    """HTML of a text written by a person; safe to put into a page or a feed as it is."""
    html = _markdown().render(_DIAL_CODE.sub(lambda code: code[0].replace("*", r"\*"), text))
    return Markup(  # noqa: S704 -- cleaned by nh3 in the same breath
        nh3.clean(
            html,
            tags=_TAGS,
            attributes={"a": {"href"}},
            url_schemes={"https", "http", "mailto", "tel"},
            link_rel="nofollow noopener noreferrer",
        ).strip()
    )
