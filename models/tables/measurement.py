"""What patients answer each week, and every score that was taken of them."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from models.tables.base import TENANT, Base, Identified, Tenant, of
from models.tables.session import Source


class TakenFrom(StrEnum):
    """Where a score comes from."""

    CLINIC = "clinic"
    WEEKLY = "weekly"
    CHECK_IN = "check_in"
    PATIENT = "patient"


class WeeklyAnswer(Tenant, Base, kw_only=True):
    """What a patient answered in one week: one row per patient and Monday, whoever asks how often."""

    __tablename__ = "weekly_answer"
    __table_args__ = (of("patient", "patient_id"), of("account", "answered_by"), {"info": TENANT})

    patient_id: Mapped[UUID] = mapped_column(primary_key=True)
    monday: Mapped[date] = mapped_column(primary_key=True)
    """Of the patient's local week."""
    answers: Mapped[dict[str, Any]]
    """Question → answer; what was not answered is left out."""
    content_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    version: Mapped[int]
    answered_on: Mapped[date]
    """The day of that week the answers are of; it never changes."""
    received_at: Mapped[datetime]
    """When it was first answered."""
    late: Mapped[bool]
    """First answered more than a week after the week was over: accepted, and marked."""
    answered_at: Mapped[datetime]
    """When this version came."""
    answered_by: Mapped[UUID]
    source: Mapped[Source]


class AnswerVersion(Tenant, Base, kw_only=True):
    """What was answered to a check-in or in a week before it was amended. Never changed once written."""

    __tablename__ = "answer_version"
    __table_args__ = (of("patient", "patient_id"), of("account", "answered_by"), {"info": TENANT})

    patient_id: Mapped[UUID] = mapped_column(primary_key=True)
    asked: Mapped[TakenFrom] = mapped_column(primary_key=True)
    """A check-in, or the questions of a week."""
    answer: Mapped[str] = mapped_column(primary_key=True)
    """Which: the check-in, or the Monday."""
    version: Mapped[int] = mapped_column(primary_key=True)
    answers: Mapped[dict[str, Any]]
    content_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    """By which a phone that repeats what it once said is recognised."""
    answered_at: Mapped[datetime]
    answered_by: Mapped[UUID]
    source: Mapped[Source]
    replaced_at: Mapped[datetime]


class Measurement(Identified, Base, kw_only=True):
    """One score of one measure on one local day."""

    __tablename__ = "measurement"
    __table_args__ = (
        of("patient", "patient_id"),
        of("account", "recorded_by"),
        Index("ix_measurement_patient", "clinic_id", "patient_id", "code", "taken_on"),
        Index("uq_measurement_answer", "clinic_id", "patient_id", "source", "answer", "code", unique=True),
        {"info": TENANT},
    )

    patient_id: Mapped[UUID]
    code: Mapped[str]
    taken_on: Mapped[date]
    score: Mapped[float]
    parts: Mapped[dict[str, Any] | None] = mapped_column(default=None)
    """What the score was made of: the activities, the psychosocial subscale."""
    source: Mapped[TakenFrom]
    answer: Mapped[str | None] = mapped_column(default=None)
    """Whose answer it is: the check-in, or the Monday."""
    recorded_by: Mapped[UUID]
    created_at: Mapped[datetime]
