"""Other systems as clients, the assertions they used, and sign-ins within scopes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)
_JSON = sa.JSON(none_as_null=True).with_variant(
    postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), "postgresql"
)
_TENANT = {"placement": "tenant", "shard": "clinic_id"}


def upgrade() -> None:
    op.add_column("sign_in", sa.Column("scopes", _JSON, nullable=True))
    op.create_table(
        "client",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("keys", _JSON, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("revoked_at", _INSTANT, nullable=True),
        sa.Column("revoked_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("(revoked_at IS NULL) = (revoked_by IS NULL)", name=op.f("ck_client_revoked")),
        *(
            sa.ForeignKeyConstraint(
                ["clinic_id", column], ["account.clinic_id", "account.id"], name=op.f(f"fk_client_{column}")
            )
            for column in ("account_id", "created_by")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_client")),
        info=_TENANT,
    )
    op.create_index("uq_client_account", "client", ["clinic_id", "account_id"], unique=True)
    op.create_table(
        "used_assertion",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("jti_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("expires_at", _INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "client_id"], ["client.clinic_id", "client.id"], name=op.f("fk_used_assertion_client_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "client_id", "jti_hash", name=op.f("pk_used_assertion")),
        info=_TENANT,
    )


def downgrade() -> None:
    op.drop_table("used_assertion")
    op.drop_table("client")
    op.drop_column("sign_in", "scopes")
