"""Accounts: second factors, recovery codes, links that set a password, where a sign-in came from."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)
_TENANT = {"placement": "tenant", "shard": "clinic_id"}


def upgrade() -> None:
    op.add_column("account", sa.Column("second_factor_since", _INSTANT, nullable=True))
    for name in ("address", "agent"):
        op.add_column("sign_in", sa.Column(name, sa.String(), nullable=True))
    op.create_table(
        "second_factor",
        *_of_account("second_factor"),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("clinic_id", "account_id", name=op.f("pk_second_factor")),
        info=_TENANT,
    )
    op.create_table(
        "recovery_code",
        *_of_account("recovery_code"),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("clinic_id", "account_id", "hash", name=op.f("pk_recovery_code")),
        info=_TENANT,
    )
    op.create_table(
        "password_link",
        *_of_account("password_link"),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("expires_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("clinic_id", "hash", name=op.f("pk_password_link")),
        info=_TENANT,
    )
    op.create_index("ix_password_link_account", "password_link", ["clinic_id", "account_id"])


def downgrade() -> None:
    for name in ("password_link", "recovery_code", "second_factor"):
        op.drop_table(name)
    for name in ("address", "agent"):
        op.drop_column("sign_in", name)
    op.drop_column("account", "second_factor_since")


def _of_account(table: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "account_id"], ["account.clinic_id", "account.id"], name=op.f(f"fk_{table}_account_id")
        ),
    ]
