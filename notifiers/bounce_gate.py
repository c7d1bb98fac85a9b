"""What is looked at before a mail to the return path is parsed: anyone may post one, and parsing is dear.

The parser of the standard library costs lines times levels, recurses once a level, and reads the parameters of a
Content-Type in quadratic time. All three are bounded here on the raw bytes, by expressions that run in linear time.
"""

from __future__ import annotations

import re

LONGEST = 256_000
"""Bytes read; a report stands before the mail that it encloses, so the cut falls into the latter."""
MOST_LINES = 3_000
MOST_LEVELS = 10
"""Of either kind; a bounce has one or two of each."""
LONGEST_TYPE = 2_000
"""Bytes of one Content-Type, folded lines included."""
# Without either word before a slash the parser opens no level; the path of a URL is not taken for a type.
_LEVELS = (
    re.compile(rb"(?<![\w/.-])multipart/", re.IGNORECASE),
    re.compile(rb"(?<![\w/.-])message/", re.IGNORECASE),
)
_TYPE = re.compile(rb"content-type:[^\r\n]*(?:(?:\r\n|\r|\n)[ \t][^\r\n]*)*", re.IGNORECASE)


def head(raw: bytes) -> bytes:
    """The part of a mail that is read at all: whole lines, unless a single line is too long."""
    return b"".join(raw[:LONGEST].splitlines(keepends=True)[:MOST_LINES])


def bounded(mail: bytes) -> bool:
    """Whether parsing `mail` costs no more than a report of a bounce does."""
    return all(len(level.findall(mail)) <= MOST_LEVELS for level in _LEVELS) and all(
        len(found.group()) <= LONGEST_TYPE for found in _TYPE.finditer(mail)
    )
