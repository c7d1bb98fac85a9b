"""Addresses that stand in a text as they are, made into links that show all of where they lead."""

from __future__ import annotations

import re

from linkify_it import LinkifyIt

_HAN = r"\u2e80-\uffef\U00020000-\U0003ffff"
_END = (
    r'\s<>"`\x00-\x1f\x7f-\xbf\u2000-\u206f\u3000-\u3004\u3008-\u3020\u3030\ufe10-\ufe6f'
    r"\uff00-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
)

_LONGEST = 2000
_REST = rf"//(?:(?![{_END}])(?:[^{_HAN}]|(?<=[/?&=#._%+~{_HAN}-])[{_HAN}])){{1,{_LONGEST}}}"
ADDRESS = rf"(?i:https?):{_REST}"
"""What may be an address. Typographic and full-width marks end it, which the library takes for the path's; so does
Chinese right after a Latin letter or digit, for there the sentence goes on without a space."""

_RUN = re.compile(_REST)
# What stands before an "@" would look like the host and is none; browsers read "\" as "/", Markdown as an escape.
_HIDES_HOST = re.compile(r"//[^/?#]*@|.*\\")
_TAIL = "*.,:;!?"
"""Of the sentence or of its emphasis."""
_CUT_INSIDE = re.compile(r"[.:%]+[\w/]")
_HOST = re.compile(r"//(?:[A-Za-z0-9.-]|[^\x00-\x7f])+(?::\d+)?(?:[/?#]|\Z)")


class Addresses:
    """What markdown-it-py asks, as it reads, for the address at a place; linkify-it-py knows what an address is."""

    def __init__(self) -> None:
        self._library = LinkifyIt()
        self.finder = LinkifyIt().add("http:", {"validate": self._length}).add("https:", "http:").add("ftp:", None)

    def _length(self, text: str, place: int) -> int:
        """Of the address whose "//" is at `place`; 0 when nobody should follow it, or only a part of it is one."""
        run = _RUN.match(text, place)
        if run is None or len(run[0]) > _LONGEST or _HIDES_HOST.match(run[0]):
            return 0
        length: int = self._library.test_schema_at(run[0], "https:", 0)
        found = run[0][:length].rstrip(_TAIL)
        return len(found) if _HOST.match(found) and not _CUT_INSIDE.match(run[0][length:]) else 0
