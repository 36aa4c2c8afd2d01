"""What is known of a patient's health: conditions, and what was examined."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from models.adherence.measures import MEASURES, wrong
from models.operations.callers import Caller
from models.operations.dangers import mark_endangered
from models.operations.ids import new_id
from models.operations.patients import patient
from models.refusals import Invalid, Unknown, VersionMismatch
from models.safety import facts
from models.safety.conditions import effective, errors
from models.tables import Condition, ConditionStatus, Examination, Patient


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionDraft:
    """What staff say of one condition."""

    code: str
    status: ConditionStatus
    onset_on: date | None = None
    side: str | None = None
    joints: Sequence[str] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    source: str | None = None
    review_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExaminationDraft:
    """What was measured and asked; what is left out was not."""

    pain: int | None = None
    function: float | None = None
    confidence: int | None = None
    importance: int | None = None
    systolic: int | None = None
    diastolic: int | None = None
    resting_pulse: int | None = None
    low_pressure_symptoms: bool | None = None
    tests: Mapping[str, Any] = field(default_factory=dict)
    note: str | None = None


def conditions_of(tx: Session, caller: Caller, patient_id: UUID) -> Sequence[Condition]:
    """What a patient has or had, as it was recorded."""
    known = patient(tx, caller, patient_id)
    return tx.scalars(_conditions(known).order_by(Condition.id)).all()


def derived_conditions(tx: Session, caller: Caller, patient_id: UUID, *, now: datetime) -> list[str]:
    """What follows today from what was recorded: long-term steroids, an unstable neck, falls risk."""
    known = patient(tx, caller, patient_id)
    rows = tx.scalars(_conditions(known).where(Condition.status != ConditionStatus.RESOLVED)).all()
    recorded = facts.Patient(
        falls_risk=known.falls_risk,
        conditions=tuple(
            facts.Condition(code=row.code, onset_on=row.onset_on, joints=frozenset(row.joints), details=row.details)
            for row in rows
        ),
    )
    today = now.astimezone(ZoneInfo(known.time_zone)).date()
    return sorted({one.code for one in effective(recorded, today)} - {row.code for row in rows})


def record_condition(
    tx: Session, caller: Caller, patient_id: UUID, draft: ConditionDraft, *, now: datetime
) -> Condition:
    """Record one more condition. The patient is held, so that a program handed over at the same moment sees it."""
    known = patient(tx, caller, patient_id, lock=True)
    _check(known, draft, now)
    recorded = Condition(
        clinic_id=caller.clinic_id, id=new_id(now), patient_id=known.id, created_at=now, **_columns(draft)
    )
    tx.add(recorded)
    mark_endangered(tx, caller.clinic_id, known.id, now=now)
    return recorded


def condition(tx: Session, caller: Caller, patient_id: UUID, condition_id: UUID, *, lock: bool = False) -> Condition:
    """One condition of a patient in the caller's sight."""
    known = patient(tx, caller, patient_id)
    stmt = _conditions(known).where(Condition.id == condition_id)
    found = tx.scalars(stmt.with_for_update() if lock else stmt).one_or_none()
    if found is None:
        raise Unknown(f"No condition {condition_id}.")
    return found


def amend_condition(
    tx: Session,
    caller: Caller,
    patient_id: UUID,
    condition_id: UUID,
    draft: ConditionDraft,
    *,
    version: int,
    now: datetime,
) -> Condition:
    """Replace what is known of a condition; a condition that is over is resolved, never removed."""
    known = patient(tx, caller, patient_id, lock=True)
    held = condition(tx, caller, patient_id, condition_id, lock=True)
    if held.version != version:
        raise VersionMismatch("Someone changed this condition meanwhile; read it again.")
    if draft.code != held.code:
        raise Invalid("A condition keeps its code; resolve it and record another.", field="/code")
    _check(known, draft, now)
    for name, value in _columns(draft).items():
        setattr(held, name, value)
    held.version, held.changed_at = held.version + 1, now
    mark_endangered(tx, caller.clinic_id, patient_id, now=now)
    return held


def examine(tx: Session, caller: Caller, patient_id: UUID, draft: ExaminationDraft, *, now: datetime) -> Examination:
    """Record what was measured and asked today."""
    known = patient(tx, caller, patient_id, lock=True)
    said = {one.name: getattr(draft, one.name) for one in fields(draft)}
    if not any(value not in (None, {}) for value in said.values()):
        raise Invalid("Say at least one thing that was examined.")
    for code, value in draft.tests.items():
        # A clinic may have tests of its own; of those that are measures the range is known.
        if code in MEASURES and (not isinstance(value, int | float) or isinstance(value, bool)):
            raise Invalid(f"{MEASURES[code].name} is a number.", field=f"/tests/{code}")
        if code in MEASURES and (problem := wrong(code, value)):
            raise Invalid(problem, field=f"/tests/{code}")
    examined = Examination(
        clinic_id=caller.clinic_id,
        id=new_id(now),
        patient_id=known.id,
        examined_by=caller.account_id,
        examined_at=now,
        **(said | {"tests": dict(draft.tests)}),
    )
    tx.add(examined)
    mark_endangered(tx, caller.clinic_id, known.id, now=now)
    return examined


def examination(tx: Session, caller: Caller, patient_id: UUID, examination_id: UUID) -> Examination:
    """One examination of a patient in the caller's sight."""
    known = patient(tx, caller, patient_id)
    found = tx.get(Examination, {"clinic_id": known.clinic_id, "id": examination_id})
    if found is None or found.patient_id != known.id:
        raise Unknown(f"No examination {examination_id}.")
    return found


def examinations_of(tx: Session, caller: Caller, patient_id: UUID) -> Sequence[Examination]:
    """A patient's examinations, latest first."""
    known = patient(tx, caller, patient_id)
    return tx.scalars(
        select(Examination)
        .where(Examination.clinic_id == known.clinic_id, Examination.patient_id == known.id)
        .order_by(Examination.examined_at.desc(), Examination.id.desc())
        .limit(100)
    ).all()


def _conditions(known: Patient) -> Select[Condition]:
    return select(Condition).where(Condition.clinic_id == known.clinic_id, Condition.patient_id == known.id)


def _check(known: Patient, draft: ConditionDraft, now: datetime) -> None:
    today = now.astimezone(ZoneInfo(known.time_zone)).date()
    for pointer, sentence in errors(draft.code, draft.joints, draft.details, today, draft.onset_on):
        raise Invalid(sentence, field=pointer)
    if draft.onset_on is not None and draft.onset_on > today:
        raise Invalid("An onset lies in the past.", field="/onset_on")


def _columns(draft: ConditionDraft) -> dict[str, Any]:
    columns = {one.name: getattr(draft, one.name) for one in fields(draft)}
    return columns | {"joints": list(draft.joints), "details": dict(draft.details)}
