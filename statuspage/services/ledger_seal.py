"""The grace ledger's rows in the audit's chain: each entry that wrote one carries its digest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from statuspage.models import AuditEntry, GraceLedger, GracePolicy

POLICY = "grace_policy"
SEAL = "ledger"
"""The name of the digest in an entry's detail."""

Place = tuple[str, int]
"""A policy's public id and the revision: where a row of the ledger stands."""


def seal(policy_id: str, row: GraceLedger) -> str:
    """SHA-256, in hex, over all that the row says; ids only, so that nobody's erasure changes it."""
    said = [
        policy_id,
        row.revision,
        _moment(row.at),
        row.actor,
        row.cause,
        row.state.value,
        None if row.old_until is None else _moment(row.old_until),
        _moment(row.new_until),
    ]
    return hashlib.sha256(json.dumps(said, ensure_ascii=True, separators=(",", ":")).encode()).hexdigest()


@dataclass
class Seals:
    """What the entries say of the ledger, gathered while they are read: place → the entry's id and the digest, None in
    an entry of before there were digests."""

    kept: dict[Place, tuple[int, str | None]] = field(default_factory=dict)

    def note(self, entry: AuditEntry) -> None:
        if entry.entity == POLICY and "until" in entry.detail:
            self.kept[entry.entity_id, entry.detail["revision"]] = (entry.id, entry.detail.get(SEAL))

    def first_wrong(self, session: Session) -> tuple[int | None, Place] | None:
        """The first row that its entry does not bear out, or that was taken away, and the entry (None: nobody wrote
        it)."""
        left = dict(self.kept)
        query = select(GracePolicy.public_id, GraceLedger).join(GracePolicy, GracePolicy.id == GraceLedger.policy_id)
        for policy_id, row in session.execute(query.order_by(GraceLedger.id)):
            place = (policy_id, row.revision)
            entry_id, digest = left.pop(place, (None, None))
            if entry_id is None or (digest is not None and digest != seal(policy_id, row)):
                return entry_id, place
        return next(((entry_id, place) for place, (entry_id, _) in left.items()), None)


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")
