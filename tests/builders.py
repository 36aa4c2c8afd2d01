"""Valid things, except as said."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from models.operations import accounts, carers, checking, clients, patients, prescribing, programs, sessions, sign_ins
from models.operations.callers import Caller, identify
from models.operations.carers import Carer
from models.operations.courses import Course
from models.operations.ids import new_id
from models.operations.policy import SCOPES
from models.prescription.dosage import Dosage, Side
from models.safety.red_flags import RED_FLAGS
from models.safety.rules import RULES
from models.tables import Account, CheckIn, ConsentBy, DoneShare, Patient, Program, Role

NOON = datetime(2025, 3, 3, 12, tzinfo=UTC)
"""A Monday."""
MONDAY = NOON.date()
DAY = timedelta(days=1)
LATER = date(2035, 1, 1)
"""When a review is due, unless the story is about reviews."""
BORN = date(1970, 5, 14)
WEEKDAYS = (0, 1, 2, 3, 4)
ALL_WARNINGS = checking.Answers(acknowledged=tuple(RULES))
"""Acknowledges whatever the safety check warns of; what blocks still does."""


def a_clinic(tx: Session, *, zone: str = "Europe/London", now: datetime = NOON) -> Caller:
    """A clinic where therapists see each other's patients, as its one therapist."""
    clinic = accounts.create_clinic(tx, name="Test clinic", time_zone=zone, shares_caseloads=True, now=now)
    return a_member(tx, clinic.id, Role.THERAPIST, now=now)


def a_member(
    tx: Session, clinic_id: UUID, role: Role, *, scopes: Sequence[str] | None = None, now: datetime = NOON
) -> Caller:
    """A member of staff without a password: hashing one takes longer than most tests."""
    given = list(scopes) if scopes is not None else None
    account = Account(clinic_id=clinic_id, id=new_id(now), role=role, name=f"A {role}", scopes=given, created_at=now)
    tx.add(account)
    tx.flush()
    return Caller(clinic_id=clinic_id, account_id=account.id, role=role, name=account.name, shares_caseloads=True)


def a_patient(tx: Session, therapist: Caller, *, now: datetime = NOON, **but: Any) -> Patient:
    draft: dict[str, Any] = {"given_name": "Ann", "family_name": "Archer", "birth_date": BORN} | but
    return patients.create_patient(tx, therapist, patients.PatientDraft(**draft), now=now)


def a_dosage(**but: Any) -> Dosage:
    return Dosage(**dict[str, Any]({"sets": 3, "reps": 10, "weekdays": WEEKDAYS} | but))


def a_draft(*dosages: Dosage, starts_on: date = MONDAY, **but: Any) -> prescribing.ProgramDraft:
    """One phase without an end, one exercise a dosage."""
    shelf = ("bird-dog", "glute-bridge", "cat-camel", "walk-easy", "side-plank-knees", "dead-bug-arms")
    drafted = zip(shelf, dosages or [a_dosage()])  # noqa: B905
    items = [prescribing.ItemDraft(exercise=slug, dosage=dosage, side=Side.BOTH) for slug, dosage in drafted]
    phase = prescribing.PhaseDraft(label="All along", from_day=1, to_day=None, items=items)
    return prescribing.ProgramDraft(
        **dict[str, Any]({"starts_on": starts_on, "phases": [phase], "review_due_on": LATER} | but)
    )


def a_program(
    tx: Session,
    therapist: Caller,
    patient: Patient,
    draft: prescribing.ProgramDraft | None = None,
    *,
    now: datetime = NOON,
) -> Course:
    """An active program: five weekdays a week from `MONDAY`, unless said otherwise."""
    program = prescribing.create_program(tx, therapist, patient.id, draft or a_draft(), now=now)
    return handed_over(tx, therapist, program.id, now=now)


def screened(tx: Session, therapist: Caller, patient_id: UUID, *, now: datetime = NOON) -> None:
    """Every red-flag question answered no."""
    patients.record_screening(tx, therapist, patient_id, dict.fromkeys(RED_FLAGS, False), None, now=now)


def handed_over(tx: Session, therapist: Caller, program_id: UUID, *, now: datetime = NOON) -> Course:
    """A draft activated, the patient screened and every warning read."""
    screened(tx, therapist, prescribing.course(tx, therapist, program_id).program.patient_id, now=now)
    return programs.activate(tx, therapist, program_id, ALL_WARNINGS, now=now)


def discharged(
    tx: Session, therapist: Caller, program_id: UUID, maintenance: prescribing.ProgramDraft, *, now: datetime = NOON
) -> Program:
    """A program ended, the patient screened and every warning read; the maintenance program."""
    screened(tx, therapist, prescribing.course(tx, therapist, program_id).program.patient_id, now=now)
    following = programs.discharge(tx, therapist, program_id, maintenance, ALL_WARNINGS, now=now)
    assert following is not None
    return following


def a_check_in(tx: Session, program: Program, due_on: date = MONDAY, month: int = 60) -> CheckIn:
    """A check-in by itself, without the discharge that makes them; no discharge makes one of this month."""
    asked = CheckIn(
        clinic_id=program.clinic_id,
        id=new_id(NOON),
        patient_id=program.patient_id,
        program_id=program.id,
        month=month,
        due_on=due_on,
        created_at=NOON,
    )
    tx.add(asked)
    tx.flush()
    return asked


def as_patient(tx: Session, therapist: Caller, patient: Patient, *, now: datetime = NOON) -> Caller:
    """The patient on their phone, invited and signed in."""
    return identify(tx, a_phone(tx, therapist, patient, now=now).access, now)


def a_phone(tx: Session, therapist: Caller, patient: Patient, *, now: datetime = NOON) -> sign_ins.Tokens:
    """A patient's fresh pair of tokens."""
    _, code = patients.invite(tx, therapist, patient.id, now=now)
    tokens = sign_ins.redeem(tx, code, patient.birth_date, "phone", address="", now=now)
    assert isinstance(tokens, sign_ins.Tokens)
    tx.flush()
    return tokens


def a_token(tx: Session, caller: Caller, *, now: datetime = NOON) -> str:
    """An access token of anyone."""
    tokens = sign_ins._open(tx, caller.clinic_id, caller.account_id, None, sign_ins.STAFF_REFRESH_LASTS, now)
    tx.flush()
    return tokens.access


def a_client_draft(*scopes: str, **but: Any) -> clients.ClientDraft:
    """Another system with every scope, unless said otherwise; nobody has its private key."""
    key = {
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    }
    said: dict[str, Any] = {"name": "A record system", "scopes": scopes or sorted(SCOPES), "keys": [key]}
    return clients.ClientDraft(**(said | but))


def a_clients_token(tx: Session, known: clients.Registered, *, now: datetime = NOON) -> str:
    """An access token of another system, for all it was given."""
    account = known.account
    token = sign_ins.open_for_client(tx, account.clinic_id, account.id, account.scopes or [], clients.TOKEN_LASTS, now)
    tx.flush()
    return token


def a_carer(tx: Session, therapist: Caller, patient: Patient, *, now: datetime = NOON) -> tuple[Carer, sign_ins.Tokens]:
    """A carer the patient agreed to, and the tokens of their phone."""
    draft = carers.CarerDraft(
        name="Cara Archer", relationship="daughter", consent_by=ConsentBy.PATIENT, consented_on=now.date()
    )
    named = carers.name_carer(tx, therapist, patient.id, draft, now=now)
    _, code = carers.invite_carer(tx, therapist, patient.id, named.proxy.id, now=now)
    tokens = sign_ins.redeem(tx, code, patient.birth_date, "carer's phone", address="", now=now)
    assert isinstance(tokens, sign_ins.Tokens)
    tx.flush()
    return named, tokens


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def a_report(program_id: UUID, day: date = MONDAY, **but: Any) -> sessions.SessionReport:
    """Everything done at noon of `day`."""
    words: dict[str, Any] = {
        "id": uuid4(),
        "program_id": program_id,
        "performed_at": datetime.combine(day, NOON.timetz()),
        "time_zone": "Europe/London",
        "local_date": day,
        "done": DoneShare.ALL,
    }
    return sessions.SessionReport(**(words | but))


def log_days(
    tx: Session, caller: Caller, program_id: UUID, days: Sequence[date], *, late: timedelta = timedelta(), **but: Any
) -> None:
    """One full session a day, each received when it was done, or `late`."""
    for day in days:
        report = a_report(program_id, day, **but)
        result = sessions.record_sessions(tx, caller, [report], now=report.performed_at + late)[0]
        assert result.outcome is sessions.Outcome.CREATED, result.refusal


def log_queue(
    tx: Session, caller: Caller, program_id: UUID, days: Sequence[date], *, now: datetime, **but: Any
) -> None:
    """One full session a day, all received at once: where it does not matter when, for it costs a tenth."""
    reports = [a_report(program_id, day, **but) for day in days]
    results = sessions.record_sessions(tx, caller, reports, now=now)
    assert {result.outcome for result in results} <= {sessions.Outcome.CREATED}


def weeks(count: int, weekdays: Sequence[int] = WEEKDAYS, start: date = MONDAY) -> list[date]:
    """The days of so many weeks."""
    return [start + timedelta(days=7 * week + day) for week in range(count) for day in weekdays]


def at(day: str | date, hour: int = 12) -> datetime:
    """An hour of a day, UTC; a day is "04-07" of 2025."""
    on = date.fromisoformat(f"2025-{day}") if isinstance(day, str) else day
    return datetime(on.year, on.month, on.day, hour, tzinfo=UTC)
