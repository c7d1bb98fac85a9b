"""What a person wrote, before it is kept."""

from __future__ import annotations

import pytest

from statuspage.domain.errors import RuleError
from statuspage.services import wording


@pytest.mark.parametrize("nothing", ["\u00ad", "\u2060", "\ufeff", "\u115f", "\u3164", "\U000e0041"])
def test_what_nobody_sees_is_left_out(nothing: str) -> None:
    """It came along with a pasted text; an urgent one is not refused for it, and no two texts only look the same."""
    assert wording.line(f"Pay{nothing}ments{nothing}", "title", 20) == "Payments"


def test_every_kind_of_break_is_a_break() -> None:
    """Separators of lines and paragraphs break lines in some programs only."""
    assert wording.line("one\u2028two\u2029three\r\nfour", "body", 40) == "one\ntwo\nthree\nfour"


@pytest.mark.parametrize("mark", ["\u200e", "\u200f", "\u061c", "\u202e", "\u2066", "\x07"])
def test_marks_that_turn_the_direction_are_refused(mark: str) -> None:
    """They can make one text read as another."""
    with pytest.raises(RuleError) as refused:
        wording.line(f"Pay{mark}ments", "title", 20)
    assert f"U+{ord(mark):04X}" in refused.value.message
    assert wording.line("👨\u200d👩\u200d👧", "title", 20) == "👨\u200d👩\u200d👧"
