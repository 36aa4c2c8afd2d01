"""Announcements reach webhooks and mailboxes, each at least once."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    # Never written: how far an announcement has come is said of each of its deliveries.
    with op.batch_alter_table("outbox") as batch_op:
        batch_op.drop_column("delivered_at")
    op.create_table(
        "webhook",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("kinds", JSON, nullable=True),
        sa.Column("secret", sa.LargeBinary(length=32), nullable=False),
        sa.Column("previous_secret", sa.LargeBinary(length=32), nullable=True),
        sa.Column("previous_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("disabled_because", sa.String(), nullable=True),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(disabled_at IS NULL) = (disabled_because IS NULL)", name=op.f("ck_webhook_disabled")),
        sa.CheckConstraint("(previous_secret IS NULL) = (previous_until IS NULL)", name=op.f("ck_webhook_previous")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_webhook_clinic_id")),
        sa.ForeignKeyConstraint(
            ["clinic_id", "created_by"], ["account.clinic_id", "account.id"], name=op.f("fk_webhook_created_by")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_webhook")),
        info={"placement": "tenant", "shard": "clinic_id"},
    )
    op.create_table(
        "delivery",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("announcement_id", sa.Uuid(), nullable=False),
        sa.Column("target_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_holder", sa.Uuid(), nullable=True),
        sa.Column("last_tried_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failure", sa.String(length=32), nullable=True),
        sa.Column("status_code", sa.Integer(), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("gave_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(next_try_at IS NULL) = (delivered_at IS NOT NULL OR gave_up_at IS NOT NULL)",
            name=op.f("ck_delivery_finished"),
        ),
        sa.CheckConstraint("(leased_until IS NULL) = (lease_holder IS NULL)", name=op.f("ck_delivery_leased")),
        sa.ForeignKeyConstraint(
            ["clinic_id", "announcement_id"],
            ["outbox.clinic_id", "outbox.id"],
            name=op.f("fk_delivery_announcement_id"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "announcement_id", "target_id", name=op.f("pk_delivery")),
        info={"placement": "tenant", "shard": "clinic_id"},
    )
    op.create_index(
        "ix_delivery_due",
        "delivery",
        ["clinic_id", "channel", "target_id", "next_try_at"],
        sqlite_where=sa.text("next_try_at IS NOT NULL"),
        postgresql_where=sa.text("next_try_at IS NOT NULL"),
    )
    op.create_index("ix_delivery_target", "delivery", ["clinic_id", "target_id", "announcement_id"])


def downgrade() -> None:
    raise NotImplementedError(
        "There is no way back from here but a backup: earlier versions cannot hold what this one does."
    )
