"""Patients, what they have, how they were screened, and how they are invited."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from models.tables.base import TENANT, Base, Identified, lookup, of, of_clinic


class ConditionStatus(StrEnum):
    """How sure a condition is."""

    SUSPECTED = "suspected"
    CONFIRMED = "confirmed"
    RESOLVED = "resolved"


class Patient(Identified, Base, kw_only=True):
    """Someone in a therapist's care."""

    __tablename__ = "patient"
    __table_args__ = (
        of_clinic(),
        of("account", "therapist_id"),
        of("account", "account_id"),
        Index("ix_patient_name", "clinic_id", "family_name", "given_name", "id"),
        Index("uq_patient_account", "clinic_id", "account_id", unique=True),
        Index("ix_patient_therapist", "clinic_id", "therapist_id"),
        CheckConstraint("minutes_available BETWEEN 1 AND 240", "minutes_available"),
        {"info": TENANT},
    )

    given_name: Mapped[str]
    family_name: Mapped[str]
    birth_date: Mapped[date | None] = mapped_column(default=None)
    email: Mapped[str | None] = mapped_column(default=None)
    phone: Mapped[str | None] = mapped_column(default=None)
    time_zone: Mapped[str]
    language: Mapped[str]
    therapist_id: Mapped[UUID | None] = mapped_column(default=None)
    account_id: Mapped[UUID | None] = mapped_column(default=None)
    """The patient's own login, made when an invitation is first used."""
    equipment: Mapped[list[str]] = mapped_column(default_factory=list)
    minutes_available: Mapped[int | None] = mapped_column(default=None)
    falls_risk: Mapped[bool | None] = mapped_column(default=None)
    can_get_up_from_floor: Mapped[bool | None] = mapped_column(default=None)
    preferences: Mapped[dict[str, Any]] = mapped_column(default_factory=dict)
    version: Mapped[int] = mapped_column(default=1)
    change_number: Mapped[int] = mapped_column(BigInteger, default=0)
    """Counts every change a phone of the patient has to hear of. It is raised while this row is held, until the end of
    the transaction: whoever reads a number has every lower one committed (docs/decisions/0005).
    """
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None] = mapped_column(default=None)
    """When they were erased: this row is all that is left, and it says nothing of them."""
    erased_because: Mapped[str | None] = mapped_column(default=None)
    erased_by: Mapped[UUID | None] = mapped_column(default=None)
    """None: it was time."""
    kept_until: Mapped[date | None] = mapped_column(default=None)
    """The first day on which the facts in `kept_facts` need not be kept; None: nothing was."""


class ConsentBy(StrEnum):
    """Who agreed."""

    PATIENT = "patient"
    GUARDIAN = "guardian"


class Proxy(Identified, Base, kw_only=True):
    """A carer named for one patient, with the consent that lets them in. One account is for one patient."""

    __tablename__ = "proxy"
    __table_args__ = (
        of("patient", "patient_id"),
        of("account", "account_id"),
        of("account", "named_by"),
        Index("uq_proxy_account", "clinic_id", "account_id", unique=True),
        Index("ix_proxy_patient", "clinic_id", "patient_id"),
        {"info": TENANT},
    )

    patient_id: Mapped[UUID]
    account_id: Mapped[UUID]
    relationship: Mapped[str]
    """What they are to the patient, in the clinic's words."""
    consent_by: Mapped[ConsentBy]
    consent_name: Mapped[str | None] = mapped_column(default=None)
    """The guardian's name, where it was not the patient."""
    consented_on: Mapped[date]
    named_by: Mapped[UUID]
    """Who recorded the consent."""
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None] = mapped_column(default=None)
    ended_by: Mapped[UUID | None] = mapped_column(default=None)


class Condition(Identified, Base, kw_only=True):
    """What a patient has, as the safety rules need to know it."""

    __tablename__ = "condition"
    __table_args__ = (
        of("patient", "patient_id"),
        Index("ix_condition_patient", "clinic_id", "patient_id"),
        {"info": TENANT},
    )

    patient_id: Mapped[UUID]
    code: Mapped[str]
    status: Mapped[ConditionStatus]
    onset_on: Mapped[date | None] = mapped_column(default=None)
    side: Mapped[str | None] = mapped_column(default=None)
    joints: Mapped[list[str]] = mapped_column(default_factory=list)
    details: Mapped[dict[str, Any]] = mapped_column(default_factory=dict)
    """What only this condition has: neck status, steroid dose, bone status, clearances, direction preference."""
    source: Mapped[str | None] = mapped_column(default=None)
    review_on: Mapped[date | None] = mapped_column(default=None)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime | None] = mapped_column(default=None)
    """When it was last amended."""


class Screening(Identified, Base, kw_only=True):
    """The red-flag questions asked once, and what was answered."""

    __tablename__ = "screening"
    __table_args__ = (
        of("patient", "patient_id"),
        of("account", "screened_by"),
        Index("ix_screening_patient", "clinic_id", "patient_id", "screened_at"),
        {"info": TENANT},
    )

    patient_id: Mapped[UUID]
    screened_by: Mapped[UUID]
    screened_at: Mapped[datetime]
    answers: Mapped[dict[str, Any]]
    """Red-flag id → whether it is present."""
    note: Mapped[str | None] = mapped_column(default=None)


class Examination(Identified, Base, kw_only=True):
    """What was measured and asked in the clinic on one day; what was left out was not examined."""

    __tablename__ = "examination"
    __table_args__ = (
        of("patient", "patient_id"),
        of("account", "examined_by"),
        Index("ix_examination_patient", "clinic_id", "patient_id", "examined_at"),
        CheckConstraint("pain BETWEEN 0 AND 10", "pain"),
        CheckConstraint("function BETWEEN 0 AND 10", "function"),
        CheckConstraint("confidence BETWEEN 0 AND 10", "confidence"),
        CheckConstraint("importance BETWEEN 0 AND 10", "importance"),
        {"info": TENANT},
    )

    patient_id: Mapped[UUID]
    examined_by: Mapped[UUID]
    examined_at: Mapped[datetime]
    pain: Mapped[int | None] = mapped_column(default=None)
    """Average of the last week, 0-10."""
    function: Mapped[float | None] = mapped_column(default=None)
    """Mean of the patient's own activities, 0-10, 10 as before (patient-specific functional scale)."""
    confidence: Mapped[int | None] = mapped_column(default=None)
    importance: Mapped[int | None] = mapped_column(default=None)
    systolic: Mapped[int | None] = mapped_column(default=None)
    """mmHg."""
    diastolic: Mapped[int | None] = mapped_column(default=None)
    resting_pulse: Mapped[int | None] = mapped_column(default=None)
    """Beats a minute."""
    low_pressure_symptoms: Mapped[bool | None] = mapped_column(default=None)
    tests: Mapped[dict[str, Any]] = mapped_column(default_factory=dict)
    """Physical test → result: sit_to_stand_30s, balance_stage, side_plank_seconds, walk_minutes …"""
    note: Mapped[str | None] = mapped_column(default=None)


class Invitation(Identified, Base, kw_only=True):
    """A single-use code that binds a phone to a patient."""

    __tablename__ = "invitation"
    __table_args__ = (
        of("patient", "patient_id"),
        of("account", "invited_by"),
        of("proxy", "proxy_id"),
        Index("ix_invitation_patient", "clinic_id", "patient_id"),
        {"info": TENANT},
    )

    patient_id: Mapped[UUID]
    proxy_id: Mapped[UUID | None] = mapped_column(default=None)
    """The carer it is for, where it is not for the patient."""
    invited_by: Mapped[UUID]
    code_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    failures: Mapped[int] = mapped_column(default=0)
    """Wrong birth dates given with the right code."""
    ended_at: Mapped[datetime | None] = mapped_column(default=None)
    ended_because: Mapped[str | None] = mapped_column(default=None)


class InvitationCode(Base, kw_only=True):
    """Whose invitation a code is; only its SHA-256 is kept."""

    __tablename__ = "invitation_code"
    __table_args__ = {"info": lookup("code_hash")}

    code_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    clinic_id: Mapped[UUID]
    invitation_id: Mapped[UUID]
