"""Valid things, except as said."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from models.operations import accounts, patients, programs, sessions, sign_ins
from models.operations.callers import Caller, identify
from models.operations.courses import Course
from models.operations.ids import new_id
from models.tables import Account, DoneShare, Patient, Role

NOON = datetime(2025, 3, 3, 12, tzinfo=UTC)
"""A Monday."""
MONDAY = NOON.date()
DAY = timedelta(days=1)
BORN = date(1970, 5, 14)
WEEKDAYS = (0, 1, 2, 3, 4)


def a_clinic(tx: Session, *, zone: str = "Europe/London", now: datetime = NOON) -> Caller:
    """A clinic, as its one therapist."""
    clinic = accounts.create_clinic(tx, name="Test clinic", time_zone=zone, now=now)
    return a_member(tx, clinic.id, Role.THERAPIST, now=now)


def a_member(tx: Session, clinic_id: UUID, role: Role, *, now: datetime = NOON) -> Caller:
    """A member of staff without a password: hashing one takes longer than most tests."""
    account = Account(clinic_id=clinic_id, id=new_id(now), role=role, name=f"A {role}", created_at=now)
    tx.add(account)
    tx.flush()
    return Caller(clinic_id=clinic_id, account_id=account.id, role=role, name=account.name)


def a_patient(tx: Session, therapist: Caller, *, now: datetime = NOON, **but: Any) -> Patient:
    draft: dict[str, Any] = {"given_name": "Ann", "family_name": "Archer", "birth_date": BORN} | but
    return patients.create_patient(tx, therapist, patients.PatientDraft(**draft), now=now)


def a_dosage(**but: Any) -> programs.Dosage:
    return programs.Dosage(**dict[str, Any]({"sets": 3, "reps": 10, "weekdays": WEEKDAYS} | but))


def a_draft(*dosages: programs.Dosage, starts_on: date = MONDAY, **but: Any) -> programs.ProgramDraft:
    """One phase without an end, one exercise a dosage."""
    shelf = ("bird-dog", "glute-bridge", "cat-camel", "walk-easy", "side-plank-knees", "dead-bug-arms")
    items = [programs.ItemDraft(exercise=slug, dosage=d) for slug, d in zip(shelf, dosages or [a_dosage()])]  # noqa: B905
    phase = programs.PhaseDraft(label="All along", from_day=1, to_day=None, items=items)
    return programs.ProgramDraft(**dict[str, Any]({"starts_on": starts_on, "phases": [phase]} | but))


def a_program(
    tx: Session,
    therapist: Caller,
    patient: Patient,
    draft: programs.ProgramDraft | None = None,
    *,
    now: datetime = NOON,
) -> Course:
    """An active program: five weekdays a week from `MONDAY`, unless said otherwise."""
    program = programs.create_program(tx, therapist, patient.id, draft or a_draft(), now=now)
    return programs.activate(tx, therapist, program.id, now=now)


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


def weeks(count: int, weekdays: Sequence[int] = WEEKDAYS, start: date = MONDAY) -> list[date]:
    """The days of so many weeks."""
    return [start + timedelta(days=7 * week + day) for week in range(count) for day in weekdays]


def at(day: str | date, hour: int = 12) -> datetime:
    """An hour of a day, UTC; a day is "04-07" of 2025."""
    on = date.fromisoformat(f"2025-{day}") if isinstance(day, str) else day
    return datetime(on.year, on.month, on.day, hour, tzinfo=UTC)
