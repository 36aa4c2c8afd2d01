"""The audit trail: who did what to whose record. Rows are added and sealed, never changed and never erased."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from models.tables.account import Role
from models.tables.base import TENANT, Base, Identified, Tenant, of_clinic


class AuditEvent(Identified, Base, kw_only=True):
    """One deed on one record, by ids alone: erasing somebody leaves nothing of them here."""

    __tablename__ = "audit_event"
    __table_args__ = (
        of_clinic(),
        Index("ix_audit_event_patient", "clinic_id", "patient_id", "id"),
        Index("ix_audit_event_account", "clinic_id", "account_id", "id"),
        Index("ix_audit_event_operation", "clinic_id", "operation", "id"),
        Index("uq_audit_event_seq", "clinic_id", "seq", unique=True),
        Index(
            "ix_audit_event_unsealed",
            "clinic_id",
            "id",
            sqlite_where=text("seq IS NULL"),
            postgresql_where=text("seq IS NULL"),
        ),
        Index(  # refusals are few, and what an auditor asks for first
            "ix_audit_event_refused",
            "clinic_id",
            "id",
            sqlite_where=text("outcome <> 'done'"),
            postgresql_where=text("outcome <> 'done'"),
        ),
        CheckConstraint("(seq IS NULL) = (hash IS NULL)", "sealed"),
        {"info": TENANT},
    )

    at: Mapped[datetime]
    account_id: Mapped[UUID | None] = mapped_column(default=None)
    """None: nobody known, as at a failed sign-in."""
    role: Mapped[Role | None] = mapped_column(default=None)
    operation: Mapped[str]
    """The operationId of the API, or the command of the console."""
    writes: Mapped[bool]
    outcome: Mapped[str]
    """`done`, or the code of the refusal."""
    patient_id: Mapped[UUID | None] = mapped_column(default=None)
    """Whose record; None: nobody's in particular, or one that is not there."""
    asked: Mapped[str | None] = mapped_column(default=None)
    """The path that was asked for."""
    address: Mapped[str | None] = mapped_column(default=None)
    request_id: Mapped[str | None] = mapped_column(default=None)
    seq: Mapped[int | None] = mapped_column(BigInteger, default=None)
    """The place in the clinic's chain, given when it is sealed."""
    hash: Mapped[bytes | None] = mapped_column(LargeBinary(32), default=None)
    """SHA-256 over the event and the hash before it."""


class AuditHead(Tenant, Base, kw_only=True):
    """The end of a clinic's chain, held while it is lengthened."""

    __tablename__ = "audit_head"
    __table_args__ = (of_clinic(), {"info": TENANT})

    seq: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
