"""The key that signs links and hashes suppressed addresses, kept in DATA_DIR when none is given."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

MINIMUM_LENGTH = 32
_FILE = "secret_key"


def keep_secret_key(data_dir: Path) -> str:
    """Return the key kept in `data_dir`, made on the first call; processes that race agree on one.

    ValueError when the file is damaged or open to others; OSError when it cannot be read or written.
    """
    path = data_dir / _FILE
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        _make(path)
    if path.stat().st_mode & 0o077:
        raise ValueError(f"{path} can be read by others; run: chmod 600 {path}")
    key = path.read_text(encoding="ascii").strip()
    if len(key) < MINIMUM_LENGTH:
        raise ValueError(f"{path} is damaged; restore it from the backup (a new key voids links and suppressions)")
    return key


def _make(path: Path) -> None:
    # A link appears whole or not at all and never replaces another process's key.
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
