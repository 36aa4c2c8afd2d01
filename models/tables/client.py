"""Other systems that call us, and how each proves that it is itself."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from models.tables.base import TENANT, Base, Identified, Tenant, of


class Client(Identified, Base, kw_only=True):
    """Another system a clinic lets in. What it is called and may do is its account's."""

    __tablename__ = "client"
    __table_args__ = (
        of("account", "account_id"),
        of("account", "created_by"),
        Index("uq_client_account", "clinic_id", "account_id", unique=True),
        CheckConstraint("(revoked_at IS NULL) = (revoked_by IS NULL)", "revoked"),
        {"info": TENANT},
    )

    account_id: Mapped[UUID]
    keys: Mapped[list[Any]]
    """Public keys as JWKs (RFC 7517)."""
    version: Mapped[int] = mapped_column(default=1)
    created_by: Mapped[UUID]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None] = mapped_column(default=None)
    revoked_by: Mapped[UUID | None] = mapped_column(default=None)


class UsedAssertion(Tenant, Base, kw_only=True):
    """An assertion that bought a token, kept while it could be said again."""

    __tablename__ = "used_assertion"
    __table_args__ = (of("client", "client_id"), {"info": TENANT})

    client_id: Mapped[UUID] = mapped_column(primary_key=True)
    jti_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    expires_at: Mapped[datetime]
