from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.text import Encoding, count, encoding_of, normalise, segments_at_most, split, units_of

GSM, UCS = Encoding.GSM7, Encoding.UCS2
MIXED = st.text(st.sampled_from("aё€[計Я@\n😀Ç'`"), max_size=400) | st.text(max_size=300)


@pytest.mark.parametrize(
    ("text", "encoding", "units", "segments"),
    [
        ("a" * 160, GSM, 160, 1),
        ("a" * 161, GSM, 161, 2),
        ("a" * 306, GSM, 306, 2),
        ("a" * 307, GSM, 307, 3),
        ("€" * 80, GSM, 160, 1),
        ("€" * 81, GSM, 162, 2),
        ("a" * 152 + "€" + "b" * 151, GSM, 305, 2),
        ("a" * 152 + "€" + "b" * 152, GSM, 306, 3),
        ("я" * 70, UCS, 70, 1),
        ("я" * 71, UCS, 71, 2),
        ("я" * 134, UCS, 134, 2),
        ("я" * 135, UCS, 135, 3),
        ("😀" * 35, UCS, 70, 1),
        ("😀" * 36, UCS, 72, 2),
        ("я" * 66 + "😀" + "я" * 66, UCS, 134, 3),
        ("计" * 70, UCS, 70, 1),
        ("计" * 71, UCS, 71, 2),
        ("\r\n", GSM, 2, 1),
        ("\f", GSM, 2, 1),
        ("Ω", GSM, 1, 1),
        ("Ç", GSM, 1, 1),
        ("é", GSM, 1, 1),
        ("ç", UCS, 1, 1),
        ("`", UCS, 1, 1),
        ("\t", UCS, 1, 1),
        ("\u00a0", UCS, 1, 1),
        ("\u00b5", UCS, 1, 1),
        ("e\u0301", UCS, 2, 1),
        ("It’s “ok”…", UCS, 10, 1),
        ("ё₽₸", UCS, 3, 1),
        ("👨\u200d👩\u200d👧\u200d👦", UCS, 11, 1),
        ("🇷🇺", UCS, 4, 1),
        ("", GSM, 0, 1),
    ],
)
def test_counts_as_the_reference_counters_do(text: str, encoding: Encoding, units: int, segments: int) -> None:
    """Every vector on which Twilio's calculator, smsutil and a counter written apart agree is counted alike."""
    assert count(text) == (encoding, units, segments)


def test_composing_a_text_saves_its_encoding() -> None:
    """A decomposed é makes a text UCS-2 and the composed one does not."""
    assert encoding_of(normalise("cafe\u0301")) is GSM


@given(MIXED)
def test_splitting_loses_nothing_and_fills_no_segment_over(text: str) -> None:
    """The parts joined are the text, each fits its segment, and their number is the count."""
    parts = split(text)
    encoding, units, segments = count(text)
    limit = encoding.single if len(parts) == 1 else encoding.concatenated
    assert "".join(parts) == text
    assert len(parts) == segments
    assert all(units_of(part, encoding) <= limit for part in parts)
    assert sum(units_of(part, encoding) for part in parts) == units


@given(MIXED)
def test_no_pair_is_cut(text: str) -> None:
    """Every part of a UCS-2 text is whole UTF-16 by itself."""
    for part in split(text):
        assert part.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass") == part


@given(MIXED, st.integers(0, 50))
def test_the_upper_bound_holds_for_every_shorter_text(text: str, more: int) -> None:
    """A text of at most so many units never takes more segments than the bound says."""
    encoding, units, segments = count(text)
    assert segments <= segments_at_most(units + more, encoding)


@given(MIXED)
def test_a_text_never_takes_more_in_gsm_than_the_bound_in_ucs2(text: str) -> None:
    """The bound in UCS-2 over UTF-16 units also covers a text that turns out to be GSM-7."""
    assert count(text).segments <= segments_at_most(units_of(text, UCS), UCS)
