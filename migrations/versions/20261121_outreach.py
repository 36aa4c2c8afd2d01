"""People handle flags and try to reach patients; a patient's record can be read in order."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
# SQLite changes a table by copying it, and what copies it does not see its checks: they are said here again.
FLAG_CHECKS = {
    "rises": "(rises_at IS NULL) = (rises_to IS NULL)",
    "closed": "(closed_at IS NULL) = (closed_because IS NULL)",
}


def upgrade() -> None:
    _flags()
    _outreach()
    op.add_column("condition", sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_session_patient", "session", ["clinic_id", "patient_id", "performed_at", "id"])


def downgrade() -> None:
    raise NotImplementedError(
        "There is no way back from here but a backup: earlier versions cannot hold what this one does."
    )


def _flags() -> None:
    op.add_column("flag", sa.Column("closed_by", sa.Uuid(), nullable=True))
    op.add_column("flag", sa.Column("closed_note", sa.String(), nullable=True))
    op.add_column("flag", sa.Column("deeds", JSON, nullable=True))
    op.add_column("flag", sa.Column("version", sa.Integer(), nullable=True))
    op.execute("UPDATE flag SET deeds = '[]', version = 1")
    is_sqlite = op.get_context().dialect.name == "sqlite"
    checks = [sa.CheckConstraint(said, name=op.f(f"ck_flag_{name}")) for name, said in FLAG_CHECKS.items()]
    with op.batch_alter_table("flag", table_args=tuple(checks) if is_sqlite else ()) as batch_op:
        batch_op.alter_column("deeds", existing_type=JSON, nullable=False)
        batch_op.alter_column("version", existing_type=sa.Integer(), nullable=False)
        batch_op.create_check_constraint(batch_op.f("ck_flag_closed_by"), "closed_by IS NULL OR closed_at IS NOT NULL")
    op.create_index(
        "ix_flag_handled",
        "flag",
        ["clinic_id", "about_id"],
        sqlite_where=sa.text("closed_by IS NOT NULL"),
        postgresql_where=sa.text("closed_by IS NOT NULL"),
    )


def _outreach() -> None:
    op.create_table(
        "outreach",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("program_id", sa.Uuid(), nullable=True),
        sa.Column("flag_id", sa.Uuid(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("local_date", sa.Date(), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("outcome", sa.String(length=32), nullable=False),
        sa.Column("next_step", sa.String(), nullable=True),
        sa.Column("next_step_on", sa.Date(), nullable=True),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"], ["patient.clinic_id", "patient.id"], name=op.f("fk_outreach_patient_id")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "program_id"], ["program.clinic_id", "program.id"], name=op.f("fk_outreach_program_id")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "flag_id"], ["flag.clinic_id", "flag.id"], name=op.f("fk_outreach_flag_id")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "made_by"], ["account.clinic_id", "account.id"], name=op.f("fk_outreach_made_by")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_outreach")),
        info={"placement": "tenant", "shard": "clinic_id"},
    )
    op.create_index("ix_outreach_patient", "outreach", ["clinic_id", "patient_id", "at", "id"])
    op.create_index("ix_outreach_flag", "outreach", ["clinic_id", "flag_id"])
