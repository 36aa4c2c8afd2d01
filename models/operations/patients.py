"""Patients: who may see them, what is known of them, how they are screened and invited."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select, tuple_, update
from sqlalchemy.orm import Session

from models.adherence.schedule import midnight_after
from models.operations.accounts import check_time_zone
from models.operations.callers import Caller
from models.operations.courses import change, courses, last_day
from models.operations.credentials import code_hash, new_code
from models.operations.dangers import mark_endangered
from models.operations.flags import Because, Heard, raise_alarms
from models.operations.ids import new_id
from models.operations.policy import visible_patients
from models.operations.standings import restate
from models.refusals import Invalid, Unknown, VersionMismatch
from models.safety.red_flags import RED_FLAGS, alarms
from models.tables import Account, Clinic, Invitation, InvitationCode, Patient, Program, ProgramStatus, Role, Screening

INVITATION_LASTS = timedelta(hours=72)


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientDraft:
    """What staff say of a patient."""

    given_name: str
    family_name: str
    birth_date: date | None = None
    email: str | None = None
    phone: str | None = None
    time_zone: str | None = None
    """IANA name; None takes the clinic's."""
    language: str = "en"
    therapist_id: UUID | None = None
    equipment: Sequence[str] = ()
    minutes_available: int | None = None
    falls_risk: bool | None = None
    can_get_up_from_floor: bool | None = None
    preferences: Mapping[str, Any] = field(default_factory=dict)


def patient(tx: Session, caller: Caller, patient_id: UUID, *, lock: bool = False) -> Patient:
    """One patient in the caller's sight."""
    stmt = visible_patients(caller).where(Patient.id == patient_id)
    found = tx.scalars(stmt.with_for_update() if lock else stmt).one_or_none()
    if found is None:
        raise Unknown(f"No patient {patient_id}.")
    caller.seen.add(found.id)
    return found


def patients(
    tx: Session, caller: Caller, *, name: str | None, after: tuple[str, str, UUID] | None, limit: int
) -> Sequence[Patient]:
    """A page of patients by family name; `name` matches the beginning of either name."""
    stmt = visible_patients(caller)
    if name:
        stmt = stmt.where(
            or_(
                Patient.family_name.istartswith(name, autoescape=True),
                Patient.given_name.istartswith(name, autoescape=True),
            )
        )
    place = tuple_(Patient.family_name, Patient.given_name, Patient.id)
    if after is not None:
        stmt = stmt.where(place > after)
    return tx.scalars(stmt.order_by(Patient.family_name, Patient.given_name, Patient.id).limit(limit)).all()


def create_patient(tx: Session, caller: Caller, draft: PatientDraft, *, now: datetime) -> Patient:
    """A new patient of the caller's clinic; their therapist is the caller unless another is named."""
    therapist_id = draft.therapist_id or (caller.account_id if caller.role is Role.THERAPIST else None)
    zone = draft.time_zone or tx.scalars(select(Clinic.time_zone).where(Clinic.id == caller.clinic_id)).one()
    created = Patient(
        clinic_id=caller.clinic_id,
        id=new_id(now),
        given_name=draft.given_name,
        family_name=draft.family_name,
        birth_date=_past(draft.birth_date, now),
        email=draft.email,
        phone=draft.phone,
        time_zone=check_time_zone(zone),
        language=draft.language,
        therapist_id=_therapist(tx, caller, therapist_id),
        equipment=list(draft.equipment),
        minutes_available=draft.minutes_available,
        falls_risk=draft.falls_risk,
        can_get_up_from_floor=draft.can_get_up_from_floor,
        preferences=dict(draft.preferences),
        created_at=now,
    )
    tx.add(created)
    tx.flush()  # what is created for the patient next needs the row
    caller.seen.add(created.id)
    return created


def amend_patient(
    tx: Session, caller: Caller, patient_id: UUID, draft: PatientDraft, *, version: int, now: datetime
) -> Patient:
    """Replace what is known of a patient, if nobody changed it since `version`."""
    known = patient(tx, caller, patient_id, lock=True)
    if known.version != version:
        raise VersionMismatch("Someone changed this patient meanwhile; read it again.")
    _past(draft.birth_date, now)
    zone = check_time_zone(draft.time_zone or known.time_zone)
    moved = zone != known.time_zone
    for column in fields(draft):
        setattr(known, column.name, getattr(draft, column.name))
    known.time_zone = zone
    known.therapist_id = _therapist(tx, caller, draft.therapist_id)
    known.equipment, known.preferences = list(draft.equipment), dict(draft.preferences)
    known.version += 1
    if moved:
        _place_anew(tx, known, now)
    mark_endangered(tx, caller.clinic_id, known.id, now=now)
    return known


def record_screening(
    tx: Session, caller: Caller, patient_id: UUID, answers: Mapping[str, bool], note: str | None, *, now: datetime
) -> Screening:
    """Record the red-flag answers given; questions left out were not asked. A yes opens the patient's red flag."""
    unknown = [question for question in answers if question not in RED_FLAGS]
    if unknown:
        raise Invalid(f"No red-flag question {unknown[0]}.", field=f"/answers/{unknown[0]}")
    screening = Screening(
        clinic_id=caller.clinic_id,
        id=new_id(now),
        patient_id=patient(tx, caller, patient_id, lock=True).id,
        screened_by=caller.account_id,
        screened_at=now,
        answers=dict(answers),
        note=note,
    )
    tx.add(screening)
    tx.flush()  # so that its foreign keys are checked here
    raised = alarms(_present(screening))
    if raised:
        heard = Heard(str(screening.id), now.date(), raised)
        raise_alarms(tx, caller.clinic_id, screening.patient_id, [heard], now=now)
    # The next screening of a running program is due a month from this one.
    running = select(Program).where(
        Program.clinic_id == caller.clinic_id,
        Program.patient_id == screening.patient_id,
        Program.status == ProgramStatus.ACTIVE,
    )
    found = courses(tx, caller.clinic_id, running, lock=True)
    if found:
        restate(tx, caller.clinic_id, found, because=Because.SCREENED, now=now)
    return screening


def advice_for(screening: Screening) -> list[str]:
    """What to tell a patient who was screened, gravest first."""
    return list(dict.fromkeys(alarm.advice for alarm in alarms(_present(screening))))


def screenings(tx: Session, caller: Caller, patient_id: UUID) -> Sequence[Screening]:
    """A patient's screenings, latest first."""
    known = patient(tx, caller, patient_id)
    return tx.scalars(
        select(Screening)
        .where(Screening.clinic_id == known.clinic_id, Screening.patient_id == known.id)
        .order_by(Screening.screened_at.desc(), Screening.id)
        .limit(100)
    ).all()


def screening(tx: Session, caller: Caller, patient_id: UUID, screening_id: UUID) -> Screening:
    """One screening of a patient in the caller's sight."""
    known = patient(tx, caller, patient_id)
    found = tx.get(Screening, {"clinic_id": known.clinic_id, "id": screening_id})
    if found is None or found.patient_id != known.id:
        raise Unknown(f"No screening {screening_id}.")
    return found


def invite(
    tx: Session, caller: Caller, patient_id: UUID, *, proxy_id: UUID | None = None, now: datetime
) -> tuple[Invitation, str]:
    """A fresh invitation of the patient, or of a carer of theirs, and its code, which is not kept. Earlier open
    invitations of the same person stop working.
    """
    invited = patient(tx, caller, patient_id, lock=True)
    tx.execute(
        update(Invitation)
        .where(
            Invitation.clinic_id == caller.clinic_id,
            Invitation.patient_id == invited.id,
            Invitation.proxy_id.is_not_distinct_from(proxy_id),
            Invitation.ended_at.is_(None),
        )
        .values(ended_at=now, ended_because="replaced")
    )
    code = new_code()
    invitation = Invitation(
        clinic_id=caller.clinic_id,
        id=new_id(now),
        patient_id=invited.id,
        proxy_id=proxy_id,
        invited_by=caller.account_id,
        code_hash=code_hash(code),
        created_at=now,
        expires_at=now + INVITATION_LASTS,
    )
    tx.add_all(
        [
            invitation,
            InvitationCode(code_hash=invitation.code_hash, clinic_id=invitation.clinic_id, invitation_id=invitation.id),
        ]
    )
    return invitation, code


def _place_anew(tx: Session, moved: Patient, now: datetime) -> None:
    """A patient who moves takes their midnights along; local dates of the past stay what they were."""
    tx.flush()  # the courses below are read with the new zone
    theirs = select(Program).where(Program.clinic_id == moved.clinic_id, Program.patient_id == moved.id)
    found = courses(tx, moved.clinic_id, theirs, lock=True)
    for course in found.values():
        for pause in course.pauses:
            change(
                tx,
                pause,
                from_at=midnight_after(pause.from_on - timedelta(days=1), course.zone),
                until_at=midnight_after(last_day(pause), course.zone),
            )
    restate(tx, moved.clinic_id, found, because=Because.PLAN_CHANGED, now=now)


def _present(screening: Screening) -> list[str]:
    return [question for question, present in screening.answers.items() if present]


def _therapist(tx: Session, caller: Caller, therapist_id: UUID | None) -> UUID | None:
    """Who is responsible: a member of the clinic's staff."""
    if therapist_id is None or therapist_id == caller.account_id:
        return therapist_id
    found = tx.scalars(
        select(Account.id).where(
            Account.clinic_id == caller.clinic_id,
            Account.id == therapist_id,
            Account.role.in_([Role.ADMIN, Role.THERAPIST]),
            Account.disabled_at.is_(None),
        )
    ).one_or_none()
    if found is None:
        raise Unknown(f"No therapist {therapist_id}.", field="/therapist_id")
    return found


def _past(birth_date: date | None, now: datetime) -> date | None:
    if birth_date is not None and birth_date > now.date():
        raise Invalid("A birth date lies in the past.", field="/birth_date")
    return birth_date
