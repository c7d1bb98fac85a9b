"""Wrong passwords are counted for each account and network; a lock of the whole account let anybody keep its owner out.

The two columns are dropped at once: no release has carried them.

Rules of a safe migration here:
- add only: a column is nullable or has a server default; what is dropped was unused for one release before;
- old and new code run side by side during an upgrade, on any number of hosts;
- a large table is changed in short chunks by a task, never by one UPDATE in a migration;
- an index on a large PostgreSQL table is made CONCURRENTLY, in a migration of its own;
- both databases, always: the suite runs them from nothing and from the previous revision.

Revision: 0004
After: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from statuspage.models.types import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "login_failure",
        sa.Column("account_hash", sa.String(length=64), nullable=False),
        sa.Column("network", sa.String(length=45), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=False),
        sa.Column("blocked_until", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("account_hash", "network", name=op.f("pk_login_failure")),
    )
    op.create_index(op.f("ix_login_failure_last_at"), "login_failure", ["last_at"])
    op.drop_column("user_account", "failed_logins")
    op.drop_column("user_account", "locked_until")
