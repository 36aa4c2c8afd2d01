"""More roles, carers, and whether therapists share their caseloads."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)
_JSON = sa.JSON(none_as_null=True).with_variant(
    postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), "postgresql"
)


def upgrade() -> None:
    op.add_column("account", sa.Column("scopes", _JSON, nullable=True))
    op.add_column("clinic", sa.Column("shares_caseloads", sa.Boolean(), nullable=True))
    # Until now every therapist saw every patient: nobody loses sight of anyone by an upgrade.
    op.execute(sa.text("UPDATE clinic SET shares_caseloads = :yes").bindparams(sa.bindparam("yes", True, sa.Boolean())))
    with op.batch_alter_table("clinic") as batch_op:
        batch_op.alter_column("shares_caseloads", existing_type=sa.Boolean(), nullable=False)
    op.create_table(
        "proxy",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        *(sa.Column(name, sa.Uuid(), nullable=False) for name in ("patient_id", "account_id", "named_by")),
        sa.Column("relationship", sa.String(), nullable=False),
        sa.Column("consent_by", sa.String(32), nullable=False),
        sa.Column("consent_name", sa.String(), nullable=True),
        sa.Column("consented_on", sa.Date(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("ended_at", _INSTANT, nullable=True),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        *(
            sa.ForeignKeyConstraint(
                ["clinic_id", column], [f"{table}.clinic_id", f"{table}.id"], name=op.f(f"fk_proxy_{column}")
            )
            for table, column in (("patient", "patient_id"), ("account", "account_id"), ("account", "named_by"))
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_proxy")),
        info={"placement": "tenant", "shard": "clinic_id"},
    )
    op.create_index("uq_proxy_account", "proxy", ["clinic_id", "account_id"], unique=True)
    op.create_index("ix_proxy_patient", "proxy", ["clinic_id", "patient_id"])
    with op.batch_alter_table("invitation") as batch_op:
        batch_op.add_column(sa.Column("proxy_id", sa.Uuid(), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_invitation_proxy_id"), "proxy", ["clinic_id", "proxy_id"], ["clinic_id", "id"]
        )


def downgrade() -> None:
    if op.get_bind().execute(sa.text("SELECT count(*) FROM proxy")).scalar_one():
        raise NotImplementedError("Carers and their consents would be lost; restore a backup instead.")
    with op.batch_alter_table("invitation") as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_invitation_proxy_id"), type_="foreignkey")
        batch_op.drop_column("proxy_id")
    op.drop_table("proxy")
    op.drop_column("clinic", "shares_caseloads")
    op.drop_column("account", "scopes")
