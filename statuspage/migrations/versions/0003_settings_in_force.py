"""The settings that the serving processes make the page with.

Rules of a safe migration here:
- add only: a column is nullable or has a server default; what is dropped was unused for one release before;
- old and new code run side by side during an upgrade, on any number of hosts;
- a large table is changed in short chunks by a task, never by one UPDATE in a migration;
- an index on a large PostgreSQL table is made CONCURRENTLY, in a migration of its own;
- both databases, always: the suite runs them from nothing and from the previous revision.

Revision: 0003
After: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "installation",
        sa.Column(
            "settings_in_force",
            sa.JSON().with_variant(postgresql.JSONB(), "postgresql"),
            server_default="{}",
            nullable=False,
        ),
    )
