"""Programs and their immutable prescriptions."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from models.prescription.dosage import Side
from models.tables.base import TENANT, Base, Identified, Tenant, of, of_clinic
from models.tables.session import Source


class ProgramType(StrEnum):
    """What a program is for."""

    PRESCRIBED = "prescribed"
    MAINTENANCE = "maintenance"
    SELF_DIRECTED = "self_directed"


class ProgramStatus(StrEnum):
    """Where a program is in its life."""

    DRAFT = "draft"
    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"
    DISCHARGED = "discharged"
    WITHDRAWN = "withdrawn"


class PauseReason(StrEnum):
    """Why nothing is expected for a while."""

    HOLIDAY = "holiday"
    ILLNESS = "illness"
    FLARE = "flare"
    HOLD = "hold"
    OTHER = "other"


class PhaseKind(StrEnum):
    """Whether a phase stands for days of the course, or for flare days."""

    COURSE = "course"
    FLARE = "flare"


class Deed(StrEnum):
    """What a safety check let through."""

    ACTIVATE = "activate"
    REVISE = "revise"
    DISCHARGE = "discharge"


class TeachBack(StrEnum):
    """Whether the patient showed the exercise back."""

    SHOWN = "shown"
    PARTLY = "partly"
    NOT = "not"


class Program(Identified, Base, kw_only=True):
    """One patient's course of exercise."""

    __tablename__ = "program"
    __table_args__ = (
        of("patient", "patient_id"),
        of("account", "created_by"),
        of("program", "previous_program_id"),
        ForeignKeyConstraint(
            ["clinic_id", "own_protocol_slug", "protocol_version"],
            ["own_protocol.clinic_id", "own_protocol.slug", "own_protocol.version"],
        ),
        Index("ix_program_patient", "clinic_id", "patient_id", "id"),
        CheckConstraint("ended_on IS NULL OR ended_on >= starts_on", "ends_after_start"),
        {"info": TENANT},
    )

    patient_id: Mapped[UUID]
    type: Mapped[ProgramType]
    status: Mapped[ProgramStatus]
    title: Mapped[str]
    protocol_slug: Mapped[str | None] = mapped_column(ForeignKey("protocol.slug"), default=None)
    own_protocol_slug: Mapped[str | None] = mapped_column(default=None)
    """Of the two kinds of protocol at most one is named."""
    protocol_version: Mapped[int | None] = mapped_column(default=None)
    """As it was when it was prescribed: editing a protocol never touches a program."""
    previous_program_id: Mapped[UUID | None] = mapped_column(default=None)
    goal: Mapped[str | None] = mapped_column(default=None)
    starts_on: Mapped[date]
    review_due_on: Mapped[date | None] = mapped_column(default=None)
    created_by: Mapped[UUID]
    created_at: Mapped[datetime]
    activated_at: Mapped[datetime | None] = mapped_column(default=None)
    ended_on: Mapped[date | None] = mapped_column(default=None)
    """The last local day that counts."""
    ended_at: Mapped[datetime | None] = mapped_column(default=None)
    """When the end was written."""
    end_reason: Mapped[str | None] = mapped_column(default=None)
    end_note: Mapped[str | None] = mapped_column(default=None)
    """What the patient added when they stopped."""
    version: Mapped[int] = mapped_column(default=1)
    change_number: Mapped[int] = mapped_column(BigInteger, default=0)
    """When it last changed for the patient, among all changes to their record (`Patient.change_number`)."""


class Revision(Tenant, Base, kw_only=True):
    """One version of a prescription. Never changed once written: adherence is judged by the one in force that day."""

    __tablename__ = "revision"
    __table_args__ = (
        of("program", "program_id"),
        of("account", "author_id"),
        CheckConstraint("number >= 1", "number"),
        {"info": TENANT},
    )

    program_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    effective_on: Mapped[date]
    author_id: Mapped[UUID]
    note: Mapped[str | None] = mapped_column(default=None)
    created_at: Mapped[datetime]


class Phase(Tenant, Base, kw_only=True):
    """A stretch of a program's days, counted from 1, or the plan for flare days."""

    __tablename__ = "phase"
    __table_args__ = (
        ForeignKeyConstraint(
            ["clinic_id", "program_id", "revision_number"],
            ["revision.clinic_id", "revision.program_id", "revision.number"],
        ),
        CheckConstraint("from_day >= 1 AND (to_day IS NULL OR to_day >= from_day)", "days"),
        {"info": TENANT},
    )

    program_id: Mapped[UUID] = mapped_column(primary_key=True)
    revision_number: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[PhaseKind] = mapped_column(default=PhaseKind.COURSE)
    """A flare phase is authorised with its revision and stands for the days the patient declares."""
    label: Mapped[str]
    from_day: Mapped[int]
    to_day: Mapped[int | None]
    """None runs on until the program is revised or ends."""


class Item(Tenant, Base, kw_only=True):
    """One exercise of a phase, or one thing to do beside them, with its dosage. `line_id` stays the same from revision
    to revision.
    """

    __tablename__ = "item"
    __table_args__ = (
        ForeignKeyConstraint(
            ["clinic_id", "program_id", "revision_number", "phase_number"],
            ["phase.clinic_id", "phase.program_id", "phase.revision_number", "phase.number"],
        ),
        CheckConstraint("sets BETWEEN 1 AND 6", "sets"),
        CheckConstraint("reps BETWEEN 1 AND 30", "reps"),
        CheckConstraint("hold_seconds BETWEEN 1 AND 60", "hold_seconds"),
        CheckConstraint("rest_seconds BETWEEN 0 AND 180", "rest_seconds"),
        CheckConstraint("duration_minutes BETWEEN 0.5 AND 90", "duration_minutes"),
        CheckConstraint("distance_m BETWEEN 10 AND 20000", "distance_m"),
        CheckConstraint("load_kg BETWEEN 0.25 AND 60", "load_kg"),
        CheckConstraint("rpe_target BETWEEN 0 AND 8", "rpe_target"),
        CheckConstraint("pain_limit BETWEEN 0 AND 10", "pain_limit"),
        CheckConstraint("sessions_per_day BETWEEN 1 AND 8", "sessions_per_day"),
        CheckConstraint("days_per_week BETWEEN 1 AND 7", "days_per_week"),
        CheckConstraint("every_n_days BETWEEN 2 AND 30", "every_n_days"),
        CheckConstraint(
            "(CASE WHEN days_per_week IS NULL THEN 0 ELSE 1 END) + (CASE WHEN weekdays IS NULL THEN 0 ELSE 1 END)"
            " + (CASE WHEN every_n_days IS NULL THEN 0 ELSE 1 END)"
            " + (CASE WHEN as_needed_max_per_day IS NULL THEN 0 ELSE 1 END) = 1",
            "one_frequency",
        ),
        CheckConstraint("(exercise_slug IS NULL) <> (care_slug IS NULL)", "one_thing"),
        {"info": TENANT},
    )

    program_id: Mapped[UUID] = mapped_column(primary_key=True)
    revision_number: Mapped[int] = mapped_column(primary_key=True)
    line_id: Mapped[UUID] = mapped_column(primary_key=True)
    phase_number: Mapped[int]
    position: Mapped[int]
    exercise_slug: Mapped[str | None] = mapped_column(ForeignKey("exercise.slug"), default=None)
    care_slug: Mapped[str | None] = mapped_column(ForeignKey("care.slug"), default=None)
    side: Mapped[Side | None] = mapped_column(default=None)
    goal: Mapped[str | None] = mapped_column(default=None)
    sets: Mapped[int | None] = mapped_column(default=None)
    reps: Mapped[int | None] = mapped_column(default=None)
    hold_seconds: Mapped[int | None] = mapped_column(default=None)
    tempo: Mapped[list[int] | None] = mapped_column(default=None)
    """Seconds up, hold, down, rest."""
    rest_seconds: Mapped[int | None] = mapped_column(default=None)
    duration_minutes: Mapped[float | None] = mapped_column(default=None)
    distance_m: Mapped[int | None] = mapped_column(default=None)
    load_kg: Mapped[float | None] = mapped_column(default=None)
    band: Mapped[str | None] = mapped_column(default=None)
    rpe_target: Mapped[int | None] = mapped_column(default=None)
    pain_limit: Mapped[int] = mapped_column(default=5)
    sessions_per_day: Mapped[int] = mapped_column(default=1)
    days_per_week: Mapped[int | None] = mapped_column(default=None)
    weekdays: Mapped[list[int] | None] = mapped_column(default=None)
    """Monday is 0."""
    every_n_days: Mapped[int | None] = mapped_column(default=None)
    as_needed_max_per_day: Mapped[int | None] = mapped_column(default=None)


class Pause(Identified, Base, kw_only=True):
    """Local days, both included, on which nothing is expected."""

    __tablename__ = "pause"
    __table_args__ = (
        of("program", "program_id"),
        of("account", "declared_by"),
        Index("ix_pause_program", "clinic_id", "program_id"),
        CheckConstraint("to_on >= from_on", "days"),
        {"info": TENANT},
    )

    program_id: Mapped[UUID]
    from_on: Mapped[date]
    to_on: Mapped[date]
    from_at: Mapped[datetime]
    until_at: Mapped[datetime]
    """The same days as instants in the patient's present zone: between them the patient is on nobody's list."""
    reason: Mapped[PauseReason]
    declared_by: Mapped[UUID]
    created_at: Mapped[datetime]
    lifted_on: Mapped[date | None] = mapped_column(default=None)
    """The first local day it no longer holds, where it was ended early."""
    lifted_by: Mapped[UUID | None] = mapped_column(default=None)
    lifted_at: Mapped[datetime | None] = mapped_column(default=None)


class Flare(Identified, Base, kw_only=True):
    """Local days, both included, on which the plan for flare days stands in for the course."""

    __tablename__ = "flare"
    __table_args__ = (
        of("program", "program_id"),
        of("account", "declared_by"),
        Index("ix_flare_program", "clinic_id", "program_id"),
        CheckConstraint("to_on >= from_on", "days"),
        {"info": TENANT},
    )

    program_id: Mapped[UUID]
    from_on: Mapped[date]
    to_on: Mapped[date]
    ended_on: Mapped[date | None] = mapped_column(default=None)
    """The last flare day, where it was ended early."""
    ended_at: Mapped[datetime | None] = mapped_column(default=None)
    joints: Mapped[list[str]]
    note: Mapped[str | None] = mapped_column(default=None)
    declared_by: Mapped[UUID]
    created_at: Mapped[datetime]


class Teaching(Identified, Base, kw_only=True):
    """One exercise taught in person, and whether the patient showed it back."""

    __tablename__ = "teaching"
    __table_args__ = (
        of("program", "program_id"),
        of("account", "taught_by"),
        Index("ix_teaching_program", "clinic_id", "program_id", "line_id"),
        {"info": TENANT},
    )

    program_id: Mapped[UUID]
    line_id: Mapped[UUID]
    taught_on: Mapped[date]
    teach_back: Mapped[TeachBack]
    taught_by: Mapped[UUID]
    created_at: Mapped[datetime]


class SafetyCheck(Identified, Base, kw_only=True):
    """What the safety rules said when a revision was let through, and what the therapist answered: the record of every
    override. Never changed once written.
    """

    __tablename__ = "safety_check"
    __table_args__ = (
        of("program", "program_id"),
        of("account", "checked_by"),
        Index("ix_safety_check_program", "clinic_id", "program_id", "checked_at"),
        {"info": TENANT},
    )

    program_id: Mapped[UUID]
    revision_number: Mapped[int]
    deed: Mapped[Deed]
    checked_by: Mapped[UUID]
    checked_at: Mapped[datetime]
    findings: Mapped[list[Any]]
    """Every finding as it was shown, rule and version with it."""
    decisions: Mapped[dict[str, Any]]
    """Finding key → {reason or None, by, at, rule_version, message}: overridden with a reason, or acknowledged."""


class Review(Identified, Base, kw_only=True):
    """A therapist looked at a running program and decided how it goes on."""

    __tablename__ = "review"
    __table_args__ = (
        of("program", "program_id"),
        of("account", "reviewed_by"),
        Index("ix_review_program", "clinic_id", "program_id"),
        {"info": TENANT},
    )

    program_id: Mapped[UUID]
    reviewed_by: Mapped[UUID]
    reviewed_at: Mapped[datetime]
    note: Mapped[str | None] = mapped_column(default=None)
    next_review_on: Mapped[date | None]


class CheckIn(Identified, Base, kw_only=True):
    """Questions after discharge, at their month, and what was answered."""

    __tablename__ = "check_in"
    __table_args__ = (
        of("patient", "patient_id"),
        of("program", "program_id"),
        of("account", "answered_by"),
        Index("uq_check_in_month", "clinic_id", "program_id", "month", unique=True),
        Index("ix_check_in_due", "clinic_id", "due_on"),
        Index("ix_check_in_patient", "clinic_id", "patient_id", "due_on"),
        CheckConstraint("month BETWEEN 1 AND 60", "month"),
        CheckConstraint("(version = 0) = (answers IS NULL)", "answered"),
        {"info": TENANT},
    )

    patient_id: Mapped[UUID]
    program_id: Mapped[UUID]
    """The program that was discharged."""
    month: Mapped[int]
    due_on: Mapped[date]
    created_at: Mapped[datetime]
    answers: Mapped[dict[str, Any] | None] = mapped_column(default=None)
    """Question → answer; what was not answered is left out."""
    content_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32), default=None)
    version: Mapped[int] = mapped_column(default=0)
    """0 until it is answered."""
    answered_on: Mapped[date | None] = mapped_column(default=None)
    """The patient's date when it was first answered; it never changes."""
    answered_at: Mapped[datetime | None] = mapped_column(default=None)
    answered_by: Mapped[UUID | None] = mapped_column(default=None)
    source: Mapped[Source | None] = mapped_column(default=None)


class OwnProtocol(Tenant, Base, kw_only=True):
    """One version of a clinic's own protocol. Never changed once written; the highest version counts."""

    __tablename__ = "own_protocol"
    __table_args__ = (of_clinic(), of("account", "author_id"), {"info": TENANT})

    slug: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    indication: Mapped[str]
    conditions: Mapped[list[str]]
    phases: Mapped[list[Any]]
    """As in `Protocol`."""
    maintenance: Mapped[list[Any]]
    progression: Mapped[str]
    not_for: Mapped[str]
    author_id: Mapped[UUID]
    created_at: Mapped[datetime]
    retired_at: Mapped[datetime | None] = mapped_column(default=None)
