"""How long a clinic keeps records: its setting, whose time has come, and what has expired.

The default is that of § 630f (3) BGB: ten years after the end of the treatment. Nothing here runs by itself; the
console runs it (`followthrough retention`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, func, select, tuple_, union_all
from sqlalchemy.orm import Session

from models.operations import announcements, exports, rejects, sign_ins
from models.operations.callers import Caller
from models.operations.clinics import held_clinic
from models.operations.walls import within
from models.refusals import Unknown, VersionMismatch
from models.tables import (
    Announcement,
    Base,
    CheckIn,
    Clinic,
    Condition,
    Delivery,
    Examination,
    Export,
    Invitation,
    InvitationCode,
    KeptFacts,
    Measurement,
    Outreach,
    Patient,
    Program,
    ProgramStatus,
    RejectedSession,
    Reply,
    Screening,
    SessionLog,
    Token,
    WeeklyAnswer,
)

YEARS = 10
"""§ 630f (3) BGB."""
MOST_YEARS = 100
LEAST_YEARS = 1
"""A record is no candidate for removal by age before that, whatever the clinic keeps: whoever comes back after a summer
finds it.
"""
OVER_FOR = timedelta(days=90)
"""Invitations and replies are kept so long, as what was refused is."""
BATCH = 500
_SETTING = "retention"
_RUNNING = (ProgramStatus.ACTIVE, ProgramStatus.PAUSED)


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """A clinic's."""

    keep_records_years: int
    """Years after the end of a treatment for which its facts are kept, though the patient is erased; 0: not at all."""
    version: int


@dataclass(frozen=True, slots=True)
class Finished:
    """A patient whose time has come."""

    patient_id: UUID
    last_treated_on: date


def retention_settings(tx: Session, clinic_id: UUID) -> RetentionSettings:
    """What a clinic decided."""
    within(tx, clinic_id)
    clinic = tx.scalars(select(Clinic).where(Clinic.id == clinic_id)).one_or_none()
    if clinic is None:
        raise Unknown(f"No clinic {clinic_id}.")
    return _of(clinic)


def decide(tx: Session, caller: Caller, *, keep_records_years: int, version: int) -> RetentionSettings:
    """Keep the facts of records for so long; it counts for whoever is erased from now on."""
    clinic = held_clinic(tx, caller)
    if _of(clinic).version != version:
        raise VersionMismatch("Someone changed this meanwhile; read it again.")
    decided = {"keep_records_years": keep_records_years, "version": version + 1}
    clinic.settings = {**clinic.settings, _SETTING: decided}
    return _of(clinic)


def must_keep_until(tx: Session, clinic_id: UUID, patient_id: UUID, *, now: datetime) -> date | None:
    """The first day on which the facts of a patient who is erased now need not be kept; None: none need be. Being
    erased ends a treatment that runs.
    """
    years = retention_settings(tx, clinic_id).keep_records_years
    running = select(Program.id).where(
        Program.clinic_id == clinic_id, Program.patient_id == patient_id, Program.status.in_(_RUNNING)
    )
    runs = tx.scalars(running.limit(1)).first() is not None
    last = now.date() if runs else _last_treated(tx, clinic_id, [patient_id])[patient_id]
    until = _years_after(last, years)
    return until if until > now.date() else None


def finished(
    tx: Session, clinic_id: UUID, *, after: UUID | None = None, now: datetime, limit: int = BATCH
) -> tuple[list[Finished], UUID | None]:
    """Of the next `limit` patients in the order of their ids those whose treatment ended longer ago than the clinic
    keeps records; and the last id looked at, None at the end.

    A treatment has ended when no program runs and nothing happened since: no session, examination, answer or attempt
    to reach them; a check-in that is still to come holds it open.
    """
    years = max(retention_settings(tx, clinic_id).keep_records_years, LEAST_YEARS)
    stmt = select(Patient.id).where(Patient.clinic_id == clinic_id, Patient.deleted_at.is_(None), ~_runs(clinic_id))
    if after is not None:
        stmt = stmt.where(Patient.id > after)
    looked_at = tx.scalars(stmt.order_by(Patient.id).limit(limit)).all()
    last = _last_treated(tx, clinic_id, looked_at)
    for patient_id, due_on in _asked_next(tx, clinic_id, looked_at).items():
        last[patient_id] = max(last[patient_id], due_on)
    over = [Finished(one, last[one]) for one in looked_at if _years_after(last[one], years) <= now.date()]
    return over, looked_at[-1] if len(looked_at) == limit else None


def is_finished(tx: Session, clinic_id: UUID, patient_id: UUID, *, now: datetime) -> bool:
    """Whether that is so of one patient, still."""
    before = UUID(int=patient_id.int - 1)
    over, _ = finished(tx, clinic_id, after=before, now=now, limit=1)
    return [one.patient_id for one in over] == [patient_id]


def expired(clinic_id: UUID, *, now: datetime) -> dict[type[Base], ColumnElement[bool]]:
    """What is over, table by table, in the order in which it can be removed."""
    old = announcements.is_old(clinic_id, now)
    told = select(Announcement.id).where(old)
    return {
        Delivery: and_(Delivery.clinic_id == clinic_id, Delivery.announcement_id.in_(told)),
        Announcement: old,
        Token: sign_ins.is_expired(clinic_id, now),
        Reply: and_(Reply.clinic_id == clinic_id, Reply.created_at < now - OVER_FOR),
        RejectedSession: rejects.is_old(clinic_id, now),
        Invitation: and_(Invitation.clinic_id == clinic_id, Invitation.expires_at < now - OVER_FOR),
        Export: exports.is_forgotten(clinic_id, now),
        KeptFacts: and_(KeptFacts.clinic_id == clinic_id, KeptFacts.until <= now.date()),
    }


def count_expired(tx: Session, clinic_id: UUID, *, now: datetime) -> dict[str, int]:
    """How many rows are over, by table."""
    within(tx, clinic_id)
    return {
        str(table.__tablename__): tx.execute(select(func.count()).select_from(table).where(over)).scalar_one()
        for table, over in expired(clinic_id, now=now).items()
    }


def remove_expired(tx: Session, clinic_id: UUID, table: type[Base], *, now: datetime) -> int:
    """Remove the next rows of a table that are over; returns how many, 0 once all are."""
    within(tx, clinic_id)
    keys: list[Any] = list(table.__table__.primary_key)
    found = tx.execute(select(*keys).where(expired(clinic_id, now=now)[table]).order_by(*keys).limit(BATCH)).all()
    if not found:
        return 0
    those = [tuple(row) for row in found]
    if table is Invitation:
        forget_codes(tx, clinic_id, [invitation_id for _, invitation_id in those])
    tx.execute(
        delete(table).where(keys[0] == clinic_id, tuple_(*keys).in_(those)).execution_options(synchronize_session=False)
    )
    return len(those)


def forget_codes(tx: Session, clinic_id: UUID, invitations: Sequence[UUID]) -> None:
    """Forget the codes of invitations: they lie apart, each by its own digest."""
    hashes = tx.scalars(
        select(Invitation.code_hash).where(Invitation.clinic_id == clinic_id, Invitation.id.in_(invitations))
    ).all()
    tx.execute(
        delete(InvitationCode).where(InvitationCode.code_hash.in_(hashes)).execution_options(synchronize_session=False)
    )


def _of(clinic: Clinic) -> RetentionSettings:
    said = clinic.settings.get(_SETTING, {})
    return RetentionSettings(int(said.get("keep_records_years", YEARS)), int(said.get("version", 1)))


def _runs(clinic_id: UUID) -> ColumnElement[bool]:
    return (
        select(Program.id)
        .where(Program.clinic_id == clinic_id, Program.patient_id == Patient.id, Program.status.in_(_RUNNING))
        .exists()
    )


_TREATED: tuple[tuple[Any, Any], ...] = (
    (Patient.id, Patient.created_at),
    (Program.patient_id, func.coalesce(Program.ended_at, Program.created_at)),
    (SessionLog.patient_id, SessionLog.changed_at),
    (Condition.patient_id, func.coalesce(Condition.changed_at, Condition.created_at)),
    (Screening.patient_id, Screening.screened_at),
    (Examination.patient_id, Examination.examined_at),
    (Outreach.patient_id, Outreach.at),
    (CheckIn.patient_id, CheckIn.answered_at),
    (WeeklyAnswer.patient_id, WeeklyAnswer.answered_at),
    (Measurement.patient_id, Measurement.created_at),
)
"""Whose, and when something was done for them."""


def _last_treated(tx: Session, clinic_id: UUID, patients: Sequence[UUID]) -> dict[UUID, date]:
    """The day, UTC, on which something was last done for each."""
    instants = union_all(
        *(
            select(whose.label("patient_id"), func.max(at).label("at"))
            .where(whose.class_.clinic_id == clinic_id, whose.in_(patients))
            .group_by(whose)
            for whose, at in _TREATED
        )
    )
    found: dict[UUID, date] = {}
    for patient_id, at in tx.execute(instants):
        if at is not None:
            found[patient_id] = max(at.date(), found.get(patient_id, date.min))
    return found


def _asked_next(tx: Session, clinic_id: UUID, patients: Sequence[UUID]) -> dict[UUID, date]:
    """When each is last asked how they are, of those who have not answered yet."""
    rows = tx.execute(
        select(CheckIn.patient_id, func.max(CheckIn.due_on))
        .where(CheckIn.clinic_id == clinic_id, CheckIn.patient_id.in_(patients), CheckIn.version == 0)
        .group_by(CheckIn.patient_id)
    )
    return {patient_id: due_on for patient_id, due_on in rows}  # noqa: C416  (mypy reads rows so)


def _years_after(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # the 29th of February
        return date(day.year + years, 3, 1)
