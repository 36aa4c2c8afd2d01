"""Attempts to reach a patient, and what came of them."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from models.tables.base import TENANT, Base, Identified, of


class Channel(StrEnum):
    """How someone tried."""

    PHONE = "phone"
    MESSAGE = "message"
    VISIT = "visit"
    MAIL = "mail"
    OTHER = "other"


class Reached(StrEnum):
    """What came of it."""

    REACHED_AGREED = "reached_agreed"
    REACHED_CHANGED_PLAN = "reached_changed_plan"
    REACHED_DECLINED = "reached_declined"
    NO_ANSWER = "no_answer"
    WRONG_NUMBER = "wrong_number"
    REFERRED_ON = "referred_on"
    OTHER = "other"


class Outreach(Identified, Base, kw_only=True):
    """One attempt to reach a patient. Never changed once written."""

    __tablename__ = "outreach"
    __table_args__ = (
        of("patient", "patient_id"),
        of("program", "program_id"),
        of("flag", "flag_id"),
        of("account", "made_by"),
        Index("ix_outreach_patient", "clinic_id", "patient_id", "at", "id"),
        Index("ix_outreach_flag", "clinic_id", "flag_id"),
        {"info": TENANT},
    )

    patient_id: Mapped[UUID]
    program_id: Mapped[UUID | None] = mapped_column(default=None)
    flag_id: Mapped[UUID | None] = mapped_column(default=None)
    """The flag it answers, if it answers one."""
    at: Mapped[datetime]
    local_date: Mapped[date]
    """The patient's date at the time, from which a return is counted."""
    made_by: Mapped[UUID]
    channel: Mapped[Channel]
    outcome: Mapped[Reached]
    next_step: Mapped[str | None] = mapped_column(default=None)
    next_step_on: Mapped[date | None] = mapped_column(default=None)
    note: Mapped[str | None] = mapped_column(default=None)
    created_at: Mapped[datetime]
