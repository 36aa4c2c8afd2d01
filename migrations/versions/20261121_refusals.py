"""An index of what was refused."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_REFUSED = sa.text("outcome <> 'done'")


def upgrade() -> None:
    op.create_index(
        "ix_audit_event_refused",
        "audit_event",
        ["clinic_id", "id"],
        sqlite_where=_REFUSED,
        postgresql_where=_REFUSED,
    )


def downgrade() -> None:
    op.drop_index("ix_audit_event_refused", "audit_event")
