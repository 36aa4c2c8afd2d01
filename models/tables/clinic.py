"""Clinics: the tenants."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from models.tables.base import Base


class Clinic(Base, kw_only=True):
    """One tenant. Its id is the first part of the key of everything it owns."""

    __tablename__ = "clinic"
    __table_args__ = {"info": {"placement": "tenant", "shard": "id"}}

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    time_zone: Mapped[str]
    locale: Mapped[str]
    is_demo: Mapped[bool] = mapped_column(default=False)
    settings: Mapped[dict[str, Any]] = mapped_column(default_factory=dict)
    """Thresholds by rule id, where the clinic departs from the defaults."""
    shares_caseloads: Mapped[bool] = mapped_column(default=False)
    """Whether every therapist sees every patient, or only their own and those nobody treats yet."""
    cursor_key: Mapped[bytes] = mapped_column(LargeBinary(32))
    """Signs the cursors the clinic's phones carry."""
    created_at: Mapped[datetime]
