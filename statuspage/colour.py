"""Contrast of the operator's brand colours, measured as WCAG 2.2 defines it."""

from __future__ import annotations

import re

LIGHT_GROUND = "#ffffff"  # the page's background in the light scheme
DARK_GROUND = "#14171a"  # and in the dark one; the stylesheet uses the same two
CONTROL_CONTRAST = 4.5  # WCAG 2.2, 1.4.3 (AA)

_HEX = re.compile(r"#[0-9a-f]{6}")


def parse_colour(text: str) -> str:
    """Return `text` as lower-case #rrggbb; ValueError when it is not that."""
    colour = text.strip().lower()
    if not _HEX.fullmatch(colour):
        raise ValueError(f"{text.strip()!r} is not a colour; write it as #rrggbb")
    return colour


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two #rrggbb colours, 1.0 to 21.0 (WCAG 2.2, "contrast ratio")."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)
