"""Addresses that stand in a text as they are, made into links that show all of where they lead."""

from __future__ import annotations

import re
from collections.abc import Iterator

from markdown_it.rules_core import StateCore
from markdown_it.token import Token

_LETTER = r"[^\W\u2e80-\uffef]"
"""Of any script that puts spaces between words: where Chinese goes on right after it, the address has ended."""

# What stands before an "@" would look like the host and is none. A stop or a bracket at the end is the sentence's.
_ADDRESS = re.compile(
    r"(?<![A-Za-z0-9/@._-])https?://(?>[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*(?::\d{1,5})?)"
    rf"(?!{_LETTER}|[^\s/?#]*@)"
    rf"(?:[/?#](?:(?:{_LETTER}|[.~:/?#@!$&*+,;=%-])*(?:{_LETTER}|[/~#&=%-]))?)?"
)


def link_addresses(state: StateCore) -> None:
    """A core rule of markdown-it, to run when the text is joined; what is a link or code already stays as it is."""
    for token in state.tokens:
        if token.children and "://" in token.content:
            token.children = list(_linked(state, token.children))


def _linked(state: StateCore, tokens: list[Token]) -> Iterator[Token]:
    inside = 0
    for token in tokens:
        inside += token.nesting if token.type in ("link_open", "link_close") else 0
        if token.type == "text" and not inside:
            yield from _parts(state, token.content)
        else:
            yield token


def _parts(state: StateCore, text: str) -> Iterator[Token]:
    end = 0
    for found in _ADDRESS.finditer(text):
        yield _text(text[end : found.start()])
        yield Token("link_open", "a", 1, attrs={"href": state.md.normalizeLink(found[0])})
        yield _text(found[0])
        yield Token("link_close", "a", -1)
        end = found.end()
    yield _text(text[end:])


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)
