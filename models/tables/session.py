"""What patients logged, and what could not be accepted but is kept."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from models.tables.base import TENANT, Base, Identified, Tenant, of


class DoneShare(StrEnum):
    """How much of the day's list was done."""

    ALL = "all"
    SOME = "some"
    NONE = "none"


class Source(StrEnum):
    """Who said it."""

    PATIENT = "patient"
    THERAPIST = "therapist"


class SessionLog(Tenant, Base, kw_only=True):
    """One session the patient says they did, or did not. The phone makes its id; the patient is part of the key."""

    __tablename__ = "session"
    __table_args__ = (
        of("patient", "patient_id"),
        of("program", "program_id"),
        Index("ix_session_program_day", "clinic_id", "program_id", "local_date", "id"),
        CheckConstraint("pain_before BETWEEN 0 AND 10", "pain_before"),
        CheckConstraint("pain_during BETWEEN 0 AND 10", "pain_during"),
        CheckConstraint("pain_after BETWEEN 0 AND 10", "pain_after"),
        CheckConstraint("effort BETWEEN 0 AND 10", "effort"),
        {"info": TENANT},
    )

    patient_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    program_id: Mapped[UUID]
    performed_at: Mapped[datetime]
    time_zone: Mapped[str]
    local_date: Mapped[date]
    """The patient's date at the time; it never changes."""
    received_at: Mapped[datetime]
    source: Mapped[Source]
    device_id: Mapped[UUID | None] = mapped_column(default=None)
    done: Mapped[DoneShare]
    exercised: Mapped[bool]
    """Whether anything of it was exercise: ticking heat or advice is not."""
    reason: Mapped[str | None] = mapped_column(default=None)
    pain_before: Mapped[int | None] = mapped_column(default=None)
    pain_during: Mapped[int | None] = mapped_column(default=None)
    pain_after: Mapped[int | None] = mapped_column(default=None)
    effort: Mapped[int | None] = mapped_column(default=None)
    settled_by_morning: Mapped[bool | None] = mapped_column(default=None)
    """Whether the pain of the session before was back to usual by this morning."""
    chips: Mapped[list[str]] = mapped_column(default_factory=list)
    note: Mapped[str | None] = mapped_column(default=None)
    ext: Mapped[dict[str, Any] | None] = mapped_column(default=None)
    """What newer phones say that this version does not know; returned unchanged."""
    low_trust: Mapped[bool] = mapped_column(default=False)
    """Back-dated by more than seven days."""
    version: Mapped[int] = mapped_column(default=1)
    content_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    deleted_at: Mapped[datetime | None] = mapped_column(default=None)


class SessionEntry(Tenant, Base, kw_only=True):
    """One exercise of a session. An amount left out was done as prescribed."""

    __tablename__ = "session_entry"
    __table_args__ = (
        ForeignKeyConstraint(
            ["clinic_id", "patient_id", "session_id"], ["session.clinic_id", "session.patient_id", "session.id"]
        ),
        CheckConstraint("pain BETWEEN 0 AND 10", "pain"),
        {"info": TENANT},
    )

    patient_id: Mapped[UUID] = mapped_column(primary_key=True)
    session_id: Mapped[UUID] = mapped_column(primary_key=True)
    line_id: Mapped[UUID] = mapped_column(primary_key=True)
    sets: Mapped[int | None] = mapped_column(default=None)
    reps: Mapped[int | None] = mapped_column(default=None)
    hold_seconds: Mapped[int | None] = mapped_column(default=None)
    minutes: Mapped[float | None] = mapped_column(default=None)
    skipped: Mapped[bool] = mapped_column(default=False)
    reason: Mapped[str | None] = mapped_column(default=None)
    pain: Mapped[int | None] = mapped_column(default=None)
    not_sure: Mapped[bool] = mapped_column(default=False)


class RejectedSession(Identified, Base, kw_only=True):
    """A session that was refused, as it was sent: nothing a patient entered is lost."""

    __tablename__ = "rejected_session"
    __table_args__ = (
        of("account", "account_id"),
        Index("uq_rejected_session_body", "clinic_id", "account_id", "session_id", "content_hash", "code", unique=True),
        {"info": TENANT},
    )

    account_id: Mapped[UUID]
    patient_id: Mapped[UUID | None] = mapped_column(default=None)
    session_id: Mapped[UUID]
    body: Mapped[str]
    content_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    code: Mapped[str]
    """Why it was refused."""
    safety_raised: Mapped[bool]
    received_at: Mapped[datetime]
