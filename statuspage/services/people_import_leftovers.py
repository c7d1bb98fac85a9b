"""Files of imports on this host's disk that nobody needs any more: old refused lines, and what killed imports left."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select, update

from statuspage.clock import Clock
from statuspage.config import Settings
from statuspage.db import Sessions, transaction
from statuspage.models import PeopleImport
from statuspage.services.people_import_refused import FOLDER, KEPT

UPLOADS = "uploads"
"""The folder of DATA_DIR with files that the console was sent; whoever imports one removes it."""

UPLOAD_LEFT_AFTER = timedelta(days=1)


def sweep(sessions: Sessions, settings: Settings, clock: Clock) -> None:
    """Safe to repeat, and on every host: each reads its own files. The scheduler does it, and whoever imports next."""
    drop_uploads(settings, clock.now())
    _expire_refused(sessions, settings, clock.now())


def drop_uploads(settings: Settings, now: datetime) -> None:
    """An import takes minutes: what lies there for a day belongs to one that was killed."""
    for path in (settings.data_dir / UPLOADS).glob("*.csv"):
        if path.stat().st_mtime < (now - UPLOAD_LEFT_AFTER).timestamp():
            path.unlink(missing_ok=True)


def _expire_refused(sessions: Sessions, settings: Settings, now: datetime) -> None:
    """A killed import has written down neither its file nor the file's end: then its last sign of life counts."""
    over = (PeopleImport.refused_path.is_not(None), PeopleImport.refused_expires_at <= now)
    files = {path.stem: path for path in (settings.data_dir / FOLDER).glob("*.csv")}
    ends = PeopleImport.refused_expires_at
    living = (ends > now) | (ends.is_(None) & (PeopleImport.heartbeat_at > now - KEPT))
    with transaction(sessions, read_only=True) as session:
        kept = set(session.scalars(select(PeopleImport.public_id).where(PeopleImport.public_id.in_(files), living)))
        expired = session.scalar(select(PeopleImport.id).where(*over).limit(1))
    for public_id in files.keys() - kept:
        files[public_id].unlink(missing_ok=True)
    if expired is not None:
        with transaction(sessions) as session:
            session.execute(update(PeopleImport).where(*over).values(refused_path=None))
