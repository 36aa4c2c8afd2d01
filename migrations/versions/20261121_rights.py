"""Consents, erased patients, and the facts that must be kept of them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)
_JSON = sa.JSON(none_as_null=True).with_variant(
    postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), "postgresql"
)
_TENANT = {"placement": "tenant", "shard": "clinic_id"}


def upgrade() -> None:
    op.add_column("patient", sa.Column("erased_because", sa.String(), nullable=True))
    op.add_column("patient", sa.Column("erased_by", sa.Uuid(), nullable=True))
    op.add_column("patient", sa.Column("kept_until", sa.Date(), nullable=True))
    op.create_table(
        "consent",
        *(sa.Column(name, sa.Uuid(), nullable=False) for name in ("clinic_id", "id", "patient_id")),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("text_version", sa.String(), nullable=False),
        sa.Column("given_by", sa.String(32), nullable=False),
        sa.Column("given_name", sa.String(), nullable=True),
        sa.Column("given_at", _INSTANT, nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("withdrawn_at", _INSTANT, nullable=True),
        sa.Column("withdrawn_by", sa.Uuid(), nullable=True),
        *(
            sa.ForeignKeyConstraint(
                ["clinic_id", column], [f"{table}.clinic_id", f"{table}.id"], name=op.f(f"fk_consent_{column}")
            )
            for table, column in (("patient", "patient_id"), ("account", "recorded_by"))
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_consent")),
        info=_TENANT,
    )
    op.create_index("ix_consent_patient", "consent", ["clinic_id", "patient_id", "purpose"])
    op.create_table(
        "kept_facts",
        *(sa.Column(name, sa.Uuid(), nullable=False) for name in ("clinic_id", "patient_id")),
        sa.Column("of_table", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("rows", _JSON, nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"], ["patient.clinic_id", "patient.id"], name=op.f("fk_kept_facts_patient_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "patient_id", "of_table", "number", name=op.f("pk_kept_facts")),
        info=_TENANT,
    )
    op.create_index("ix_kept_facts_until", "kept_facts", ["clinic_id", "until"])


def downgrade() -> None:
    count = sa.text(
        "SELECT (SELECT count(*) FROM consent) + (SELECT count(*) FROM patient WHERE deleted_at IS NOT NULL)"
    )
    if op.get_bind().execute(count).scalar_one():
        raise NotImplementedError("Consents, and who was erased, would be forgotten; restore a backup instead.")
    op.drop_table("kept_facts")
    op.drop_table("consent")
    for column in ("kept_until", "erased_by", "erased_because"):
        op.drop_column("patient", column)
