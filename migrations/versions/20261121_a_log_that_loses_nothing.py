"""What the log needs to lose nothing: versions, tombstones, change numbers, corrected clocks, contacts, replays."""

import secrets

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
SCORES = ("pain_before", "pain_during", "pain_after", "effort")
# SQLite changes a table by copying it, and what copies it does not see its checks: they are said here again.
SESSION_CHECKS = {score: f"{score} BETWEEN 0 AND 10" for score in SCORES}
NEW_CHECKS = {score: f"{score} BETWEEN 0 AND 10" for score in ("fatigue", "worst_pain")}
PROGRAM_CHECKS = {"ends_after_start": "ended_on IS NULL OR ended_on >= starts_on"}
PATIENT_CHECKS = {"minutes_available": "minutes_available BETWEEN 1 AND 240"}


def upgrade() -> None:
    _new_tables()
    _sessions()
    _rejects()
    _give_every_clinic_a_key()
    for table, checks in (("program", PROGRAM_CHECKS), ("patient", PATIENT_CHECKS)):
        op.add_column(table, sa.Column("change_number", sa.BigInteger(), nullable=True))
        counted = "0" if table == "program" else _MOST_CHANGES
        op.execute(f"UPDATE {table} SET change_number = {counted}")  # noqa: S608  (nothing here comes from outside)
        with op.batch_alter_table(table, table_args=_checks(table, checks)) as batch_op:
            batch_op.alter_column("change_number", existing_type=sa.BigInteger(), nullable=False)
    with op.batch_alter_table("device") as batch_op:
        batch_op.add_column(sa.Column("last_sync_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("skew_seconds", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("revoked_by", sa.Uuid(), nullable=True))
        batch_op.create_index("ix_device_account", ["clinic_id", "account_id"], unique=False)


def downgrade() -> None:
    raise NotImplementedError(
        "There is no way back from here but a backup: earlier versions cannot hold what this one does."
    )


_MOST_CHANGES = (
    "coalesce((SELECT max(session.change_number) FROM session"
    " WHERE session.clinic_id = patient.clinic_id AND session.patient_id = patient.id), 0)"
)


def _checks(table: str, checks: dict[str, str]) -> tuple[sa.CheckConstraint, ...]:
    if op.get_context().dialect.name != "sqlite":
        return ()
    return tuple(sa.CheckConstraint(text, name=op.f(f"ck_{table}_{name}")) for name, text in checks.items())


def _sessions() -> None:
    for column in (
        sa.Column("said_performed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("said_local_date", sa.Date(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fatigue", sa.Integer(), nullable=True),
        sa.Column("stiffness_minutes", sa.Integer(), nullable=True),
        sa.Column("spread_to", sa.String(), nullable=True),
        sa.Column("worst_pain", sa.Integer(), nullable=True),
        sa.Column("main_reason", sa.String(), nullable=True),
        sa.Column("change_number", sa.BigInteger(), nullable=True),
    ):
        op.add_column("session", column)
    # Entries' pains and reasons were not listened to before: what was judged stays as it was judged.
    op.execute("UPDATE session SET changed_at = received_at, worst_pain = pain_during, main_reason = reason")
    op.execute(
        "UPDATE session SET change_number = numbered.number FROM (SELECT clinic_id, patient_id, id,"
        " row_number() OVER (PARTITION BY clinic_id, patient_id ORDER BY received_at, id) AS number FROM session)"
        " AS numbered WHERE session.clinic_id = numbered.clinic_id AND session.patient_id = numbered.patient_id"
        " AND session.id = numbered.id"
    )
    with op.batch_alter_table("session", table_args=_checks("session", SESSION_CHECKS)) as batch_op:
        batch_op.alter_column("changed_at", existing_type=sa.DateTime(timezone=True), nullable=False)
        batch_op.alter_column("change_number", existing_type=sa.BigInteger(), nullable=False)
        for name, text in NEW_CHECKS.items():
            batch_op.create_check_constraint(batch_op.f(f"ck_session_{name}"), text)
        batch_op.create_index("ix_session_change", ["clinic_id", "patient_id", "change_number"], unique=False)


def _rejects() -> None:
    with op.batch_alter_table("rejected_session") as batch_op:
        batch_op.add_column(sa.Column("client_sent_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("replayed_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("replayed_to", sa.String(), nullable=True))
        batch_op.create_index("ix_rejected_session_received", ["clinic_id", "received_at"], unique=False)


def _give_every_clinic_a_key() -> None:
    op.add_column("clinic", sa.Column("cursor_key", sa.LargeBinary(length=32), nullable=True))
    clinic = sa.table("clinic", sa.column("id", sa.Uuid()), sa.column("cursor_key", sa.LargeBinary()))
    connection = op.get_bind()
    for (clinic_id,) in connection.execute(sa.select(clinic.c.id)).all():
        key = secrets.token_bytes(32)
        connection.execute(sa.update(clinic).where(clinic.c.id == clinic_id).values(cursor_key=key))
    with op.batch_alter_table("clinic") as batch_op:
        batch_op.alter_column("cursor_key", existing_type=sa.LargeBinary(length=32), nullable=False)


def _new_tables() -> None:
    op.create_table(
        "session_version",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("program_id", sa.Uuid(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=True),
        sa.Column("content", JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id", "session_id"],
            ["session.clinic_id", "session.patient_id", "session.id"],
            name=op.f("fk_session_version_session_id"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "patient_id", "session_id", "version", name=op.f("pk_session_version")),
        info={"placement": "tenant", "shard": "clinic_id"},
    )
    op.create_index("ix_session_version_program", "session_version", ["clinic_id", "program_id", "replaced_at"])
    op.create_table(
        "contact",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("local_date", sa.Date(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"], ["patient.clinic_id", "patient.id"], name=op.f("fk_contact_patient_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "patient_id", "local_date", name=op.f("pk_contact")),
        info={"placement": "tenant", "shard": "clinic_id"},
    )
