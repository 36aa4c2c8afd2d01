"""What patients agreed to, and the facts a clinic must keep of somebody who was erased."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from models.tables.base import TENANT, Base, Identified, Tenant, of
from models.tables.patient import ConsentBy


class Consent(Identified, Base, kw_only=True):
    """One agreement to one purpose, to the text that was shown. Withdrawn, never removed, while the record lives."""

    __tablename__ = "consent"
    __table_args__ = (
        of("patient", "patient_id"),
        of("account", "recorded_by"),
        Index("ix_consent_patient", "clinic_id", "patient_id", "purpose"),
        {"info": TENANT},
    )

    patient_id: Mapped[UUID]
    purpose: Mapped[str]
    """What for, a word of an open vocabulary."""
    text_version: Mapped[str]
    """Which text was shown."""
    given_by: Mapped[ConsentBy]
    given_name: Mapped[str | None] = mapped_column(default=None)
    """The guardian's name, where it was not the patient."""
    given_at: Mapped[datetime]
    recorded_by: Mapped[UUID]
    created_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None] = mapped_column(default=None)
    withdrawn_by: Mapped[UUID | None] = mapped_column(default=None)


class KeptFacts(Tenant, Base, kw_only=True):
    """Some rows of one table of an erased patient, as far as they are clinical facts. Nothing but the console reads
    them, until the day they are due to go.
    """

    __tablename__ = "kept_facts"
    __table_args__ = (
        of("patient", "patient_id"),
        Index("ix_kept_facts_until", "clinic_id", "until"),
        {"info": TENANT},
    )

    patient_id: Mapped[UUID] = mapped_column(primary_key=True)
    of_table: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    rows: Mapped[list[Any]]
    until: Mapped[date]
    """The first day on which the clinic need not keep them."""
