"""When dunning last asked whether to hold a line, for the room to show.

Rules of a safe migration here:
- add only: a column is nullable or has a server default; what is dropped was unused for one release before;
- old and new code run side by side during an upgrade, on any number of hosts;
- a large table is changed in short chunks by a task, never by one UPDATE in a migration;
- an index on a large PostgreSQL table is made CONCURRENTLY, in a migration of its own;
- both databases, always: the suite runs them from nothing and from the previous revision.

Revision: 0005
After: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from statuspage.models.types import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "grace_inquiry",
        sa.Column("asker", sa.String(length=60), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("asker", name=op.f("pk_grace_inquiry")),
    )
