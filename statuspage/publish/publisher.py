"""Publish: read in one transaction, render outside of any, store in another, then mirror to this host's disk.

One process publishes at a time, by a lease on the page's row that a dead publisher loses by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from statuspage.clock import Clock
from statuspage.config import Settings
from statuspage.db import Sessions, transaction
from statuspage.models import Blob, PageRevision, PageState
from statuspage.publish.build import page_view
from statuspage.publish.manifest import Manifest
from statuspage.publish.mirror import PUBLIC_FOLDER as PUBLIC_FOLDER
from statuspage.publish.mirror import BrokenMirror, Mirror
from statuspage.publish.site import Site, boundary, compress, render
from statuspage.publish.view import PageView
from statuspage.services import incidents, publication
from statuspage.services.leases import BEYOND, LeaseLost, new_owner
from statuspage.services.operator_facts import OperatorFacts

LEASE = timedelta(seconds=30)
SKEW = timedelta(minutes=1)  # more than the clocks of two hosts should ever differ
KEEP_BLOBS = timedelta(days=1)
KEEP_MANIFESTS = 20
_CHUNK = 200
_ROUNDS = 5  # a page that changes faster than it renders is left to the next tick


def publish(sessions: Sessions, settings: Settings, clock: Clock) -> bool:
    """Bring the public page up to date, here and in the database; whether this call rendered anything.

    Another publisher at work makes this return at once: it looks for newer changes before it lets go. The disk is
    brought up to the newest revision either way, so a tick of this also heals a host that lost its mirror.
    """
    rendered = False
    for _ in range(_ROUNDS):
        owner = new_owner()
        if not _take(sessions, owner, clock.now()):
            break
        try:
            _publish_once(sessions, settings, clock, owner)
        except BaseException:
            _let_go(sessions, owner)
            raise
        rendered = True
    mirror_from_database(sessions, Mirror(settings.data_dir / PUBLIC_FOLDER), clock.now())
    return rendered


def mirror_from_database(sessions: Sessions, mirror: Mirror, now: datetime) -> bool:
    """Bring this host's disk to the newest revision; False when it shows that already, or nothing is published yet."""
    with transaction(sessions, read_only=True) as session:
        newest = session.scalar(select(PageRevision.revision).order_by(PageRevision.revision.desc()).limit(1))
        if newest is None or newest <= _shown(mirror):
            return False
        manifest = Manifest.parse(session.get_one(PageRevision, newest).manifest)
        missing = sorted(mirror.missing(manifest))
        for start in range(0, len(missing), _CHUNK):
            for blob in session.scalars(select(Blob).where(Blob.sha256.in_(missing[start : start + _CHUNK]))):
                mirror.store(blob.sha256, _forms(blob))
    switched = mirror.switch(manifest)
    mirror.collect(now)
    return switched


def current_site(sessions: Sessions, settings: Settings, clock: Clock) -> Site:
    """The whole public side as it is now, rendered but not stored: for an export to static files."""
    with transaction(sessions, read_only=True) as session:
        revision = session.scalars(select(PageState.revision)).one()
        view = page_view(session, settings, revision=revision, now=clock.now())
    return render(view)


def _take(sessions: Sessions, owner: str, now: datetime) -> bool:
    """The lease, if the page is behind or a boundary has passed and nobody else is at it."""
    # What a clock that was ahead has left, a page of the future and a lease of a dead publisher, binds nobody.
    behind = or_(
        PageState.wanted > PageState.published,
        PageState.boundary_at.is_(None),
        PageState.boundary_at <= now,
        PageState.published_at > now + SKEW,
    )
    free = or_(
        PageState.lease_until.is_(None),
        PageState.lease_until <= now,
        PageState.lease_until > now + BEYOND * LEASE,
    )
    with transaction(sessions) as session:
        taken = session.execute(
            update(PageState)
            .where(behind, free)
            .values(lease_owner=owner, lease_until=now + LEASE)
            .returning(PageState.id)
        )
        return taken.first() is not None


def _publish_once(sessions: Sessions, settings: Settings, clock: Clock, owner: str) -> None:
    now = clock.now()
    with transaction(sessions, read_only=True) as session:
        state = session.get_one(PageState, 1)
        wanted, revision = state.wanted, state.revision + 1
        view = page_view(session, settings, revision=revision, now=now)
        told = _told(session, settings, view)
    site = render(view)
    manifest = site.manifest()
    bodies = {artifact.sha256: artifact.body for artifact in site.artifacts.values()}
    packed = {entry.sha256 for entry in manifest.entries.values() if entry.encodings}
    with transaction(sessions, read_only=True) as session:
        stored = _stored(session, bodies)
    new = [_blob(sha256, body, sha256 in packed, now) for sha256, body in bodies.items() if sha256 not in stored]
    with transaction(sessions) as session:
        _hold(session, owner)
        _keep(session, manifest, new, bodies, now)
        session.add(
            PageRevision(
                revision=revision,
                manifest=manifest.document(),
                incidents=told,
                published_at=clock.now(),
                as_of=now,
            )
        )
        values = {
            "published": wanted,
            "revision": revision,
            "published_at": clock.now(),
            "boundary_at": boundary(view, now),
        }
        session.execute(update(PageState).values(**values, lease_owner=None, lease_until=None))


def _told(session: Session, settings: Settings, view: PageView) -> dict[str, list[str]]:
    """Each incident that this revision shows as open, with what its text still lacks: evidence for the report."""
    operator = OperatorFacts.of(settings)
    found = {one.id: incidents.get_incident(session, one.id) for one in view.open_incidents()}
    return {name: [gap.field for gap in publication.checklist(session, one, operator)] for name, one in found.items()}


def _hold(session: Session, owner: str) -> None:
    """LeaseLost when this process slept past its lease and another took over: then nothing of it is stored."""
    row = session.scalars(select(PageState).with_for_update()).one()
    if row.lease_owner != owner:
        raise LeaseLost("page")


def _keep(session: Session, manifest: Manifest, new: list[Blob], bodies: Mapping[str, bytes], now: datetime) -> None:
    """Store what is new, mark what is still shown, and forget what no recent revision shows."""
    for chunk in _chunks(bodies):
        session.execute(update(Blob).where(Blob.sha256.in_(chunk)).values(stored_at=now))
    present = _stored(session, bodies)
    session.add_all(blob for blob in new if blob.sha256 not in present)
    session.flush()
    session.execute(delete(Blob).where(Blob.stored_at < now - KEEP_BLOBS))
    # The rows stay, since they are evidence of what was told when; only their lists of files go.
    outlived = PageRevision.revision <= manifest.revision - KEEP_MANIFESTS
    session.execute(update(PageRevision).where(outlived).values(manifest={}))


def _let_go(sessions: Sessions, owner: str) -> None:
    with transaction(sessions) as session:
        session.execute(
            update(PageState).where(PageState.lease_owner == owner).values(lease_owner=None, lease_until=None)
        )


def _stored(session: Session, wanted: Iterable[str]) -> set[str]:
    return {
        sha256
        for chunk in _chunks(wanted)
        for sha256 in session.scalars(select(Blob.sha256).where(Blob.sha256.in_(chunk)))
    }


def _chunks(names: Iterable[str]) -> Iterable[list[str]]:
    ordered = sorted(names)
    return (ordered[start : start + _CHUNK] for start in range(0, len(ordered), _CHUNK))


def _blob(sha256: str, body: bytes, packed: bool, now: datetime) -> Blob:
    forms = compress(body) if packed else None
    return Blob(
        sha256=sha256,
        body=body,
        gzip=forms.gzip if forms else None,
        brotli=forms.brotli if forms else None,
        stored_at=now,
    )


def _forms(blob: Blob) -> dict[str, bytes]:
    forms = {"": blob.body}
    if blob.gzip is not None and blob.brotli is not None:
        forms |= {"gzip": blob.gzip, "br": blob.brotli}
    return forms


def _shown(mirror: Mirror) -> int:
    try:
        return mirror.manifest().revision
    except BrokenMirror:
        return 0
