"""An uploaded subscriber file is read by a process of its own, so that a million rows never hold up a page.

The process takes its `Task` as JSON from standard input, and the settings from the environment.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from werkzeug.datastructures import FileStorage

from statuspage import logs
from statuspage.clock import Clock, SystemClock
from statuspage.config import Settings
from statuspage.db import Sessions, make_engine, make_sessions, transaction
from statuspage.domain.errors import RuleError
from statuspage.environment import load
from statuspage.services import leases, users
from statuspage.services.actor import of_user
from statuspage.services.people_import import Source, import_people
from statuspage.services.people_import_database import LEASE
from statuspage.services.people_import_file import PeopleFile
from statuspage.services.people_import_leftovers import UPLOADS, drop_uploads
from statuspage.web.wiring import Wiring

COPY_BYTES = 1 << 20
CHILD = f"from {__name__} import main; main()"
BEGINS_WITHIN = timedelta(minutes=1)
"""How long a process may take until it reads; one that has not begun by then was refused, or died."""

logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Task:
    """What to import for whom: the kept file, the name it came with, and the person's public id."""

    path: str
    name: str
    user: str
    dry_run: bool


def keep(upload: FileStorage, settings: Settings, now: datetime) -> Path:
    """Put the upload where only we read it, mode 0600; whoever imports it removes it. What a crash left goes now."""
    folder = settings.data_dir / UPLOADS
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    drop_uploads(settings, now)
    path = folder / f"{secrets.token_hex(12)}.csv"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        upload.save(file, buffer_size=COPY_BYTES)
    return path


def check(path: Path, wiring: Wiring, *, dry_run: bool) -> None:
    """Refuse at once what would be refused in the process: a header that cannot be read, or an import that runs."""
    with path.open("rb") as stream:
        PeopleFile(stream)
    if dry_run:
        return
    with wiring.reading() as session:
        if leases.held_until(session, LEASE, now=wiring.clock.now()) is not None:
            raise RuleError("people_import.running", "file: another import is running; wait until it is done.", "file")


def launch(task: Task) -> None:
    """Begin the import and return; its progress is in the database."""
    # The child leads its own session: a web worker that is replaced does not take a half-read file with it.
    child = subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE, start_new_session=True)
    if child.stdin is not None:
        child.stdin.write(json.dumps(asdict(task)).encode())
        child.stdin.close()


def run(task: Task, sessions: Sessions, settings: Settings, clock: Clock) -> None:
    """Import the file as the person who sent it, and remove it whatever comes of it."""
    path = Path(task.path)
    try:
        with transaction(sessions, read_only=True) as session:
            actor = of_user(users.get_user(session, task.user))
        with path.open("rb") as stream:
            source = Source(stream, task.name, path.stat().st_size)
            import_people(sessions, actor, source, settings, clock, dry_run=task.dry_run)
    except RuleError as refused:
        logger.warning("people_import.refused", code=refused.code)
    finally:
        path.unlink(missing_ok=True)


def main() -> None:
    settings = load(os.environ)
    logs.configure(settings.log_format)
    sessions = make_sessions(make_engine(settings.database_url.get_secret_value()))
    run(Task(**json.load(sys.stdin)), sessions, settings, SystemClock())
