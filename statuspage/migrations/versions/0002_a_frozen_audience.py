"""When a campaign's people were counted, so that whoever signs up later is not told by it.

Rules of a safe migration here:
- add only: a column is nullable or has a server default; what is dropped was unused for one release before;
- old and new code run side by side during an upgrade, on any number of hosts;
- a large table is changed in short chunks by a task, never by one UPDATE in a migration;
- an index on a large PostgreSQL table is made CONCURRENTLY, in a migration of its own;
- both databases, always: the suite runs them from nothing and from the previous revision.

Revision: 0002
After: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from statuspage.models.types import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("campaign", sa.Column("counted_at", UtcDateTime(), nullable=True))
