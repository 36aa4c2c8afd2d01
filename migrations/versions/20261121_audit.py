"""The audit trail."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_event",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("role", sa.String(32), nullable=True),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("writes", sa.Boolean(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=True),
        *(sa.Column(name, sa.String(), nullable=True) for name in ("asked", "address", "request_id")),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("hash", sa.LargeBinary(32), nullable=True),
        sa.CheckConstraint("(seq IS NULL) = (hash IS NULL)", name=op.f("ck_audit_event_sealed")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_audit_event_clinic_id")),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_audit_event")),
        info={"placement": "tenant", "shard": "clinic_id"},
    )
    for column in ("patient_id", "account_id", "operation"):
        name = column.removesuffix("_id")
        op.create_index(f"ix_audit_event_{name}", "audit_event", ["clinic_id", column, "id"])
    op.create_index("uq_audit_event_seq", "audit_event", ["clinic_id", "seq"], unique=True)
    op.create_index(
        "ix_audit_event_unsealed",
        "audit_event",
        ["clinic_id", "id"],
        sqlite_where=sa.text("seq IS NULL"),
        postgresql_where=sa.text("seq IS NULL"),
    )
    op.create_table(
        "audit_head",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_audit_head_clinic_id")),
        sa.PrimaryKeyConstraint("clinic_id", name=op.f("pk_audit_head")),
        info={"placement": "tenant", "shard": "clinic_id"},
    )


def downgrade() -> None:
    if op.get_bind().execute(sa.text("SELECT count(*) FROM audit_event")).scalar_one():
        raise NotImplementedError("The audit trail would be lost; restore a backup instead.")
    op.drop_table("audit_head")
    op.drop_table("audit_event")
