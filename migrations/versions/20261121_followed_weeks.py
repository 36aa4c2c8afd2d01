"""Each week knows the next with exercise: up to where a program was followed is read with the week itself."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_COLUMNS = ("clinic_id", "program_id", "monday", "sessions", "followed_on")


def upgrade() -> None:
    op.add_column("week", sa.Column("followed_on", sa.Date(), nullable=True))
    week = sa.table("week", *map(sa.column, _COLUMNS))
    later = week.alias("later")
    followed_on = (
        sa.select(sa.func.min(later.c.monday))
        .where(
            later.c.clinic_id == week.c.clinic_id,
            later.c.program_id == week.c.program_id,
            later.c.monday >= week.c.monday,
            later.c.sessions > 0,
        )
        .scalar_subquery()
    )
    op.execute(sa.update(week).values(followed_on=followed_on))


def downgrade() -> None:
    op.drop_column("week", "followed_on")
