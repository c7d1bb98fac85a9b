from __future__ import annotations

import pytest

from notifiers.base import Keyword
from notifiers.keywords import WORDS, keyword


@pytest.mark.parametrize(
    ("body", "meaning"),
    [
        ("STOP", Keyword.STOP),
        (" stop.\n", Keyword.STOP),
        ("СТОП", Keyword.STOP),
        ("«Стоп»!", Keyword.STOP),
        ("退订", Keyword.STOP),
        ("退订。", Keyword.STOP),
        ("ＳＴＯＰ", Keyword.STOP),
        ("Start", Keyword.START),
        ("СТАРТ", Keyword.START),
        ("订阅", Keyword.START),
        ("помощь", Keyword.HELP),
        ("HELP", Keyword.HELP),
        ("stop please", None),
        ("не стоп", None),
        ("stopping", None),
        ("", None),
        ("STOP " * 100, None),
    ],
)
def test_only_a_whole_message_is_a_word(body: str, meaning: Keyword | None) -> None:
    """A word alone means something in three languages, within a sentence it means nothing."""
    assert keyword(body) is meaning


def test_no_word_means_two_things() -> None:
    """The three lists share no word."""
    every = [word for words in WORDS.values() for word in words]
    assert len(every) == len(set(every))
