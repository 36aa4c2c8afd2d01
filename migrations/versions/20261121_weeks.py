"""A program's weeks, what every report is summed from; the sweep counts those of before."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_COUNTS = (
    *("expected", "done", "items_expected", "items_done", "dose_count", "excluded_days", "paused_days", "flare_days"),
    *("sessions", "pain_sum", "pain_count", "effort_sum", "effort_count", "late", "low_trust"),
)


def upgrade() -> None:
    op.create_table(
        "week",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("program_id", sa.Uuid(), nullable=False),
        sa.Column("monday", sa.Date(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in _COUNTS),
        sa.Column("dose_sum", sa.Double(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=True),
        sa.Column("pain_worst", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["clinic_id", "program_id"], ["program.clinic_id", "program.id"], name=op.f("fk_week_program_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "program_id", "monday", name=op.f("pk_week")),
        info={"placement": "tenant", "shard": "clinic_id"},
    )
    op.create_table(
        "report_version",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content", JSON, nullable=False),
        sa.Column("changes", JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_report_version_clinic_id")),
        sa.PrimaryKeyConstraint("clinic_id", "kind", "month", "version", name=op.f("pk_report_version")),
        info={"placement": "tenant", "shard": "clinic_id"},
    )
    op.add_column("standing", sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("session", sa.Column("told_at", sa.DateTime(timezone=True), nullable=True))
    # Until now whatever was changed counted as told anew.
    op.execute("UPDATE session SET told_at = changed_at WHERE version > 1")
    op.create_index("ix_week_monday", "week", ["clinic_id", "monday"])

    _have_every_program_judged_anew()


def _have_every_program_judged_anew() -> None:
    """As if every clinic had moved a threshold: the sweep judges its programs, and counts their weeks, one by one."""
    clinic = sa.table("clinic", sa.column("id", sa.Uuid()), sa.column("settings", JSON))
    connection = op.get_bind()
    for clinic_id, said in connection.execute(sa.select(clinic.c.id, clinic.c.settings)).all():
        changed = {**said, "thresholds_changed_at": datetime.now(UTC).isoformat()}
        connection.execute(sa.update(clinic).where(clinic.c.id == clinic_id).values(settings=changed))


def downgrade() -> None:
    op.drop_column("standing", "stopped_at")
    op.drop_table("report_version")
    op.drop_column("session", "told_at")
    op.drop_index("ix_week_monday", table_name="week")
    op.drop_table("week")
