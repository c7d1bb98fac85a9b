"""Segments as Twilio's own calculator counts them."""

from __future__ import annotations

import random

import pytest

from notifiers.text import Encoding, count, normalise
from tests.proof.peers import ask

NAMES = {"GSM-7": Encoding.GSM7, "UCS-2": Encoding.UCS2}
VECTORS = {
    "letters": ["a" * n for n in (0, 1, 159, 160, 161, 306, 307, 1530, 1531)],
    "euro": ["€" * n for n in (79, 80, 81, 152, 153)] + ["a" * 152 + "€" + "b" * n for n in (150, 151, 152)],
    "cyrillic": ["я" * n for n in (69, 70, 71, 134, 135, 201, 202)],
    "emoji": ["😀" * n for n in (34, 35, 36, 66, 67)] + ["я" * 66 + "😀" + "я" * n for n in (65, 66, 67)],
    "chinese": ["计" * n for n in (70, 71, 134, 135)],
    "single": [*"çÇ`\t\f\r\nΩµё₽₸’“”…", "\u00a0", "e\u0301", "é", "👨‍👩‍👧‍👦", "🏴", "🇷🇺", "\r\n", "It’s “ok”…"],
}
GSM = "@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCXYZÄÖÑÜ§¿abcxyzäöñüà\n\f^{}\\[~]|€"
CYRILLIC = "абвгдеёжзийклмнопрстуфхцчшщъыьэюяАБВГДЕЁЖЗ ,.—«»0123456789"
CHINESE = "缴费和余额查询暂不可用充值、，。通话短信上网正常恢复"
EMOJI = "😀🚀🎉📱🔥"
TEXTS = 2000


def texts(seed: int) -> list[str]:
    """Texts of each alphabet and of all together, most of them near the length where a segment ends."""
    chance = random.Random(seed)
    alphabets = (GSM, CYRILLIC, CHINESE, EMOJI + "абв", GSM + CYRILLIC + CHINESE + EMOJI)
    edges = (1, 35, 66, 67, 70, 134, 140, 153, 160, 201, 268, 306, 459)
    made = []
    for number in range(TEXTS):
        length = max(0, chance.choice(edges) + chance.randint(-4, 4))
        made.append("".join(chance.choices(alphabets[number % len(alphabets)], k=length)))
    return made


def disagreements(written: list[str]) -> list[tuple[str, object, object]]:
    """What is handed over, so the composed form, as both see it. (The calculator itself composes nothing.)"""
    handed = [normalise(text) for text in written]
    pairs = zip(handed, map(count, handed), ask("segments.mjs", handed), strict=True)
    return [
        (text, ours, one)
        for text, ours, one in pairs
        if (ours.encoding, ours.units, ours.segments) != (NAMES[one["encoding"]], one["units"], one["segments"])
    ]


@pytest.mark.parametrize("kind", VECTORS)
def test_known_texts_are_counted_alike(kind: str) -> None:
    """At every edge of a segment both say the same encoding, units and segments."""
    assert disagreements(VECTORS[kind]) == []


def test_random_texts_are_counted_alike() -> None:
    """Two thousand texts of GSM, Cyrillic, Chinese, emoji and all mixed are counted alike."""
    assert disagreements(texts(seed=1)) == []
