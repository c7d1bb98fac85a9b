"""The state as a small picture for other people's pages: a word and a shape before a colour."""

from __future__ import annotations

from markupsafe import Markup

from statuspage.domain.component import Indicator
from statuspage.publish.reader import Reader

_COLOUR = {
    Indicator.NONE: "#1a6b3c",
    Indicator.MINOR: "#7a5200",
    Indicator.MAJOR: "#a34700",
    Indicator.CRITICAL: "#b3001b",
    Indicator.MAINTENANCE: "#1f5fa8",
}
_SHAPE = {
    Indicator.NONE: "M13 6a4 4 0 1 1 0 8a4 4 0 1 1 0-8z",
    Indicator.MINOR: "M13 6a4 4 0 0 0 0 8z",
    Indicator.MAJOR: "M13 5.5l5 9h-10z",
    Indicator.CRITICAL: "M9 6h8v8h-8z",
    Indicator.MAINTENANCE: "M13 5l5 5-5 5-5-5z",
}
_WIDE, _NARROW = 12.0, 6.6  # of a glyph at 11 px, on the generous side: no font can be measured here


def badge(reader: Reader) -> bytes:
    """SVG, 20 px high: the operator's name and the page's state in the reader's language."""
    indicator = reader.headline.indicator
    name, said = reader.view.operator.name, reader.plain(f"shape.{indicator}")
    left, right = round(_width(name)) + 14, round(_width(said)) + 32
    svg = Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="20" viewBox="0 0 {total} 20" '
        'role="img" aria-label="{label}"><title>{label}</title><path fill="#30363c" d="M0 0h{left}v20H0z"/>'
        '<path fill="{colour}" d="M{left} 0h{right}v20H{left}z"/>'
        '<g fill="#fff" font-family="system-ui,sans-serif" font-size="11"><text x="7" y="14">{name}</text>'
        '<g transform="translate({left} 0)"><path d="{shape}"/><text x="24" y="14">{said}</text></g></g></svg>\n'
    ).format(
        total=left + right,
        left=left,
        right=right,
        label=f"{name}: {said}",
        name=name,
        said=said,
        colour=_COLOUR[indicator],
        shape=_SHAPE[indicator],
    )
    return svg.encode()


def _width(text: str) -> float:
    return sum(_WIDE if ord(glyph) > 0x2E7F else _NARROW for glyph in text)
