"""What a revision consists of: every public path with the hash of its bytes and the headers they are sent with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

FORMAT = 1

LOST = "/404"
"""The page, below each locale, for whoever asks for one that does not exist."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One path. `kind` names its set of headers; `encodings` the compressed forms that exist beside the plain bytes."""

    sha256: str
    content_type: str
    kind: str
    encodings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """`negotiated` are the paths without a locale that are answered in the reader's own language."""

    revision: int
    as_of: datetime
    locales: tuple[str, ...]
    default_locale: str
    negotiated: tuple[str, ...]
    headers: Mapping[str, tuple[tuple[str, str], ...]]
    entries: Mapping[str, Entry]

    def blobs(self) -> set[str]:
        return {entry.sha256 for entry in self.entries.values()}

    def document(self) -> dict[str, Any]:
        """As JSON stores it."""
        return {
            "format": FORMAT,
            "revision": self.revision,
            "as_of": self.as_of.isoformat(),
            "locales": list(self.locales),
            "default_locale": self.default_locale,
            "negotiated": list(self.negotiated),
            "headers": {kind: [list(pair) for pair in pairs] for kind, pairs in self.headers.items()},
            "entries": {
                path: [entry.sha256, entry.content_type, entry.kind, list(entry.encodings)]
                for path, entry in self.entries.items()
            },
        }

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Manifest:
        """The manifest of a stored document; ValueError when another version of the product wrote it."""
        if document.get("format") != FORMAT:
            raise ValueError(f"manifest format {document.get('format')!r} is not {FORMAT}; publish again")
        return cls(
            revision=int(document["revision"]),
            as_of=datetime.fromisoformat(document["as_of"]),
            locales=tuple(document["locales"]),
            default_locale=document["default_locale"],
            negotiated=tuple(document["negotiated"]),
            headers={
                kind: tuple((name, value) for name, value in pairs) for kind, pairs in document["headers"].items()
            },
            entries={
                path: Entry(sha256, content_type, kind, tuple(encodings))
                for path, (sha256, content_type, kind, encodings) in document["entries"].items()
            },
        )
