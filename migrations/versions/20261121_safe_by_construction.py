"""What safe prescribing needs: care items, flare days, teaching, checks, reviews, check-ins, own protocols."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
# SQLite changes a table by copying it, and what copies it does not see its checks: they are said here again.
ITEM_CHECKS = {
    "sets": "sets BETWEEN 1 AND 6",
    "reps": "reps BETWEEN 1 AND 30",
    "hold_seconds": "hold_seconds BETWEEN 1 AND 60",
    "rest_seconds": "rest_seconds BETWEEN 0 AND 180",
    "duration_minutes": "duration_minutes BETWEEN 0.5 AND 90",
    "distance_m": "distance_m BETWEEN 10 AND 20000",
    "load_kg": "load_kg BETWEEN 0.25 AND 60",
    "rpe_target": "rpe_target BETWEEN 0 AND 8",
    "pain_limit": "pain_limit BETWEEN 0 AND 10",
    "sessions_per_day": "sessions_per_day BETWEEN 1 AND 8",
    "days_per_week": "days_per_week BETWEEN 1 AND 7",
    "every_n_days": "every_n_days BETWEEN 2 AND 30",
    "one_frequency": "(CASE WHEN days_per_week IS NULL THEN 0 ELSE 1 END)"
    " + (CASE WHEN weekdays IS NULL THEN 0 ELSE 1 END)"
    " + (CASE WHEN every_n_days IS NULL THEN 0 ELSE 1 END)"
    " + (CASE WHEN as_needed_max_per_day IS NULL THEN 0 ELSE 1 END) = 1",
}
PHASE_CHECKS = {"days": "from_day >= 1 AND (to_day IS NULL OR to_day >= from_day)"}
SCORES = ("pain_before", "pain_during", "pain_after", "effort")


def upgrade() -> None:
    _new_tables()
    _add("exercise", "goals", JSON, "'[]'", {"level": "level BETWEEN 0 AND 4"})
    # What was a list of rule ids becomes a list of objects; `followthrough seed` brings them back with their reasons.
    op.execute("UPDATE protocol SET rule_exemptions = '[]'")
    _add("protocol", "cautions", JSON, "'[]'", {})
    _add("protocol", "clearance_for", JSON, "'[]'", {})
    _add("phase", "kind", sa.String(length=32), "'course'", PHASE_CHECKS)
    _add(
        "session",
        "exercised",
        sa.Boolean(),
        "(done <> 'none')",
        {score: f"{score} BETWEEN 0 AND 10" for score in SCORES},
    )
    with op.batch_alter_table("precaution") as batch_op:
        batch_op.add_column(sa.Column("advice", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("holds", sa.String(), nullable=True))
    with op.batch_alter_table("pause") as batch_op:
        batch_op.add_column(sa.Column("lifted_on", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("lifted_by", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table(
        "program", table_args=_checks("program", {"ends_after_start": "ended_on IS NULL OR ended_on >= starts_on"})
    ) as batch_op:
        batch_op.add_column(sa.Column("own_protocol_slug", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("protocol_version", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("end_note", sa.String(), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_program_protocol_version"),
            "own_protocol",
            ["clinic_id", "own_protocol_slug", "protocol_version"],
            ["clinic_id", "slug", "version"],
        )
    with op.batch_alter_table("item", table_args=_checks("item", ITEM_CHECKS)) as batch_op:
        batch_op.add_column(sa.Column("care_slug", sa.String(), nullable=True))
        batch_op.alter_column("exercise_slug", existing_type=sa.String(), nullable=True)
        batch_op.create_foreign_key(batch_op.f("fk_item_care_slug"), "care", ["care_slug"], ["slug"])
        batch_op.create_check_constraint(
            batch_op.f("ck_item_one_thing"), "(exercise_slug IS NULL) <> (care_slug IS NULL)"
        )
        # Nothing ever wrote these two; teaching has a table of its own.
        batch_op.drop_column("taught_on")
        batch_op.drop_column("teach_back")


def _checks(table: str, checks: dict[str, str]) -> tuple[sa.CheckConstraint, ...]:
    if op.get_context().dialect.name != "sqlite":
        return ()
    return tuple(sa.CheckConstraint(text, name=op.f(f"ck_{table}_{name}")) for name, text in checks.items())


def _add(table: str, name: str, type_: sa.types.TypeEngine, value: str, checks: dict[str, str]) -> None:
    """A column that must be filled: added empty, filled, then required."""
    op.add_column(table, sa.Column(name, type_, nullable=True))
    op.execute(f"UPDATE {table} SET {name} = {value}")  # noqa: S608  (nothing here comes from outside)
    with op.batch_alter_table(table, table_args=_checks(table, checks)) as batch_op:
        batch_op.alter_column(name, existing_type=type_, nullable=False)


def downgrade() -> None:
    raise NotImplementedError(
        "There is no way back from here but a backup: earlier versions cannot hold what this one does."
    )


def _new_tables() -> None:
    op.create_table(
        "care",
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("summary", sa.String(), nullable=False),
        sa.Column("agent", sa.String(), nullable=True),
        sa.Column("at_home", sa.Boolean(), nullable=False),
        sa.Column("max_minutes", sa.Integer(), nullable=True),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("evidence", sa.String(), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("max_minutes BETWEEN 1 AND 120", name=op.f("ck_care_max_minutes")),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_care")),
        info={"placement": "reference"},
    )
    op.create_table(
        "own_protocol",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("indication", sa.String(), nullable=False),
        sa.Column("conditions", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("phases", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("maintenance", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("progression", sa.String(), nullable=False),
        sa.Column("not_for", sa.String(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["clinic_id", "author_id"], ["account.clinic_id", "account.id"], name=op.f("fk_own_protocol_author_id")
        ),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_own_protocol_clinic_id")),
        sa.PrimaryKeyConstraint("clinic_id", "slug", "version", name=op.f("pk_own_protocol")),
        info={"placement": "tenant", "shard": "clinic_id"},
    )
    op.create_table(
        "examination",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("examined_by", sa.Uuid(), nullable=False),
        sa.Column("examined_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("pain", sa.Integer(), nullable=True),
        sa.Column("function", sa.Double(), nullable=True),
        sa.Column("confidence", sa.Integer(), nullable=True),
        sa.Column("importance", sa.Integer(), nullable=True),
        sa.Column("systolic", sa.Integer(), nullable=True),
        sa.Column("diastolic", sa.Integer(), nullable=True),
        sa.Column("resting_pulse", sa.Integer(), nullable=True),
        sa.Column("low_pressure_symptoms", sa.Boolean(), nullable=True),
        sa.Column("tests", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("note", sa.String(), nullable=True),
        sa.CheckConstraint("confidence BETWEEN 0 AND 10", name=op.f("ck_examination_confidence")),
        sa.CheckConstraint("function BETWEEN 0 AND 10", name=op.f("ck_examination_function")),
        sa.CheckConstraint("importance BETWEEN 0 AND 10", name=op.f("ck_examination_importance")),
        sa.CheckConstraint("pain BETWEEN 0 AND 10", name=op.f("ck_examination_pain")),
        sa.ForeignKeyConstraint(
            ["clinic_id", "examined_by"], ["account.clinic_id", "account.id"], name=op.f("fk_examination_examined_by")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"], ["patient.clinic_id", "patient.id"], name=op.f("fk_examination_patient_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_examination")),
        info={"placement": "tenant", "shard": "clinic_id"},
    )
    with op.batch_alter_table("examination", schema=None) as batch_op:
        batch_op.create_index("ix_examination_patient", ["clinic_id", "patient_id", "examined_at"], unique=False)

    op.create_table(
        "check_in",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("program_id", sa.Uuid(), nullable=False),
        sa.Column("month", sa.Integer(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("month BETWEEN 1 AND 60", name=op.f("ck_check_in_month")),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"], ["patient.clinic_id", "patient.id"], name=op.f("fk_check_in_patient_id")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "program_id"], ["program.clinic_id", "program.id"], name=op.f("fk_check_in_program_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_check_in")),
        info={"placement": "tenant", "shard": "clinic_id"},
    )
    with op.batch_alter_table("check_in", schema=None) as batch_op:
        batch_op.create_index("ix_check_in_due", ["clinic_id", "due_on"], unique=False)
        batch_op.create_index("uq_check_in_month", ["clinic_id", "program_id", "month"], unique=True)

    op.create_table(
        "flare",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("program_id", sa.Uuid(), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("to_on", sa.Date(), nullable=False),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("joints", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("declared_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("to_on >= from_on", name=op.f("ck_flare_days")),
        sa.ForeignKeyConstraint(
            ["clinic_id", "declared_by"], ["account.clinic_id", "account.id"], name=op.f("fk_flare_declared_by")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "program_id"], ["program.clinic_id", "program.id"], name=op.f("fk_flare_program_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_flare")),
        info={"placement": "tenant", "shard": "clinic_id"},
    )
    with op.batch_alter_table("flare", schema=None) as batch_op:
        batch_op.create_index("ix_flare_program", ["clinic_id", "program_id"], unique=False)

    op.create_table(
        "review",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("program_id", sa.Uuid(), nullable=False),
        sa.Column("reviewed_by", sa.Uuid(), nullable=False),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("next_review_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["clinic_id", "program_id"], ["program.clinic_id", "program.id"], name=op.f("fk_review_program_id")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "reviewed_by"], ["account.clinic_id", "account.id"], name=op.f("fk_review_reviewed_by")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_review")),
        info={"placement": "tenant", "shard": "clinic_id"},
    )
    with op.batch_alter_table("review", schema=None) as batch_op:
        batch_op.create_index("ix_review_program", ["clinic_id", "program_id"], unique=False)

    op.create_table(
        "safety_check",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("program_id", sa.Uuid(), nullable=False),
        sa.Column("revision_number", sa.Integer(), nullable=False),
        sa.Column("deed", sa.String(length=32), nullable=False),
        sa.Column("checked_by", sa.Uuid(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("findings", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("decisions", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "checked_by"], ["account.clinic_id", "account.id"], name=op.f("fk_safety_check_checked_by")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "program_id"], ["program.clinic_id", "program.id"], name=op.f("fk_safety_check_program_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_safety_check")),
        info={"placement": "tenant", "shard": "clinic_id"},
    )
    with op.batch_alter_table("safety_check", schema=None) as batch_op:
        batch_op.create_index("ix_safety_check_program", ["clinic_id", "program_id", "checked_at"], unique=False)

    op.create_table(
        "teaching",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("program_id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("taught_on", sa.Date(), nullable=False),
        sa.Column("teach_back", sa.String(length=32), nullable=False),
        sa.Column("taught_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "program_id"], ["program.clinic_id", "program.id"], name=op.f("fk_teaching_program_id")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "taught_by"], ["account.clinic_id", "account.id"], name=op.f("fk_teaching_taught_by")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_teaching")),
        info={"placement": "tenant", "shard": "clinic_id"},
    )
    with op.batch_alter_table("teaching", schema=None) as batch_op:
        batch_op.create_index("ix_teaching_program", ["clinic_id", "program_id", "line_id"], unique=False)
