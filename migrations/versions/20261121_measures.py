"""Check-ins are answered, weekly questions too; every score is kept."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    _check_ins()
    op.create_table(
        "weekly_answer",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("monday", sa.Date(), nullable=False),
        sa.Column("answers", JSON, nullable=False),
        sa.Column("content_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("answered_on", sa.Date(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_by", sa.Uuid(), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "answered_by"],
            ["account.clinic_id", "account.id"],
            name=op.f("fk_weekly_answer_answered_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"], ["patient.clinic_id", "patient.id"], name=op.f("fk_weekly_answer_patient_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "patient_id", "monday", name=op.f("pk_weekly_answer")),
        info={"placement": "tenant", "shard": "clinic_id"},
    )
    op.create_table(
        "answer_version",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("asked", sa.String(length=32), nullable=False),
        sa.Column("answer", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("answers", JSON, nullable=False),
        sa.Column("content_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_by", sa.Uuid(), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "answered_by"],
            ["account.clinic_id", "account.id"],
            name=op.f("fk_answer_version_answered_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"], ["patient.clinic_id", "patient.id"], name=op.f("fk_answer_version_patient_id")
        ),
        sa.PrimaryKeyConstraint(
            "clinic_id", "patient_id", "asked", "answer", "version", name=op.f("pk_answer_version")
        ),
        info={"placement": "tenant", "shard": "clinic_id"},
    )
    op.add_column("rejected_session", sa.Column("about", sa.String(), nullable=True))
    op.create_table(
        "measurement",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("taken_on", sa.Date(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("parts", JSON, nullable=True),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("answer", sa.String(), nullable=True),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"], ["patient.clinic_id", "patient.id"], name=op.f("fk_measurement_patient_id")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "recorded_by"], ["account.clinic_id", "account.id"], name=op.f("fk_measurement_recorded_by")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_measurement")),
        info={"placement": "tenant", "shard": "clinic_id"},
    )
    op.create_index("ix_measurement_patient", "measurement", ["clinic_id", "patient_id", "code", "taken_on"])
    op.create_index(
        "uq_measurement_answer", "measurement", ["clinic_id", "patient_id", "source", "answer", "code"], unique=True
    )


def _check_ins() -> None:
    op.add_column("check_in", sa.Column("version", sa.Integer(), nullable=True))
    op.execute("UPDATE check_in SET version = 0")
    # SQLite changes a table by copying it, and what copies it does not see its checks: they are said here again.
    month = sa.CheckConstraint("month BETWEEN 1 AND 60", name=op.f("ck_check_in_month"))
    checks = (month,) if op.get_context().dialect.name == "sqlite" else ()
    with op.batch_alter_table("check_in", table_args=checks) as batch_op:
        batch_op.alter_column("version", existing_type=sa.Integer(), nullable=False)
        batch_op.add_column(sa.Column("answers", JSON, nullable=True))
        batch_op.add_column(sa.Column("content_hash", sa.LargeBinary(length=32), nullable=True))
        batch_op.add_column(sa.Column("answered_on", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("answered_by", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("source", sa.String(length=32), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_check_in_answered_by"), "account", ["clinic_id", "answered_by"], ["clinic_id", "id"]
        )
        batch_op.create_check_constraint(batch_op.f("ck_check_in_answered"), "(version = 0) = (answers IS NULL)")
        batch_op.create_index("ix_check_in_patient", ["clinic_id", "patient_id", "due_on"])


def downgrade() -> None:
    raise NotImplementedError(
        "There is no way back from here but a backup: earlier versions cannot hold what this one does."
    )
