"""The stand-ins' own book of what they took, for an auditor to compare with ours."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


class Ledger:
    """JSON lines, each one written through before the message is answered for; readable by its owner only."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, entry: dict[str, Any]) -> None:
        os.write(self._descriptor, json.dumps(entry, ensure_ascii=False).encode() + b"\n")

    def close(self) -> None:
        os.close(self._descriptor)
