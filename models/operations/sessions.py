"""Logging sessions: the only way in, and what is kept of those that are refused."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import and_, or_, select, tuple_
from sqlalchemy.orm import Session

from models.adherence.flags import PAIN_HIGH, SAME_DAY_REASONS, FlagKind, Severity
from models.adherence.wording import why
from models.database import insert_for
from models.operations.callers import Caller
from models.operations.courses import Course, courses
from models.operations.flags import Because, Heard, raise_alarms
from models.operations.ids import new_id
from models.operations.prescribing import visible_programs
from models.operations.standings import restate
from models.refusals import (
    AfterProgram,
    BeforeProgram,
    Conflict,
    FutureDated,
    ProgramNotActive,
    SessionRefused,
    UnknownLine,
    UnknownProgram,
    WrongDate,
)
from models.safety.red_flags import PAIN_ADVICE, Alarm, SafetyAnswers, alarms, salvage
from models.tables import DoneShare, Program, ProgramStatus, RejectedSession, Role, SessionEntry, SessionLog, Source

CLOCK_TOLERANCE = timedelta(hours=1)
LOW_TRUST_AFTER = timedelta(days=7)
"""Back-dated further than this a log is accepted, and marked (clinical content 7.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryReport:
    """What was done of one line; amounts left out were done as prescribed."""

    line_id: UUID
    sets: int | None = None
    reps: int | None = None
    hold_seconds: int | None = None
    minutes: float | None = None
    skipped: bool = False
    reason: str | None = None
    pain: int | None = None
    not_sure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionReport:
    """What a patient says about one session, as it was said."""

    id: UUID
    program_id: UUID
    performed_at: datetime
    time_zone: str
    local_date: date
    done: DoneShare
    reason: str | None = None
    pain_before: int | None = None
    pain_during: int | None = None
    pain_after: int | None = None
    effort: int | None = None
    settled_by_morning: bool | None = None
    chips: Sequence[str] = ()
    note: str | None = None
    entries: Sequence[EntryReport] = ()
    ext: Mapping[str, Any] | None = None

    def content_hash(self) -> bytes:
        """SHA-256 of the canonical body: the same words in any order, from any phone, hash alike."""
        body = asdict(self)
        body["performed_at"] = self.performed_at.astimezone(UTC)
        body["chips"] = sorted(set(self.chips))
        body["entries"] = sorted(body["entries"], key=lambda entry: str(entry["line_id"]))
        return sha256(json.dumps(body, sort_keys=True, default=str, separators=(",", ":")).encode()).digest()


class Outcome(StrEnum):
    """What became of one report."""

    CREATED = "created"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The one outcome of one report."""

    outcome: Outcome
    refusal: SessionRefused | None = None
    advice: Sequence[str] = ()
    """What to tell the patient now, gravest first."""
    safety_raised: bool = False


@dataclass(slots=True)
class _Accepted:
    """A report that may be stored, with where it belongs."""

    report: SessionReport
    course: Course
    hash: bytes
    lines: list[EntryReport] = field(default_factory=list)


def record_sessions(tx: Session, caller: Caller, reports: Sequence[SessionReport], *, now: datetime) -> list[Result]:
    """Log `reports`; one result each, in order. A refused one harms none of its neighbours.

    Exactly once by the primary key: insert, and where the id is taken compare what it holds. A refusal is
    returned, not raised; who has its body keeps it, and that raises its safety answers (`keep_rejected`).
    """
    wanted = {report.program_id for report in reports}
    found = courses(tx, caller.clinic_id, visible_programs(caller).where(Program.id.in_(wanted)), lock=True)
    results: dict[int, Result] = {}
    accepted: dict[int, _Accepted] = {}
    for number, report in enumerate(reports):
        known = found.get(report.program_id)
        try:
            if known is None:
                raise UnknownProgram(f"No program {report.program_id}.", field="/program_id")
            _check(report, known, now)
        except SessionRefused as why_not:
            results[number] = Result(outcome=Outcome.REJECTED, refusal=why_not)
        else:
            accepted[number] = _Accepted(report, known, report.content_hash(), _entries(report, known))
    created = _insert(tx, caller, accepted, now)
    held = _held(tx, caller, [one for number, one in accepted.items() if number not in created])
    for number, one in accepted.items():
        if number in created:
            results[number] = Result(outcome=Outcome.CREATED)
        elif held[one.course.program.patient_id, one.report.id] == one.hash:
            results[number] = Result(outcome=Outcome.UNCHANGED)
        else:
            refusal = Conflict("This id is taken by a session with other content; use a new id.", field="/id")
            results[number] = Result(outcome=Outcome.REJECTED, refusal=refusal)
    _insert_entries(tx, caller, [accepted[number] for number in created])
    if created:
        heard: dict[UUID, list[Heard]] = {}
        for said in (accepted[number].report for number in created):
            answers = Heard(str(said.id), said.local_date, alarms(said.chips))
            heard.setdefault(said.program_id, []).append(answers)
        touched = {program_id: found[program_id] for program_id in heard}
        restate(tx, caller.clinic_id, touched, because=Because.RETURNED, now=now, heard=heard)
    return [_with_advice(report, results[number]) for number, report in enumerate(reports)]


def keep_rejected(
    tx: Session, caller: Caller, session_id: UUID, raw: str, said: object, code: str, *, now: datetime
) -> tuple[bool, list[str]]:
    """Keep a refused session's body as it was sent (`raw`); its safety answers open their flags all the same.

    Returns whether any did, and what to tell the patient. Sending it again keeps one copy. `said` is the body as far
    as it could be read.
    """
    heard = salvage(said)
    program = said.get("program_id") if isinstance(said, dict) else None
    patient_id = caller.patient_id or _patient_of(tx, caller, program)
    raised = heard.matter and patient_id is not None
    tx.execute(
        insert_for(tx, RejectedSession)
        .values(
            clinic_id=caller.clinic_id,
            id=new_id(now),
            account_id=caller.account_id,
            patient_id=patient_id,
            session_id=session_id,
            body=raw,
            content_hash=sha256(raw.encode()).digest(),
            code=code,
            safety_raised=raised,
            received_at=now,
        )
        .on_conflict_do_nothing()
    )
    if patient_id is not None and raised:
        answers = Heard(str(session_id), now.date(), [*alarms(heard.chips), *_loose_alarms(heard)])
        raise_alarms(tx, caller.clinic_id, patient_id, [answers], now=now)
    return raised, heard.advice()


def sessions_of(
    tx: Session, caller: Caller, program_id: UUID, *, before: tuple[date, UUID] | None, limit: int
) -> list[tuple[SessionLog, list[SessionEntry]]]:
    """A page of a program's sessions with their entries, latest first."""
    program = tx.scalars(visible_programs(caller).where(Program.id == program_id)).one_or_none()
    if program is None:
        raise UnknownProgram(f"No program {program_id}.")
    stmt = select(SessionLog).where(
        SessionLog.clinic_id == caller.clinic_id,
        SessionLog.program_id == program_id,
        SessionLog.deleted_at.is_(None),
    )
    if before is not None:
        stmt = stmt.where(tuple_(SessionLog.local_date, SessionLog.id) < before)
    page = tx.scalars(stmt.order_by(SessionLog.local_date.desc(), SessionLog.id.desc()).limit(limit)).all()
    entries: dict[UUID, list[SessionEntry]] = {log.id: [] for log in page}
    for entry in tx.scalars(
        select(SessionEntry)
        .where(
            SessionEntry.clinic_id == caller.clinic_id,
            SessionEntry.patient_id == program.patient_id,
            SessionEntry.session_id.in_(entries),
        )
        .order_by(SessionEntry.line_id)
    ):
        entries[entry.session_id].append(entry)
    return [(log, entries[log.id]) for log in page]


def _check(report: SessionReport, known: Course, now: datetime) -> None:
    """Refuse what cannot have happened."""
    program = known.program
    if program.status is ProgramStatus.DRAFT:
        raise ProgramNotActive("The program is a draft; activate it first.", field="/program_id")
    if report.performed_at > now + CLOCK_TOLERANCE:
        raise FutureDated("The session lies in the future; check the phone's clock.", field="/performed_at")
    there = report.performed_at.astimezone(ZoneInfo(report.time_zone)).date()
    if abs((report.local_date - there).days) > 1:
        raise WrongDate(f"At that instant the date in {report.time_zone} was {there}.", field="/local_date")
    if report.local_date < program.starts_on:
        raise BeforeProgram(f"The program started on {program.starts_on}.", field="/local_date")
    if program.ended_on is not None and report.local_date > program.ended_on:
        raise AfterProgram(f"The program ended on {program.ended_on}.", field="/local_date")
    lines = {item.line_id for item in known.items}
    for number, entry in enumerate(report.entries):
        if entry.line_id not in lines:
            raise UnknownLine(f"The program has no line {entry.line_id}.", field=f"/entries/{number}/line_id")


def _entries(report: SessionReport, known: Course) -> list[EntryReport]:
    """What is stored: "all" writes every line in force that day as prescribed, except as said otherwise."""
    said = {entry.line_id: entry for entry in report.entries}
    if report.done is DoneShare.ALL:
        for line in known.lines_on(report.local_date):
            if not line.as_needed:
                said.setdefault(line.line_id, EntryReport(line_id=line.line_id))
    return list(said.values())


def _exercised(one: _Accepted) -> bool:
    """Whether anything of it was exercise: what was only ticked beside the exercises is not."""
    if one.report.done is not DoneShare.SOME or not one.report.entries:
        return one.report.done is not DoneShare.NONE
    exercises = {item.line_id for item in one.course.items if item.exercise_slug is not None}
    return any(entry.line_id in exercises and not entry.skipped for entry in one.report.entries)


def _insert(tx: Session, caller: Caller, accepted: Mapping[int, _Accepted], now: datetime) -> list[int]:
    """Insert what is new; the numbers of the reports that were."""
    first: dict[tuple[UUID, UUID], int] = {}
    for number, one in accepted.items():
        first.setdefault((one.course.program.patient_id, one.report.id), number)
    if not first:
        return []
    rows = [
        {
            "clinic_id": caller.clinic_id,
            "patient_id": patient_id,
            "id": session_id,
            "program_id": accepted[number].report.program_id,
            "performed_at": accepted[number].report.performed_at,
            "time_zone": accepted[number].report.time_zone,
            "local_date": accepted[number].report.local_date,
            "received_at": now,
            "source": Source.PATIENT if caller.role is Role.PATIENT else Source.THERAPIST,
            "device_id": caller.device_id,
            "done": accepted[number].report.done,
            "exercised": _exercised(accepted[number]),
            "reason": accepted[number].report.reason,
            "pain_before": accepted[number].report.pain_before,
            "pain_during": accepted[number].report.pain_during,
            "pain_after": accepted[number].report.pain_after,
            "effort": accepted[number].report.effort,
            "settled_by_morning": accepted[number].report.settled_by_morning,
            "chips": list(dict.fromkeys(accepted[number].report.chips)),
            "note": accepted[number].report.note,
            "ext": accepted[number].report.ext,
            "low_trust": now - accepted[number].report.performed_at > LOW_TRUST_AFTER,
            "version": 1,
            "content_hash": accepted[number].hash,
        }
        for (patient_id, session_id), number in first.items()
    ]
    stmt = insert_for(tx, SessionLog).on_conflict_do_nothing(index_elements=["clinic_id", "patient_id", "id"])
    new = {tuple(row) for row in tx.execute(stmt.returning(SessionLog.patient_id, SessionLog.id), rows)}
    return [number for key, number in first.items() if key in new]


def _held(tx: Session, caller: Caller, known: Sequence[_Accepted]) -> dict[tuple[UUID, UUID], bytes]:
    """What the ids that were taken hold."""
    if not known:
        return {}
    keys = {(one.course.program.patient_id, one.report.id) for one in known}
    rows = tx.execute(
        select(SessionLog.patient_id, SessionLog.id, SessionLog.content_hash).where(
            SessionLog.clinic_id == caller.clinic_id,
            or_(*(and_(SessionLog.patient_id == patient_id, SessionLog.id == id_) for patient_id, id_ in keys)),
        )
    )
    return {(patient_id, id_): content_hash for patient_id, id_, content_hash in rows}


def _insert_entries(tx: Session, caller: Caller, new: Sequence[_Accepted]) -> None:
    rows = [
        {
            "clinic_id": caller.clinic_id,
            "patient_id": one.course.program.patient_id,
            "session_id": one.report.id,
            **asdict(entry),
        }
        for one in new
        for entry in one.lines
    ]
    if rows:
        tx.execute(insert_for(tx, SessionEntry), rows)


def _with_advice(report: SessionReport, result: Result) -> Result:
    """What the patient is told at once, whatever became of the rest of the report."""
    heard = SafetyAnswers(tuple(report.chips), report.reason, report.pain_during)
    raised = heard.cannot_wait and result.outcome is not Outcome.REJECTED
    return replace(result, advice=tuple(heard.advice()), safety_raised=raised)


def _loose_alarms(heard: SafetyAnswers) -> list[Alarm]:
    """A reason or a pain from a session that was refused: no session holds it, so the alarm does."""
    raised = []
    if heard.reason is not None:
        severity = Severity.HIGH if heard.reason in SAME_DAY_REASONS else Severity.MEDIUM
        raised.append(Alarm(FlagKind.BARRIER, severity, why(heard.reason), ""))
    if (heard.pain_during or 0) >= PAIN_HIGH:
        pain = min(heard.pain_during or 0, 10)
        raised.append(Alarm(FlagKind.PAIN_HIGH, Severity.URGENT, f"pain {pain} of 10", PAIN_ADVICE))
    return raised


def _patient_of(tx: Session, caller: Caller, program_id: object) -> UUID | None:
    """Whose refused session this is, when staff sent it."""
    try:
        program = UUID(str(program_id))
    except ValueError:
        return None
    return tx.scalars(
        visible_programs(caller).with_only_columns(Program.patient_id).where(Program.id == program)
    ).first()
