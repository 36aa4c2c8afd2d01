"""Writing down what the engine says: standings and flags, in the transaction of whatever changed them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, literal, null, or_, select, type_coerce
from sqlalchemy.orm import Session, aliased

from models.adherence import RULE_VERSION, Assessment, Change, Done, Standing, assess, standing_at
from models.adherence.flags import (
    BARRIER_DAYS,
    Finding,
    FlagKind,
    Report,
    barrier,
    not_started,
    pain_high,
    review_due,
    silence,
    withdrawn,
)
from models.adherence.schedule import midnight_after
from models.adherence.silence import HISTORY_DAYS
from models.database import insert_or_replace
from models.operations.courses import Course
from models.operations.flags import Because, Heard, detached, heed, save, settle, superseded
from models.operations.versions import Past
from models.tables import Contact, Flag, Program, ProgramStanding, ProgramStatus, SessionLog

SETTLES = timedelta(minutes=15)
"""A phone that sends its queue one session at a time has not said all at the first one: only after this long does
having been in touch prove that nothing more was waiting."""


@dataclass(frozen=True, slots=True)
class History:
    """What of a program's sessions the engine listens to."""

    done: tuple[Done, ...]
    contacts: tuple[datetime, ...]
    reports: tuple[Report, ...]


def restate(
    tx: Session,
    clinic_id: UUID,
    found: Mapping[UUID, Course],
    *,
    because: Because,
    now: datetime,
    heard: Mapping[UUID, Sequence[Heard]] | None = None,
    rewritten: Collection[UUID] = (),
) -> None:
    """Judge every course anew and write its standing and flags: four statements, however many courses.

    `heard` are the safety answers by program; `rewritten` are the programs whose past was changed: sessions amended or
    deleted, so that their last day may lie earlier than the one last written.
    """
    before = _standings_and_flags(tx, clinic_id, found)
    last_days = {
        program_id: standing.last_day if standing and program_id not in rewritten else None
        for program_id, (standing, _) in before.items()
    }
    histories = _histories(tx, clinic_id, found, last_days)
    standings: list[dict[str, Any]] = []
    flags: list[Flag] = []
    for program_id, course in found.items():
        if course.program.status is ProgramStatus.DRAFT:
            continue
        standing, known = before[program_id]
        history = histories[program_id]
        judged = assess(course.plan(), history.done, now, contacts=history.contacts, withdrawn=course.withdrawn)
        standings.append(_standing_row(clinic_id, program_id, judged, standing, now))
        findings = _findings(course, judged, history, known, now)
        about_program = [flag for flag in known if flag.about_id == program_id]
        flags += settle(course, about_program, findings, because=because, now=now)
    flags += _heeded(clinic_id, found, before, heard or {}, now)
    insert_or_replace(tx, ProgramStanding, standings)
    save(tx, flags)


def history_of(tx: Session, clinic_id: UUID, course: Course, as_of: datetime, replaced: Sequence[Past]) -> History:
    """A program's sessions as they were known at `as_of`, all of them; `replaced` are those amended or deleted since,
    as they were then.
    """
    program_id = course.program.id
    rows = tx.execute(
        _heard(clinic_id, [program_id])
        .where(SessionLog.changed_at <= as_of)
        .union_all(_contacts(clinic_id, [program_id]).where(Contact.at <= as_of))
    )
    known = [_Row(*row) for row in rows]
    known += [
        _Row(
            program_id=program_id,
            session_id=past.session_id,
            local_date=past.local_date,
            performed_at=past.performed_at,
            received_at=past.received_at,
            exercised=past.exercised,
            worst_pain=past.worst_pain,
            main_reason=past.main_reason,
            changed_at=past.changed_at,
        )
        for past in replaced
    ]
    return _history(known)


def _standings_and_flags(
    tx: Session, clinic_id: UUID, found: Collection[UUID]
) -> dict[UUID, tuple[ProgramStanding | None, list[Flag]]]:
    """Each program's standing as last written, and the flags about it or its patient that are open or were closed by
    hand, in one statement.
    """
    by_hand = aliased(Flag)
    rows = tx.execute(
        select(Program.id, ProgramStanding, Flag, by_hand)
        .join(
            ProgramStanding,
            and_(ProgramStanding.clinic_id == Program.clinic_id, ProgramStanding.program_id == Program.id),
            isouter=True,
        )
        .join(
            Flag,
            and_(
                Flag.clinic_id == Program.clinic_id,
                Flag.about_id.in_([Program.id, Program.patient_id]),
                Flag.closed_at.is_(None),
            ),
            isouter=True,
        )
        .join(
            by_hand,
            and_(
                by_hand.clinic_id == Program.clinic_id,
                by_hand.about_id.in_([Program.id, Program.patient_id]),
                by_hand.closed_by.is_not(None),
            ),
            isouter=True,
        )
        .where(Program.clinic_id == clinic_id, Program.id.in_(found))
        .execution_options(populate_existing=True)
    ).all()
    before: dict[UUID, tuple[ProgramStanding | None, list[Flag]]] = {}
    for program_id, standing, *some in rows:
        _, flags = before.setdefault(program_id, (standing, []))
        flags += [flag for flag in some if flag is not None and flag not in flags]
    for flag in {id(flag): flag for _, flags in before.values() for flag in flags}.values():
        detached(tx, flag)
    return before


@dataclass(frozen=True, slots=True)
class _Row:
    """A session, or a contact that brought none (then without an id)."""

    program_id: UUID
    session_id: UUID | None
    local_date: date
    performed_at: datetime
    received_at: datetime
    exercised: bool
    worst_pain: int | None
    main_reason: str | None
    changed_at: datetime | None = None


def _heard(clinic_id: UUID, programs: Collection[UUID]) -> Any:
    return select(
        SessionLog.program_id,
        SessionLog.id,
        SessionLog.local_date,
        SessionLog.performed_at,
        SessionLog.received_at,
        SessionLog.exercised,
        SessionLog.worst_pain,
        SessionLog.main_reason,
        SessionLog.changed_at,
    ).where(SessionLog.clinic_id == clinic_id, SessionLog.program_id.in_(programs), SessionLog.deleted_at.is_(None))


def _contacts(clinic_id: UUID, programs: Collection[UUID]) -> Any:
    """In the columns of `_heard`."""
    return (
        select(
            Program.id,
            type_coerce(null(), SessionLog.id.type),
            Contact.local_date,
            Contact.at,
            Contact.at,
            literal(value=False),
            type_coerce(null(), SessionLog.worst_pain.type),
            type_coerce(null(), SessionLog.main_reason.type),
            type_coerce(null(), SessionLog.changed_at.type),
        )
        .join(Program, and_(Program.clinic_id == Contact.clinic_id, Program.patient_id == Contact.patient_id))
        .where(Contact.clinic_id == clinic_id, Program.clinic_id == clinic_id, Program.id.in_(programs))
    )


def _histories(
    tx: Session, clinic_id: UUID, found: Mapping[UUID, Course], last_days: Mapping[UUID, date | None]
) -> dict[UUID, History]:
    """The sessions habit is learnt from, of the last `HISTORY_DAYS` up to the last one; and the contacts since."""
    windows, since = [], []
    for program_id in found:
        # The last day only moves forward here, so a window from the one last written is wide enough.
        known = last_days[program_id]
        first = known - timedelta(days=HISTORY_DAYS) if known else date.min
        windows.append(and_(SessionLog.program_id == program_id, SessionLog.local_date >= first))
        since.append(and_(Program.id == program_id, Contact.local_date >= (known or date.min)))
    rows: dict[UUID, list[_Row]] = {program_id: [] for program_id in found}
    both = _heard(clinic_id, found).where(or_(*windows)).union_all(_contacts(clinic_id, found).where(or_(*since)))
    for row in tx.execute(both):
        rows[row[0]].append(_Row(*row))
    return {program_id: _history(of_program) for program_id, of_program in rows.items()}


def _history(rows: Sequence[_Row]) -> History:
    """In the order of days, whatever order the rows came in; no further back than habit is learnt from, however far the
    rows go, so that whoever judges the same history judges it alike.
    """
    last = max((row.local_date for row in rows if row.exercised), default=date.min)
    first = last - timedelta(days=HISTORY_DAYS) if last > date.min else date.min
    ordered = sorted(
        (row for row in rows if row.local_date >= first), key=lambda row: (row.local_date, str(row.session_id))
    )
    reports = tuple(
        Report(
            session_id=str(row.session_id),
            day=row.local_date,
            performed_at=row.performed_at,
            received_at=row.received_at,
            exercised=row.exercised,
            worst_pain=row.worst_pain,
            reason=row.main_reason,
            changed_at=row.changed_at,
        )
        for row in ordered
        if row.session_id is not None
    )
    return History(
        done=tuple(Done(report.day, report.received_at) for report in reports if report.exercised),
        contacts=tuple(row.received_at + SETTLES for row in ordered),
        reports=reports,
    )


def _findings(
    course: Course, judged: Assessment, history: History, known: Sequence[Flag], now: datetime
) -> list[Finding]:
    over = judged.standing in {Standing.ENDED, Standing.WITHDRAWN}
    program = course.program
    pain, reports = pain_high(history.reports), history.reports
    if program.ended_at:
        ended_at = program.ended_at
        # No session will settle it any more; what is told after the end is heard all the same.
        pain = pain and replace(pain, expires_at=max(ended_at, pain.opens_at) + timedelta(days=BARRIER_DAYS))
        reports = tuple(report for report in reports if report.told_at > ended_at)
    # A reason somebody has answered does not stand before one that nobody has.
    by_hand = [flag for flag in known if flag.kind is FlagKind.BARRIER and flag.closed_by is not None]
    answered = {(flag.episode, flag.evidence.get("reason")) for flag in by_hand}
    found = [pain, barrier([one for one in reports if (one.session_id, one.reason) not in answered], now)]
    if course.withdrawn and program.ended_on and program.ended_at:
        found.append(withdrawn(program.end_reason or "other", program.ended_on, program.ended_at))
    if not over and program.review_due_on is not None:
        found.append(review_due(program.review_due_on, midnight_after(program.review_due_on, course.zone)))
    if not over:
        found += [
            silence(judged, history.reports),
            not_started(judged, program.starts_on),
        ]
    return [finding for finding in found if finding and (finding.expires_at is None or finding.expires_at > now)]


def _heeded(
    clinic_id: UUID,
    found: Mapping[UUID, Course],
    before: Mapping[UUID, tuple[ProgramStanding | None, list[Flag]]],
    heard: Mapping[UUID, Sequence[Heard]],
    now: datetime,
) -> list[Flag]:
    """The safety flags to write for answers that came with sessions, patient by patient."""
    by_patient: dict[UUID, list[tuple[UUID, Heard]]] = {}
    for program_id, answers in heard.items():
        patient_id = found[program_id].program.patient_id
        by_patient.setdefault(patient_id, []).extend((program_id, answer) for answer in answers)
    flags: list[Flag] = []
    for patient_id, told in by_patient.items():
        program_id = told[0][0]
        known = [flag for flag in before[program_id][1] if flag.about_id == patient_id]
        answers = [answer for _, answer in told]
        stood_in = superseded(known, {answer.source for answer in answers}, now)
        flags += stood_in
        left = [flag for flag in known if flag not in stood_in]
        flags += heed(left, answers, clinic_id, patient_id, program_id, now)
    return flags


def _standing_row(
    clinic_id: UUID, program_id: UUID, judged: Assessment, before: ProgramStanding | None, now: datetime
) -> dict[str, Any]:
    heard = judged.silence
    return {
        "clinic_id": clinic_id,
        "program_id": program_id,
        "standing": judged.standing,
        "since": _since(judged.standing, before, now),
        "changes_at": judged.changes_at,
        "forecast": [[change.at.isoformat(), change.standing.value] for change in judged.forecast],
        "last_day": heard.last_day if heard else None,
        "habit": heard.habit if heard else None,
        "weekly_slots": heard.weekly_slots if heard else None,
        "assessed_at": now,
        "rule_version": RULE_VERSION,
    }


def forecast_of(row: ProgramStanding) -> list[Change]:
    """The stored future of a program."""
    return [Change(datetime.fromisoformat(at), Standing(standing)) for at, standing in row.forecast]


def _since(standing: Standing, before: ProgramStanding | None, now: datetime) -> datetime:
    """When the present standing began: time may have changed it since it was last written."""
    if before is None:
        return now
    forecast = forecast_of(before)
    if standing_at(before.standing, forecast, now) is not standing:
        return now
    return max((change.at for change in forecast if change.at <= now), default=before.since)
