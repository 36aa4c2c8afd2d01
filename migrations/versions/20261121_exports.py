"""Exports: what was asked for, and how far its file is written."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_WORD = sa.String(32)
_INSTANT = sa.DateTime(timezone=True)
_JSON = sa.JSON(none_as_null=True).with_variant(
    postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), "postgresql"
)


def upgrade() -> None:
    op.create_table(
        "export",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column("requested_at", _INSTANT, nullable=False),
        *(sa.Column(name, _WORD, nullable=False) for name in ("content", "format", "status")),
        sa.Column("options", _JSON, nullable=False),
        sa.Column("de_identified", sa.Boolean(), nullable=False),
        sa.Column("salt", sa.LargeBinary(32), nullable=True),
        *(sa.Column(name, sa.Date(), nullable=True) for name in ("from_on", "to_on")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("rows_done", "bytes_done", "checksum")),
        sa.Column("rows_total", sa.BigInteger(), nullable=True),
        sa.Column("place", _JSON, nullable=True),
        sa.Column("interruptions", sa.Integer(), nullable=False),
        sa.Column("leased_until", _INSTANT, nullable=True),
        sa.Column("lease_holder", sa.Uuid(), nullable=True),
        *(sa.Column(name, _INSTANT, nullable=True) for name in ("finished_at", "expires_at")),
        sa.Column("failure", _WORD, nullable=True),
        sa.CheckConstraint("(leased_until IS NULL) = (lease_holder IS NULL)", name=op.f("ck_export_leased")),
        sa.CheckConstraint(
            "(finished_at IS NULL) = (status IN ('waiting', 'running'))", name=op.f("ck_export_finished")
        ),
        sa.CheckConstraint("(finished_at IS NULL) = (expires_at IS NULL)", name=op.f("ck_export_expires")),
        sa.CheckConstraint("(failure IS NULL) = (status <> 'failed')", name=op.f("ck_export_failed")),
        sa.CheckConstraint("finished_at IS NULL OR salt IS NULL", name=op.f("ck_export_salt")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_export_clinic_id")),
        sa.ForeignKeyConstraint(
            ["clinic_id", "requested_by"], ["account.clinic_id", "account.id"], name=op.f("fk_export_requested_by")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_export")),
        info={"placement": "tenant", "shard": "clinic_id"},
    )
    op.create_index(
        "ix_export_waiting",
        "export",
        ["clinic_id", "requested_at"],
        sqlite_where=sa.text("finished_at IS NULL"),
        postgresql_where=sa.text("finished_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_export_waiting", table_name="export")
    op.drop_table("export")
